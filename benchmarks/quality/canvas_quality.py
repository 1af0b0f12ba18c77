"""The canvas beside simple baselines, and its own parts left out one by one, over all and per class of stuff.

    SCENEBRUSH_ASSETS=../shared/weights python benchmarks/quality/canvas_quality.py --data ../shared/data/camvid \
        --task erase --size 256 --n 60 --out out/canvas
    ... canvas_quality.py --task toy-erase --out out/canvas           # the toy world: the true answer is known
    ... canvas_quality.py --data ../shared/data/street_facades --as-stuff facade window balcony_fence shop

Holes are those of `scenebrush compare`'s task. LPIPS (AlexNet) and SSIM are means over the hole, or over a class's part
of it. Every difference is paired, edit by edit, with a bootstrap interval over photos. Writes <out>/<data>-<task>.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
import tyro

from scenebrush.canvas import Parts
from scenebrush.data.split_in_memory import LabelledPhoto, SplitInMemory
from scenebrush.errors import InputError, ScenebrushError
from scenebrush.evaluation.edit_cases import EditCase, Rendering, render
from scenebrush.evaluation.lpips import Lpips
from scenebrush.evaluation.methods_by_name import method_by_name
from scenebrush.evaluation.pictures import batches, to_tensor
from scenebrush.evaluation.ssim import ssim
from scenebrush.evaluation.statistics import bootstrap_interval, paired_difference
from scenebrush.evaluation.tasks import Sample, task_by_name
from scenebrush.methods.base import Editor
from scenebrush.methods.canvas.method import CanvasEditor
from scenebrush.scene.label_set import LabelSet

LEAST_PIXELS = 100  # of a class in a hole, to be measured there
LEAST_EDITS = 5  # in which a class is measured, to have a line


@dataclass(frozen=True)
class Settings:
    """What is measured on what.

    Args:
        data: a scene folder; not for the toy tasks.
        split: one of its splits, by default `test`.
        task: erase, add, erase-silhouette, add-silhouette, toy-erase, toy-add.
        n: how many edits.
        size: side of the windows in pixels; facades in perspective are looked for from 192 on.
        seed: of the windows and the intervals.
        as_stuff: classes that count as one class of stuff, named after the first of them.
        migan: MI-GAN's .onnx file, or None.
        threads: torch's CPU threads.
        out: folder for the JSON.
    """

    data: Path | None = None
    split: str | None = None
    task: str = "erase"
    n: int = 60
    size: int = 256
    seed: int = 0
    as_stuff: tuple[str, ...] = ()
    migan: Path | None = None
    threads: int = 2
    out: Path = Path("out/canvas")


@dataclass(frozen=True, eq=False)
class Measured:
    """One method's figures: `lpips` and `ssim` of the hole (N,), CPU `seconds` (N,), and LPIPS per class, (N,) each.

    NaN stands where an edit's hole shows less than 100 pixels of a class.
    """

    lpips: np.ndarray
    ssim: np.ndarray
    seconds: np.ndarray
    per_class: dict[str, np.ndarray]


def main(settings: Settings) -> None:
    """Measures, prints, writes."""
    torch.set_num_threads(settings.threads)
    sample = Sample(settings.data, settings.split, settings.n, settings.size, seed=settings.seed)
    if settings.as_stuff:
        merge(sample, settings.as_stuff)
    task = task_by_name(settings.task)
    cases, label_set = task.cases(sample), task.label_set(sample)
    network = Lpips.load("alex")
    measured = {}
    for name, editor in methods(settings).items():
        measured[name] = measure(cases, render(editor, cases), network, label_set)
        print(f"{name}: LPIPS {measured[name].lpips.mean():.4f}", file=sys.stderr, flush=True)
    groups = [case.group for case in cases]
    print(f"{settings.task}, {sample.title}: {len(cases)} edits in {len(set(groups))} photos, {settings.size} px\n")
    print(table(measured, groups, settings.seed))
    print(class_table(measured, settings.seed))
    write(measured, groups, settings, sample.title)


def methods(settings: Settings) -> dict[str, Editor]:
    """Returns the canvas, its baselines, and the canvas without each of its parts."""
    found: dict[str, Editor] = {"canvas": CanvasEditor()}
    found |= {name: method_by_name(name) for name in ("nearest", "mean", "telea")}
    if settings.migan is not None:
        found["migan"] = method_by_name(f"onnx:{settings.migan}")
    for part in fields(Parts):
        found[f"canvas, no {part.name}"] = CanvasEditor(replace(Parts(), **{part.name: False}))
    return found


def merge(sample: Sample, names: Sequence[str]) -> None:
    """Makes some classes of a sample's photos one class of stuff, named after the first of them."""
    old = sample.photos
    ids = [old.label_set.find(name).id for name in names]
    classes = tuple(
        replace(c, kind="stuff") if c.id == ids[0] else c for c in old.label_set.classes if c.id not in ids[1:]
    )
    photos = []
    for photo in old.photos:
        merged = np.isin(photo.label_map, ids)
        label_map, instance_map = photo.label_map.copy(), photo.instance_map.copy()
        label_map[merged], instance_map[merged] = ids[0], 0
        photos.append(LabelledPhoto(photo.stem, photo.photo, label_map, instance_map))
    split = SplitInMemory.of(photos, replace(old.label_set, classes=classes))
    split.folder, split.split = old.folder, old.split
    sample.__dict__["photos"] = split  # where the cached property keeps it


