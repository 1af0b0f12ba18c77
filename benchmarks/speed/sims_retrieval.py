"""Exact retrieval of SIMS against brute force, and its time and memory against the size of the bank.

python benchmarks/speed/sims_retrieval.py --data ../shared/data/camvid [--real 60000] [--synthetic 1000 ... 1000000]
    [--out retrieval.json] [--plot retrieval.png]

The first table: segments of real label maps (`train`, `val`), and, where these are too few, of the same maps cropped
at random and mirrored; looked for are segments of `test`. The second: made-up shapes (`sims_synthetic`), placed as the
real segments are; looked for are made-up ones and those of `test`. Times are CPU time of the one thread that works,
which other load hardly touches; wall times are in the JSON.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from sims_synthetic import synthetic_donor, synthetic_queries
from timing import machine

from scenebrush.errors import ScenebrushError
from scenebrush.methods.sims.bank import MATCH_SIZE, Bank, Query, queries_of
from scenebrush.methods.sims.cutting import cut
from scenebrush.methods.sims.matching import NO_CLASS
from scenebrush.methods.sims.writing import BankWriter, bank_bytes
from scenebrush.scene.folder import SceneFolder
from scenebrush.scene.layout import Layout

_AT_ONCE = 2000


@dataclass(frozen=True)
class Settings:
    """What is timed.

    Args:
        data: CamVid as a scene folder.
        real: segments of the first bank.
        queries: real segments looked for, spread over the classes as they come.
        one_hot: segments compared with one-hot contexts for each query; the time is scaled to all.
        synthetic: sizes of the second bank, which grows from one to the next.
        one_class: whether the made-up segments are all of one class, the worst case, and not spread as real ones are.
        k: best segments asked for.
        work: folder for the banks, removed afterwards; 4 GB a million segments.
        out: a JSON file to write, or None.
        plot: a PNG to draw, or None; needs matplotlib.
    """

    data: Path
    real: int = 60_000
    queries: int = 60
    one_hot: int = 50
    synthetic: tuple[int, ...] = (1_000, 10_000, 60_000, 300_000, 1_000_000)
    one_class: bool = False
    k: int = 10
    work: Path = Path(tempfile.gettempdir())
    out: Path | None = None
    plot: Path | None = None


def main(settings: Settings) -> None:
    """Builds, times, prints."""
    folder = SceneFolder.open(settings.data)
    work = Path(tempfile.mkdtemp(prefix="sims-retrieval-", dir=settings.work))
    document: dict[str, Any] = {"machine": machine(), "match_size": MATCH_SIZE, "k": settings.k}
    print(f"{machine()}\n")
    try:
        document["brute_force"] = against_brute_force(settings, folder, work / "real")
        with Bank.open(work / "real") as bank:
            places = np.array([[record.class_id, *record.match_box] for record in bank.records()])
        shutil.rmtree(work / "real")
        save(settings, document)
        document["growing"] = growing(settings, folder, work / "synthetic", places)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    save(settings, document)
    if settings.plot:
        draw(settings.plot, document["growing"])


def save(settings: Settings, document: dict[str, Any]) -> None:
    """Writes what is known so far."""
    if settings.out:
        settings.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


# Against brute force


def against_brute_force(settings: Settings, folder: SceneFolder, path: Path) -> dict[str, Any]:
    """Times the same queries by bounds and by three brute forces; all must find the same."""
    started = time.perf_counter()
    whole, cropped = fill_with_streets(settings, folder, path)
    print(f"{whole:,} segments of real maps and {cropped:,} of crops of them, in {time.perf_counter() - started:.0f} s")
    test = test_queries(folder, settings.queries)
    rows = dict[str, list[list[float]]]()
    compared = list[int]()
    with Bank.open(path) as bank:
        for class_id in sorted({query.segment.class_id for query in test}):
            queries = [query for query in test if query.segment.class_id == class_id]
            dense = DenseClass(bank, class_id)
            for query in queries:
                bank.find(query, settings.k)  # a bank in use has its index in memory, as the dense arrays are
            for query in queries:
                (fresh,) = [q for q in remade(query) if q.segment.box == query.segment.box]
                found, *seconds = timed(lambda q=fresh: bank.find(q, settings.k))
                expected = [(match.score, match.record.id) for match in found]
                compared.append(bank.count(class_id))
                rows.setdefault("bounds", []).append(seconds)
                for name, brute in (("dense", dense.by_labels), ("bit planes", dense.by_planes)):
                    scores, *seconds = timed(lambda b=brute, q=query: b(q))
                    assert dense.best(scores, settings.k) == expected, name
                    rows.setdefault(name, []).append(seconds)
                scale = max(1, bank.count(class_id) / settings.one_hot)
                seconds = dense.one_hot_seconds(query, settings.one_hot)
                rows.setdefault("dense one-hot", []).append([scale * one for one in seconds])
            del dense
    print(f"{len(compared)} queries, each compared with {np.mean(compared):,.0f} segments of its class on average\n")
    print("| what | CPU ms a query, mean | median | p95 | times slower |\n|---|---|---|---|---|")
    for name in ("dense one-hot", "dense", "bit planes", "bounds"):
        ms = 1000 * np.array(rows[name])[:, 0]
        ratio = ms.mean() / (1000 * np.mean(rows["bounds"], axis=0)[0])
        print(f"| {name} | {ms.mean():.2f} | {np.median(ms):.2f} | {np.percentile(ms, 95):.2f} | {ratio:.0f} |")
    print(f"\ndense one-hot: timed on {settings.one_hot} segments of each class and scaled to all\n")
    return {"whole": whole, "cropped": cropped, "compared": compared, "cpu_and_wall_seconds": rows}


def fill_with_streets(settings: Settings, folder: SceneFolder, path: Path) -> tuple[int, int]:
    """Fills a bank with segments of real maps, then of random crops of them; returns how many of each."""
    layouts = [folder.layout(files) for split in ("train", "val") for files in folder.iterate(split)]
    rng = np.random.default_rng(0)
    with BankWriter.open(path, folder.label_set) as writer:
        for i, layout in enumerate(layouts):
            if writer.total < settings.real:
                writer.append(cut(f"whole/{i}", f"whole {i}", layout, None))
        whole = writer.total
        number = 0
        while writer.total < settings.real:
            layout = cropped_at_random(rng, layouts[number % len(layouts)])
            writer.append(cut(f"crop/{number}", f"crop {number}", layout, None))
            number += 1
        return whole, writer.total - whole


def cropped_at_random(rng: np.random.Generator, layout: Layout) -> Layout:
    """Returns 60 to 100 % of a layout's width and height, half of the time mirrored."""
    height, width = layout.shape
    h, w = (int(n * rng.uniform(0.6, 1)) for n in (height, width))
    top, left = rng.integers(height - h + 1), rng.integers(width - w + 1)
    step = int(rng.choice([-1, 1]))
    maps = [
        None if m is None else m[top : top + h, left : left + w][:, ::step]
        for m in (layout.label_map, layout.instance_map)
    ]
    assert maps[0] is not None
    return Layout(maps[0], layout.label_set, maps[1])


