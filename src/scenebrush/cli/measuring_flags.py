"""What `evaluate` and `compare` have in common: the flags, and a measurement from names to files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import FlagCreatePairsOff, arg

from scenebrush.cli.console import say, stderr_is_terminal
from scenebrush.errors import InputError

if TYPE_CHECKING:
    from scenebrush.evaluation.measuring import Outcome, Report
    from scenebrush.evaluation.tasks import Sample, Task


@dataclass(kw_only=True)
class MeasuringFlags:
    """Flags of the verbs that measure."""

    task: Annotated[str, arg(metavar="T")]
    """add, erase, add-silhouette, erase-silhouette, manipulate, relabel, move, synthesize, segment, analogy,
    toy-add or toy-erase."""
    data: Annotated[Path | None, arg(metavar="FOLDER")] = None
    """The scene folder; the toy tasks draw their own streets."""
    split: Annotated[str | None, arg(metavar="S")] = None
    """One of its splits. Without: test, else val, else the only one."""
    n: Annotated[int, arg(metavar="N", aliases=("-n",))] = 100
    """How many pictures. FID is biased at few: compare at equal N only."""
    size: Annotated[int | None, arg(metavar="PIXELS")] = None
    """Side of the windows; of whole pictures the shorter side. Without: 128; for analogy 256, the longer side."""
    context: Annotated[float | None, arg(metavar="FACTOR")] = None
    """The papers' windows, so many times the hole's longer side and resized (3). Without: the photo's own scale."""
    least_object: Annotated[int, arg(metavar="PIXELS")] = 24
    """add and erase: the longer side of the smallest object that a hole is made for, or shaped like."""
    seed: Annotated[int, arg(metavar="N")] = 0
    """Of everything that is drawn: the same seed, the same cases and intervals."""
    segmenter: Annotated[str, arg(metavar="NAME")] = "auto"
    """Whose reading label agreement is: deeplab-cityscapes, mosaic-ade31, FILE.onnx, auto (one that knows the classes)
    or none."""
    no_fid: Annotated[bool, FlagCreatePairsOff] = False
    """Leave FID and KID out (0.1 s a picture)."""
    vgg: Annotated[bool, FlagCreatePairsOff] = False
    """LPIPS on VGG16 as well."""
    patches: Annotated[bool, FlagCreatePairsOff] = False
    """Single-image FID, patch coherence and completeness as well."""
    bank: Annotated[Path | None, arg(metavar="BANK")] = None
    """The memory bank of models of sims."""
    rows: Annotated[int, arg(metavar="N")] = 16
    """Rows of the contact sheet."""
    threads: Annotated[int | None, arg(metavar="N")] = None
    """CPU threads; without: as many as there are."""
    fetch_weights: Annotated[bool, FlagCreatePairsOff] = False
    """Fetch measuring networks that are missing from their official address (network needed)."""
    json: Annotated[bool, FlagCreatePairsOff] = False
    """Print the report instead of the table."""


def measure(flags: MeasuringFlags, methods: dict[str, str], baseline: str | None = None) -> Outcome:
    """Returns what came of measuring the named methods.

    Args:
        flags: what is measured on what.
        methods: name in the table -> model, baseline, `onnx:FILE` or (task `segment`) segmenter.
        baseline: whose figures are subtracted; the first by default.
    """
    # torch comes in only here, after the arguments are known to be sound.
    import torch

    from scenebrush.evaluation.measuring import Figures, measure_editors, measure_segmenters
    from scenebrush.evaluation.methods_by_name import method_by_name
    from scenebrush.evaluation.readers import reader_by_name
    from scenebrush.evaluation.tasks import Sample, task_by_name

    task = task_by_name(flags.task)
    if task.needs_data and flags.data is None:
        raise InputError(f"task {task.name} is measured on real photos; name a scene folder with --data")
    if flags.threads is not None:
        torch.set_num_threads(flags.threads)
    size = flags.size if flags.size is not None else 256 if task.analogies else 128
    sample = Sample(flags.data, flags.split, flags.n, size, flags.context, flags.seed, flags.least_object)
    label_set = task.label_set(sample)
    segmenter = None if flags.segmenter == "none" else flags.segmenter
    figures = Figures(not flags.no_fid, flags.vgg, flags.patches, segmenter, flags.threads)
    with measuring_bar() as report:
        if task.analogies:
            return _analogies(flags, task, sample, methods, baseline, report)
        if flags.fetch_weights:
            _fetch([] if task.makes_maps else figures.needed_assets(label_set), report)
        if task.makes_maps:
            readers = {name: reader_by_name(spec, label_set, threads=flags.threads) for name, spec in methods.items()}
            return measure_segmenters(task, sample, readers, baseline=baseline, report=report)
        editors = {
            name: method_by_name(spec, label_set, whole=task.whole, bank=flags.bank) for name, spec in methods.items()
        }
        return measure_editors(task, sample, editors, figures, baseline=baseline, report=report)


def _analogies(
    flags: MeasuringFlags,
    task: Task,
    sample: Sample,
    methods: dict[str, str],
    baseline: str | None,
    report: Report | None,
) -> Outcome:
    from scenebrush.evaluation.analogy import ASSETS, measure_analogies
    from scenebrush.evaluation.analogy_methods import analogy_method

    if flags.fetch_weights:
        _fetch([*ASSETS, *([] if flags.no_fid else ["inception"])], report)
    label_set = task.label_set(sample)
    found = {name: analogy_method(spec, label_set, bank=flags.bank) for name, spec in methods.items()}
    return measure_analogies(task, sample, found, fid=not flags.no_fid, baseline=baseline, report=report)


def _fetch(names: list[str], report: Report | None) -> None:
    from scenebrush.evaluation.fetching import fetch_missing

    for path in fetch_missing(names, report):
        say(f"fetched {path}")


@contextmanager
def measuring_bar() -> Iterator[Callable[[str, int, int], None] | None]:
    """Gives what measuring reports to: a bar for each part where stderr is a terminal, else None."""
    if not stderr_is_terminal():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        lines = dict[str, TaskID]()

        def report(what: str, done: int, total: int) -> None:
            if what not in lines:
                lines[what] = bar.add_task(what, total=total)
            bar.update(lines[what], completed=done)

        yield report