def measure(cases: Sequence[EditCase], rendering: Rendering, network: Lpips, label_set: LabelSet) -> Measured:
    """Returns a method's figures."""
    truths = np.stack([case.reference for case in cases])
    holes = np.stack([case.hole for case in cases])
    labels = np.stack([case.asked for case in cases])
    maps = distance_maps(rendering.pictures, truths, network)
    per_class = {}
    for class_id in label_set.of_kind("stuff"):
        parts = holes & (labels == class_id)
        enough = np.flatnonzero(parts.sum(axis=(1, 2)) >= LEAST_PIXELS)
        if len(enough) >= LEAST_EDITS:
            values = np.full(len(cases), np.nan)
            values[enough] = [maps[k][parts[k]].mean() for k in enough]
            per_class[label_set.by_id[class_id].name] = values
    return Measured(
        np.array([own[hole].mean() for own, hole in zip(maps, holes, strict=True)]),
        ssim(rendering.pictures, truths, holes),
        rendering.cpu_seconds,
        per_class,
    )


@torch.inference_mode()
def distance_maps(pictures: np.ndarray, truths: np.ndarray, network: Lpips) -> np.ndarray:
    """Returns LPIPS at each pixel, float32 (N, H, W); its mean over a hole is `lpips(..., holes=...)`."""
    maps = [network.spatial(to_tensor(pictures[k]), to_tensor(truths[k])) for k in batches(len(pictures), 8)]
    return torch.cat(maps).numpy()


def table(measured: Mapping[str, Measured], groups: Sequence[str], seed: int) -> str:
    """Returns the figures over all edits: means, and differences to the canvas with their 95 % intervals."""
    lines = ["| method | LPIPS in the hole | to the canvas | SSIM in the hole | CPU ms |", "|---|---|---|---|---|"]
    base = measured["canvas"].lpips
    for name, own in measured.items():
        mean = bootstrap_interval(own.lpips, np.random.default_rng(seed), groups=groups)
        gap = paired_difference(own.lpips, base, np.random.default_rng(seed), groups=groups)
        apart = "-" if name == "canvas" else f"{gap.mean:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]"
        lines.append(
            f"| {name} | {mean.mean:.4f} ± {mean.half_width:.4f} | {apart} | {own.ssim.mean():.3f}"
            f" | {1000 * np.median(own.seconds):.0f} |"
        )
    return "\n".join(lines) + "\n"


def class_table(measured: Mapping[str, Measured], seed: int) -> str:
    """Returns LPIPS in the hole per class of stuff; methods that differ from the canvas for sure are marked with *."""
    classes = list(measured["canvas"].per_class)
    if not classes:
        return "No class of stuff fills enough of enough holes for a line of its own.\n"
    counts = [int(np.isfinite(measured["canvas"].per_class[c]).sum()) for c in classes]
    heads = [f"{name} (n = {count})" for name, count in zip(classes, counts, strict=True)]
    lines = ["| method | " + " | ".join(heads) + " |", "|---" * (len(classes) + 1) + "|"]
    for name, own in measured.items():
        cells = [_cell(own.per_class[c], measured["canvas"].per_class[c], seed) for c in classes]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(values: np.ndarray, base: np.ndarray, seed: int) -> str:
    there = np.isfinite(values)
    gap = paired_difference(values[there], base[there], np.random.default_rng(seed))
    return f"{values[there].mean():.3f}{'*' if gap.significant else ''}"


def write(measured: Mapping[str, Measured], groups: Sequence[str], settings: Settings, title: str) -> None:
    """Writes every edit's figures."""
    document = {
        "settings": {name: str(value) for name, value in vars(settings).items()},
        "groups": list(groups),
        "methods": {
            name: {
                "lpips": own.lpips.tolist(),
                "ssim": own.ssim.tolist(),
                "cpu_seconds": own.seconds.tolist(),
                "per_class": {
                    c: [None if np.isnan(v) else float(v) for v in values] for c, values in own.per_class.items()
                },
            }
            for name, own in measured.items()
        },
    }
    settings.out.mkdir(parents=True, exist_ok=True)
    path = settings.out / f"{title.replace('/', '-').replace(' ', '-')}-{settings.task}.json"
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        arguments = tyro.cli(Settings, description=__doc__)
        if arguments.data is None and not arguments.task.startswith("toy"):
            raise InputError(f"--task {arguments.task} needs --data, a scene folder; only the toy tasks do without")
        main(arguments)
    except ScenebrushError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