def test_queries(folder: SceneFolder, count: int) -> list[Query]:
    """Returns segments of test maps, evenly spread."""
    stems = folder.stems("test")[::10]
    queries = [q for stem in stems for q in queries_of(folder.layout(folder.files("test", stem)), MATCH_SIZE)]
    return queries[:: max(1, len(queries) // count)][:count]


def remade(query: Query) -> Iterator[Query]:
    """Yields the query with its own tables not made yet, those of its layout as they are: 30 queries share these."""
    shape = query.shape
    yield Query(query.segment, type(shape)(shape.class_id, shape.box, shape.context_box, shape.mask, shape.frame))


class DenseClass:
    """All segments of a class as whole pictures: masks bool and contexts uint8 (n, H, W), and as planes of bits.

    Sizes are counted beforehand, so that only intersections are left to do: faster than the released code, which
    counts unions too.
    """

    def __init__(self, bank: Bank, class_id: int) -> None:
        records = list(bank.records(class_id))
        self.ids = [record.id for record in records]
        self.classes = len(bank.label_set.classes)
        shape = (len(records), *bank.match_size)
        self.masks, self.contexts = np.zeros(shape, bool), np.zeros(shape, np.uint8)  # context: class id + 1, 0 = none
        for i, record in enumerate(records):
            mask, context = bank.shape(record.id)
            (x0, y0, x1, y1), (cx0, cy0, cx1, cy1) = record.match_box, record.context_box
            self.masks[i, y0:y1, x0:x1] = mask
            self.contexts[i, cy0:cy1, cx0:cx1] = context + 1
        self.areas = np.array([np.count_nonzero(mask) for mask in self.masks])
        self.sizes = np.array([np.count_nonzero(context) for context in self.contexts])
        self.planes = self.planes_of(self.masks, self.contexts)

    def planes_of(self, masks: np.ndarray, contexts: np.ndarray) -> np.ndarray:
        """Returns uint64 (n, 1 + bits of a class, words): the mask, and the bits of the contexts' numbers."""
        bits = self.classes.bit_length()
        planes = np.empty((len(masks), 1 + bits, masks[0].size // 64), np.uint64)
        for i in range(len(masks)):
            stack = [masks[i].ravel(), *(contexts[i].ravel() >> bit & 1 for bit in range(bits))]
            planes[i] = [np.packbits(plane).view(np.uint64) for plane in stack]
        return planes

    def whole(self, query: Query) -> tuple[np.ndarray, np.ndarray]:
        """Returns the query's mask and context as whole pictures."""
        shape = query.shape
        mask, context = np.zeros(query.match_size, bool), np.zeros(query.match_size, np.uint8)
        (x0, y0, x1, y1), (cx0, cy0, cx1, cy1) = shape.box, shape.context_box
        mask[y0:y1, x0:x1] = shape.mask
        context[cy0:cy1, cx0:cx1] = np.where(shape.context == NO_CLASS, 0, shape.context + 1)
        return mask, context

    def by_labels(self, query: Query) -> np.ndarray:
        """Returns all scores, a byte a pixel: masks that overlap, classes that are equal."""
        mask, context = self.whole(query)
        labelled, both = context != 0, np.empty_like(mask)
        shared = np.empty((2, len(self.ids)))
        for i in range(len(self.ids)):
            shared[0, i] = np.count_nonzero(np.logical_and(self.masks[i], mask, out=both))
            np.equal(self.contexts[i], context, out=both)
            shared[1, i] = np.count_nonzero(np.logical_and(both, labelled, out=both))
        return self.scores(mask, context, shared)

    def by_planes(self, query: Query) -> np.ndarray:
        """Returns all scores, a bit a pixel and plane."""
        mask, context = self.whole(query)
        own = self.planes_of(mask[None], context[None])[0]
        labelled = np.bitwise_or.reduce(own[1:])
        shared = np.empty((2, len(self.ids)))
        for i, planes in enumerate(self.planes):
            shared[0, i] = np.bitwise_count(planes[0] & own[0]).sum(dtype=np.int64)
            differing = np.bitwise_or.reduce(planes[1:] ^ own[1:])
            shared[1, i] = np.bitwise_count(labelled & ~differing).sum(dtype=np.int64)
        return self.scores(mask, context, shared)

    def scores(self, mask: np.ndarray, context: np.ndarray, shared: np.ndarray) -> np.ndarray:
        """Returns IoU of masks + IoU of contexts."""
        masks = shared[0] / (self.areas + np.count_nonzero(mask) - shared[0])
        return masks + shared[1] / (self.sizes + np.count_nonzero(context) - shared[1])

    def best(self, scores: np.ndarray, k: int) -> list[tuple[float, int]]:
        """Returns (score, id) of the k best."""
        order = np.argsort(-scores, kind="stable")[:k]
        return [(float(scores[i]), self.ids[i]) for i in order]

    def one_hot_seconds(self, query: Query, count: int) -> list[float]:
        """Returns the times of the paper's formula, IoU of whole (H, W, classes) tensors, on `count` segments."""
        mask, context = self.whole(query)
        chosen = np.linspace(0, len(self.ids) - 1, min(count, len(self.ids))).astype(int)
        numbers = np.arange(1, self.classes)
        own = context[..., None] == numbers
        others = [self.contexts[i][..., None] == numbers for i in chosen]
        _, *seconds = timed(
            lambda: [
                np.count_nonzero(self.masks[i] & mask) / np.count_nonzero(self.masks[i] | mask)
                + np.count_nonzero(other & own) / np.count_nonzero(other | own)
                for i, other in zip(chosen, others, strict=True)
            ]
        )
        return seconds


# Against the size of the bank


def growing(settings: Settings, folder: SceneFolder, path: Path, places: np.ndarray) -> list[dict[str, Any]]:
    """Times queries on a bank of made-up segments that grows."""
    rng = np.random.default_rng(1)
    if settings.one_class:
        places[:, 0] = folder.label_set.find("car").id
    made_up = synthetic_donor("queries", rng, places, 60, folder.label_set, MATCH_SIZE)
    asked = {
        "made up": synthetic_queries(made_up, folder.label_set, MATCH_SIZE),
        "real": test_queries(folder, 60),
    }
    if settings.one_class:
        del asked["real"]
    print(
        "| segments | bank MB | opened in ms | queries | CPU ms, median | p95 | largest | first of a class | RSS MB"
        " | of it no files |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    found = list[dict[str, Any]]()
    number = 0
    for size in settings.synthetic:
        with BankWriter.open(path, folder.label_set) as writer:
            while writer.total < size:
                count = min(_AT_ONCE, size - writer.total)
                writer.append(synthetic_donor(f"made/{number}", rng, places, count, folder.label_set, MATCH_SIZE))
                number += 1
        for name, queries in asked.items():
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:  # its memory is the bank's alone
                row = {"segments": size, "bank_mb": bank_bytes(path) / 1e6, "queries": name}
                row |= pool.submit(times_of_queries, path, queries, settings.k).result()
            found.append(row)
            ms = np.array(row["cpu_ms"])
            print(
                f"| {size:,} | {row['bank_mb']:,.0f} | {row['opening_ms']:.1f} | {name} | {np.median(ms):.2f} |"
                f" {np.percentile(ms, 95):.2f} | {ms.max():.2f} | {row['first_ms']:.1f} | {row['rss_mb']:,.0f} |"
                f" {row['own_mb']:,.0f} |",
                flush=True,
            )
    print(
        "\nThe first query of a class reads its boxes. RSS: what the process has grown by, with the pages of the mapped"
        " files that were touched."
    )
    return found


def times_of_queries(path: Path, queries: Sequence[Query], k: int) -> dict[str, Any]:
    """Returns times, and what this process grows by; tables that the queries of a layout share are made beforehand."""
    before = rss()
    bank, opening, _ = timed(lambda: Bank.open(path))
    first, times = dict[int, float](), list[list[float]]()
    for query in queries:
        _ = query.shape.frame.bins, query.shape.frame.rows_of_class
        seconds = timed(lambda q=query: bank.find(q, k))[1]
        first.setdefault(query.segment.class_id, seconds)
        times.append(timed(lambda q=query: bank.find(q, k))[1:])
        for table in ("bins", "rows_of_class"):
            del query.shape.frame.__dict__[table]
    cpu, wall = (1000 * np.array(times).T).tolist()
    whole, own = (now - then for now, then in zip(rss(), before, strict=True))
    found = {"cpu_ms": cpu, "wall_ms": wall, "opening_ms": 1000 * opening, "first_ms": 1000 * max(first.values())}
    return found | {"rss_mb": whole, "own_mb": own}


def draw(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Draws time and memory against the number of segments."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    for name, color in (("made up", "#00796b"), ("real", "#ef6c00")):
        own = [row for row in rows if row["queries"] == name]
        if not own:
            continue
        sizes = [row["segments"] for row in own]
        left.plot(sizes, [np.median(row["cpu_ms"]) for row in own], "o-", color=color, label=f"{name}, median")
        left.plot(sizes, [np.percentile(row["cpu_ms"], 95) for row in own], "o--", color=color, label=f"{name}, p95")
    own = [row for row in rows if row["queries"] == rows[-1]["queries"]]
    sizes = [row["segments"] for row in own]
    right.plot(sizes, [row["bank_mb"] for row in own], "s-", color="#546e7a", label="on disk")
    right.plot(sizes, [row["rss_mb"] for row in own], "o-", color="#5e35b1", label="RSS")
    right.plot(sizes, [max(row["own_mb"], 0.1) for row in own], "o--", color="#5e35b1", label="of it not mapped files")
    left.axhline(100, color="#b0bec5", linewidth=1)
    for axes, label in ((left, "CPU ms a query"), (right, "MB")):
        axes.set(xscale="log", yscale="log", xlabel="segments in the bank", ylabel=label)
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)


def timed(job: Callable[[], Any]) -> tuple[Any, float, float]:
    """Returns what a job returns, and its CPU and wall time in seconds."""
    wall, cpu = time.perf_counter(), time.process_time()
    made = job()
    return made, time.process_time() - cpu, time.perf_counter() - wall


def rss() -> tuple[float, float]:
    """Returns megabytes of this process in memory, and those of them that are no mapped files (Linux; else 0)."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return 0.0, 0.0
    fields = dict(line.split(":", 1) for line in status.read_text().splitlines())
    whole, own = (int(fields[name].split()[0]) / 1024 for name in ("VmRSS", "RssAnon"))
    return whole, own


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        main(tyro.cli(Settings, description=__doc__))
    except ScenebrushError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
