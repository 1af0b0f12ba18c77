"""A task measured from beginning to end: cases, pictures, figures, comparison."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from scenebrush.evaluation.comparison import Comparison, check_names, compare
from scenebrush.evaluation.edit_cases import EditCase, Rendering, Truth, render
from scenebrush.evaluation.edit_figures import EditFigures, EditMeasures
from scenebrush.evaluation.inception import InceptionV3
from scenebrush.evaluation.label_agreement import Agreement, confusion_matrix
from scenebrush.evaluation.lpips import Lpips
from scenebrush.evaluation.readers import Reader, TrueReader
from scenebrush.evaluation.segmenters import UNSEEN, Segmenter, default_segmenter
from scenebrush.evaluation.tasks import Sample, Task
from scenebrush.methods.base import Editor
from scenebrush.scene.label_set import LabelSet

Report = Callable[[str, int, int], None]
"""Told (what is being done, how much of it is done, of how much)."""


@dataclass(frozen=True)
class Figures:
    """Which figures are measured.

    Args:
        fid: FID and KID.
        vgg: LPIPS on VGG16 too.
        patches: single-image FID, patch coherence and completeness too.
        segmenter: whose reading label agreement is: a name, a file, `"auto"` (a shipped one that knows the data's
            label set, none if there is none), or None.
        threads: CPU threads of the segmenter; None leaves it to onnxruntime.
    """

    fid: bool = True
    vgg: bool = False
    patches: bool = False
    segmenter: str | None = "auto"
    threads: int | None = None

    def segmenter_for(self, label_set: LabelSet) -> str | None:
        """Returns the segmenter's name for data of this label set."""
        return default_segmenter(label_set) if self.segmenter == "auto" else self.segmenter

    def needed_assets(self, label_set: LabelSet | None) -> list[str]:
        """Returns the names of the weights that have to be there."""
        name = self.segmenter_for(label_set) if label_set is not None else None
        more = [("inception", self.fid), ("lpips-vgg", self.vgg), (name or "", bool(name) and ".onnx" not in str(name))]
        return ["lpips-alex", *(asset for asset, wanted in more if wanted)]


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came of measuring.

    Args:
        task, sample: what was measured.
        cases: the cases.
        renderings: method -> its pictures; empty for a task that makes maps.
        readings: method -> its label maps, for a task that makes maps.
        comparison: the figures.
        pictures: method -> its pictures, one for each case, where their sizes differ (`analogy`).
        segmenter: whose reading the agreement is, or None.
        details: what else the report says.
        seconds: wall time of all of it.
    """

    task: Task
    sample: Sample
    cases: Sequence[EditCase]
    comparison: Comparison
    renderings: Mapping[str, Rendering] = field(default_factory=dict)
    readings: Mapping[str, list[np.ndarray]] = field(default_factory=dict)
    pictures: Mapping[str, list[np.ndarray]] = field(default_factory=dict)
    segmenter: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


def measure_editors(
    task: Task,
    sample: Sample,
    methods: Mapping[str, Editor],
    figures: Figures | None = None,
    *,
    baseline: str | None = None,
    report: Report | None = None,
) -> Outcome:
    """Returns the figures of methods on one task, each on the very same cases, and of the real pictures as ceiling.

    Args:
        task: one that asks for pictures.
        sample: which pictures.
        methods: name in the table -> method.
        figures: which figures; the usual ones by default.
        baseline: whose figures are subtracted; the first by default.
        report: is told how far it is.

    Raises:
        InputError: no methods, nothing to measure, an unknown baseline, or a segmenter that has no mapping.
        ModelError: weights that are missing.
    """
    start, figures, tell = time.perf_counter(), figures or Figures(), report or _silent
    check_names(methods, baseline)
    measures = load_measures(figures, task.label_set(sample), sample.seed)  # what is missing is told before long work
    tell("drawing cases", 0, sample.n)
    cases = task.cases(sample)
    shown = {**methods, "truth": Truth()}  # the ceiling, also where nobody asked for it
    renderings, found = dict[str, Rendering](), dict[str, EditFigures]()
    for name, editor in shown.items():
        renderings[name] = render(editor, cases, seed=sample.seed, report=_part(tell, name, len(cases)))
        found[name] = measures.measure(cases, renderings[name], report=_part(tell, f"reading {name}", len(cases)))
    asked = {name: found[name] for name in methods}
    comparison = compare(
        asked,
        [case.group for case in cases],
        title=title_of(task, sample, cases),
        baseline=baseline,
        ceiling=found["truth"],
        seed=sample.seed,
    )
    reader = None if measures.segmenter is None else measures.segmenter.name
    kept = {name: renderings[name] for name in methods}
    return Outcome(task, sample, cases, comparison, kept, segmenter=reader, seconds=time.perf_counter() - start)


def measure_segmenters(
    task: Task,
    sample: Sample,
    methods: Mapping[str, Reader],
    *,
    baseline: str | None = None,
    report: Report | None = None,
) -> Outcome:
    """Returns the figures of segmenters on photos, the true labels as ceiling; else as `measure_editors`."""
    start, tell = time.perf_counter(), report or _silent
    check_names(methods, baseline)
    cases = task.cases(sample)
    readings, found = dict[str, list[np.ndarray]](), dict[str, EditFigures]()
    for name, reader in methods.items():
        readings[name], found[name] = _read(reader, cases, _part(tell, name, len(cases)))
    groups, title = [case.group for case in cases], title_of(task, sample, cases)
    _, ceiling = _read(TrueReader(task.label_set(sample)), cases, lambda done: None)
    comparison = compare(found, groups, title=title, baseline=baseline, ceiling=ceiling, seed=sample.seed)
    return Outcome(task, sample, cases, comparison, readings=readings, seconds=time.perf_counter() - start)


def _read(reader: Reader, cases: list[EditCase], report: Callable[[int], None]) -> tuple[list[np.ndarray], EditFigures]:
    readings, matrices, seconds, cpu_seconds = [], [], [], []
    reader.read_case(cases[0])  # warm
    for i, case in enumerate(cases):
        start, cpu_start = time.perf_counter(), time.process_time()
        readings.append(reader.read_case(case))
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
        asked = reader.comparable(case.asked)
        kept = asked != UNSEEN
        matrices.append(confusion_matrix(asked[kept], readings[-1][kept], reader.seen))
        report(i + 1)
    agreement = Agreement(np.stack(matrices), reader.seen, reader.label_set, reader.name)
    per_photo = {"accuracy": agreement.accuracy, "seconds": np.array(seconds), "cpu_seconds": np.array(cpu_seconds)}
    return readings, EditFigures(per_photo, agreement=agreement)


def load_measures(figures: Figures, label_set: LabelSet, seed: int) -> EditMeasures:
    """Returns the measuring networks that the figures need, for data of a label set."""
    name = figures.segmenter_for(label_set)
    segmenter = None if name is None else Segmenter.load(name, label_set, threads=figures.threads)
    return EditMeasures(
        Lpips.load("alex"),
        Lpips.load("vgg") if figures.vgg else None,
        InceptionV3.load() if figures.fid else None,
        segmenter,
        figures.patches,
        seed,
    )


def title_of(task: Task, sample: Sample, cases: list[EditCase]) -> str:
    """Returns the title of a table: what was measured, on how many cases, of which size."""
    photos, (height, width) = len({case.group for case in cases}), cases[0].before.shape[:2]
    title = f"{task.name}: {sample.title}, N = {len(cases)}"
    if task.makes_maps:
        return f"{title} photos, seed {sample.seed}"
    if task.whole:
        return f"{title} pictures of {width}x{height}, seed {sample.seed}"
    holes = f"holes {np.mean([case.hole.mean() for case in cases]):.1%} of the window"
    return f"{title} windows of {width}x{height} from {photos} photos, {holes}, seed {sample.seed}"


def _part(report: Report, what: str, total: int) -> Callable[[int], None]:
    return lambda done: report(what, done, total)


def _silent(what: str, done: int, total: int) -> None:
    return
