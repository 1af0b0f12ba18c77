"""Several methods on the same windows of a scene folder, beside each other: figures, intervals, a contact sheet.

    SCENEBRUSH_ASSETS=../shared/weights python benchmarks/quality/edit_windows.py --data ../shared/data/camvid \
        --tasks add erase --methods mean nearest telea canvas model:sesame-street --n 160 --out out/camvid

Methods: `mean`, `nearest`, `telea`, `canvas`, `model:NAME_OR_FOLDER[?option=off]`, `onnx:FILE` (MI-GAN's interface).
Each sees the photo with the hole blacked out and the true labels. Writes <out>/<task>.json and <task>.png, and prints
one table per task and one over all tasks.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import torch
import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from scenebrush.data.measuring import Task, measuring_windows
from scenebrush.data.split_in_memory import SplitInMemory
from scenebrush.errors import InputError, ScenebrushError
from scenebrush.evaluation.comparison import Comparison, compare
from scenebrush.evaluation.contact_sheet import edit_sheet
from scenebrush.evaluation.edit_cases import EditCase, Rendering, edit_case, render
from scenebrush.evaluation.edit_figures import EditFigures, EditMeasures
from scenebrush.evaluation.inception import InceptionV3
from scenebrush.evaluation.lpips import Lpips
from scenebrush.evaluation.methods_by_name import method_by_name
from scenebrush.methods.base import Editor


@dataclass(frozen=True)
class Settings:
    """What is measured on what.

    Args:
        data: a scene folder.
        split: its split (camvid: `test`; its `val` is one 7-second stretch).
        tasks: add, erase, add_silhouette, erase_silhouette.
        methods: as named above; `NAME=SPEC` gives a column a name of its own.
        n: windows per task.
        size: their side in pixels.
        context: None = native resolution; 3 = the papers' protocol.
        seed: of the windows, the methods' draws and the intervals.
        baseline: the method that the others are compared with, the first one by default.
        fid: also FID and KID (about 0.1 s a picture); always named with N.
        vgg: also LPIPS on VGG16 (about 0.1 s a picture).
        rows: windows on the contact sheet, spread over all.
        threads: torch's CPU threads.
        out: folder for the JSON and the sheets.
    """

    data: Path
    split: str = "test"
    tasks: tuple[Task, ...] = ("add", "erase")
    methods: tuple[str, ...] = ("mean", "nearest", "telea")
    n: int = 40
    size: int = 128
    context: float | None = None
    seed: int = 0
    baseline: str | None = None
    fid: bool = True
    vgg: bool = False
    rows: int = 16
    threads: int = 2
    out: Path = Path("out/edit_windows")


def main(settings: Settings) -> None:
    """Measures, prints, writes."""
    torch.set_num_threads(settings.threads)
    methods = load_methods(settings.methods)
    measures = EditMeasures(
        Lpips.load("alex"),
        Lpips.load("vgg") if settings.vgg else None,
        InceptionV3.load() if settings.fid else None,
        settings.seed,
    )
    photos = SplitInMemory(settings.data, settings.split)
    settings.out.mkdir(parents=True, exist_ok=True)
    cases, renderings = dict[Task, list[EditCase]](), dict[Task, dict[str, Rendering]]()
    for task in settings.tasks:
        cases[task] = cases_of(task, photos, settings)
        renderings[task] = render_all(methods, cases[task], task, settings.seed)
        report(task, cases[task], renderings[task], measures, settings)
    if len(settings.tasks) > 1:
        everything = [case for task in settings.tasks for case in cases[task]]
        joined = {name: _join([renderings[task][name] for task in settings.tasks]) for name in methods}
        report(" + ".join(settings.tasks), everything, joined, measures, settings)


def load_methods(specs: Sequence[str]) -> dict[str, Editor]:
    """Returns the methods by their column's name."""
    out = dict[str, Editor]()
    for spec in specs:
        name, given = spec.split("=", 1) if "=" in spec.split("?")[0] else (Path(spec.split(":", 1)[-1]).name, spec)
        if name in out:
            raise InputError(f"two methods are called {name!r}; give one a name of its own: NAME={given}")
        out[name] = method_by_name(given)
    return out


def cases_of(task: Task, photos: SplitInMemory, settings: Settings) -> list[EditCase]:
    """Returns the task's edits: the same ones for the same settings, whatever the methods."""
    windows = measuring_windows(
        photos, settings.split, task, settings.n, settings.seed, settings.size, context=settings.context
    )
    return [edit_case(window, photos.label_set) for window in windows]


def render_all(methods: Mapping[str, Editor], cases: list[EditCase], task: str, seed: int) -> dict[str, Rendering]:
    """Returns what each method makes of the cases, with a progress bar on a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        out = {}
        for name, editor in methods.items():
            line = bar.add_task(f"{task}: {name}", total=len(cases))
            out[name] = render(editor, cases, seed=seed, report=lambda k, line=line: bar.update(line, completed=k))
        return out


def report(
    task: str,
    cases: list[EditCase],
    renderings: Mapping[str, Rendering],
    measures: EditMeasures,
    settings: Settings,
) -> None:
    """Prints the table of one task and writes its JSON and its contact sheet."""
    figures = {name: measures.measure(cases, rendering) for name, rendering in renderings.items()}
    title = (
        f"{task}: {settings.data.name}/{settings.split}, N = {len(cases)} windows of {settings.size} px"
        f" from {len({case.group for case in cases})} photos, holes {np.mean([case.hole.mean() for case in cases]):.1%}"
        f" of the window, seed {settings.seed}"
    )
    comparison = compare(
        figures, [case.group for case in cases], title=title, baseline=settings.baseline, seed=settings.seed
    )
    print(f"\n{comparison.table()}", flush=True)
    name = task.replace(" ", "")
    write_json(comparison, settings, settings.out / f"{name}.json")
    if task in get_args(Task):
        sheet(cases, renderings, figures, settings.rows).save(settings.out / f"{name}.png")


def write_json(comparison: Comparison, settings: Settings, path: Path) -> None:
    """Writes the comparison with its settings and the machine."""
    machine = {
        "platform": platform.platform(),
        "processor": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    document = {"settings": {k: str(v) for k, v in vars(settings).items()}, "machine": machine}
    path.write_text(json.dumps(document | comparison.to_dict(), indent=1) + "\n", encoding="utf-8")


def sheet(cases: list[EditCase], renderings: Mapping[str, Rendering], figures: Mapping[str, EditFigures], rows: int):  # type: ignore[no-untyped-def]
    """Returns the contact sheet of up to `rows` edits, evenly spread, each method's LPIPS under its picture."""
    chosen = np.unique(np.linspace(0, len(cases) - 1, min(rows, len(cases))).astype(int))
    columns = {name: rendering.pictures[chosen] for name, rendering in renderings.items()}
    notes = {name: [f"LPIPS {v:.4f}" for v in own.per_edit["lpips"][chosen]] for name, own in figures.items()}
    return edit_sheet([cases[i] for i in chosen], columns, notes=notes)


def _join(renderings: Sequence[Rendering]) -> Rendering:
    return Rendering(
        np.concatenate([r.pictures for r in renderings]),
        np.concatenate([r.seconds for r in renderings]),
        np.concatenate([r.cpu_seconds for r in renderings]),
        float(np.mean([r.touched for r in renderings])),
    )


if __name__ == "__main__":
    try:
        main(tyro.cli(Settings, description=__doc__))
    except ScenebrushError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
