"""Models of one photo, measured: reconstruction of the photo, and the look and the labels of other layouts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np

from scenebrush.evaluation.analogy_figures import (
    PATCH_SIDE,
    PATCH_STEP,
    SIFID_LAYER,
    AnalogyMeasures,
    PhotoFigures,
    PhotoToDraw,
)
from scenebrush.evaluation.analogy_methods import AnalogyMethod
from scenebrush.evaluation.comparison import check_names, compare
from scenebrush.evaluation.edit_figures import EditFigures
from scenebrush.evaluation.label_agreement import Agreement
from scenebrush.evaluation.measuring import Outcome, Report
from scenebrush.evaluation.tasks import Sample, Task
from scenebrush.evaluation.tasks.analogy import AnalogyCase, analogy_cases
from scenebrush.scene.label_set import LabelSet

READER = "each photo's own classifier"
ASSETS = ("lpips-alex", "lpips-vgg")
"""Names of the weights that have to be there, besides `inception` where single-image FID is wanted."""


def measure_analogies(
    task: Task,
    sample: Sample,
    methods: Mapping[str, AnalogyMethod],
    *,
    fid: bool = True,
    baseline: str | None = None,
    report: Report | None = None,
) -> Outcome:
    """Returns the figures of methods, photo by photo, each on the very same layouts; the photos themselves as ceiling.

    A photo's figure is the mean over its targets; intervals resample photos.

    Args:
        task: `analogy`.
        sample: which photos.
        methods: name in the table -> method.
        fid: whether single-image FID is measured.
        baseline: whose figures are subtracted; the first by default.
        report: is told how far it is.

    Raises:
        InputError: no methods, no targets, a photo without a fit, or a picture that is not uint8 of the layout's size.
        ModelError: weights that are missing.
    """
    start, tell = time.perf_counter(), report or _silent
    check_names(methods, baseline)
    cases, label_set = analogy_cases(sample), task.label_set(sample)
    by_photo = [list(own) for _, own in groupby(cases, key=lambda case: case.group)]
    for method in methods.values():
        method.check([own[0].group for own in by_photo])
    measures = AnalogyMeasures.load(fid=fid)
    photos = list[PhotoToDraw]()
    for own in by_photo:
        photos.append(measures.photo(own, label_set))
        tell("fitting classifiers", len(photos), len(by_photo))
    found = dict[str, list[PhotoFigures]]()
    for name, method in methods.items():
        done = _Counter(partial(tell, name), len(cases))
        found[name] = [measures.measure(p, method.ready_for(p.cases, sample.seed), done.one_more) for p in photos]
    comparison = compare(
        {name: _figures(own, photos, label_set) for name, own in found.items()},
        [photo.stem for photo in photos],
        title=_title(task, sample, cases, len(photos)),
        baseline=baseline,
        ceiling=_ceiling(photos, label_set, fid),
        seed=sample.seed,
    )
    return Outcome(
        task,
        sample,
        list(cases),
        comparison,
        pictures={name: [picture for photo in own for picture in photo.pictures] for name, own in found.items()},
        segmenter=READER,
        details=_details(photos, found),
        seconds=time.perf_counter() - start,
    )


def _figures(own: Sequence[PhotoFigures], photos: Sequence[PhotoToDraw], label_set: LabelSet) -> EditFigures:
    """One value per photo."""
    means = [photo.means for photo in own]
    names = dict.fromkeys(name for figures in means for name in figures)
    per_photo = {name: np.array([figures.get(name, np.nan) for figures in means]) for name in names}
    return EditFigures(per_photo, agreement=_pooled([photo.confusion for photo in own], photos, label_set))


def _ceiling(photos: Sequence[PhotoToDraw], label_set: LabelSet, fid: bool) -> EditFigures:
    """The photos themselves; what their halves' classifiers agree with in the other halves."""
    count, own = len(photos), [photo.cases[0].asked for photo in photos]
    perfect = ["reconstruction_lpips", "coherence", "completeness", *(["single_image_fid"] if fid else [])]
    per_photo = {name: np.zeros(count) for name in perfect} | {"reconstruction_ssim": np.ones(count)}
    matrices = [p.confusion(labels, p.own.reading, p.own.known) for p, labels in zip(photos, own, strict=True)]
    agreement = _pooled(matrices, photos, label_set)
    return EditFigures(per_photo | {"agreement": agreement.accuracy, "miou": agreement.miou}, agreement=agreement)


def _pooled(matrices: Sequence[np.ndarray], photos: Sequence[PhotoToDraw], label_set: LabelSet) -> Agreement:
    """Confusions over each photo's own ids as one over the ids of all."""
    ids = sorted({i for photo in photos for i in photo.ids})
    confusion = np.zeros((len(photos), len(ids), len(ids) + 1), np.int64)
    for whole, matrix, photo in zip(confusion, matrices, photos, strict=True):
        rows = np.searchsorted(ids, photo.ids)
        whole[np.ix_(rows, np.append(rows, len(ids)))] = matrix
    return Agreement(confusion, tuple(ids), label_set, READER)


def _details(photos: Sequence[PhotoToDraw], found: Mapping[str, Sequence[PhotoFigures]]) -> dict[str, Any]:
    """What the report says besides the comparison: the values of every photo and target."""
    return {
        "photos": [photo.stem for photo in photos],
        "classifier_held_out_accuracy": {photo.stem: round(photo.own.accuracy, 6) for photo in photos},
        "single_image_fid_layer": SIFID_LAYER,
        "patches": {"longest_side": PATCH_SIDE, "step": PATCH_STEP},
        "per_photo": {
            name: {
                photo.stem: {
                    "means": _plain(own.means),
                    "targets": {target: _plain(figures) for target, figures in own.targets.items()},
                }
                for photo, own in zip(photos, figures_of, strict=True)
            }
            for name, figures_of in found.items()
        },
    }


def _plain(figures: Mapping[str, float]) -> dict[str, float | None]:
    return {name: round(value, 6) if np.isfinite(value) else None for name, value in figures.items()}


def _title(task: Task, sample: Sample, cases: Sequence[AnalogyCase], photos: int) -> str:
    targets = sum(bool(case.target) for case in cases)
    longest = max(max(case.before.shape[:2]) for case in cases)
    return f"{task.name}: {sample.title}, N = {photos} photos of {longest} px at most, {targets} target layouts"


class _Counter:
    """Tells how many of all cases are done."""

    def __init__(self, tell: Callable[[int, int], None], total: int) -> None:
        self._tell, self._total, self._done = tell, total, 0

    def one_more(self) -> None:
        """Another case is done."""
        self._done += 1
        self._tell(self._done, self._total)


def _silent(what: str, done: int, total: int) -> None:
    return
