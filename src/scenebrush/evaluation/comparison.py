"""Several methods on the same cases: means with intervals, differences that mean something, one JSON document."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from scenebrush.errors import InputError, nearest_name
from scenebrush.evaluation.edit_figures import EditFigures
from scenebrush.evaluation.label_agreement import Agreement, mean_iou
from scenebrush.evaluation.statistics import (
    Difference,
    Interval,
    bootstrap_interval,
    paired_difference,
    pooled_interval,
)

PRIMARY = ("lpips", "agreement", "accuracy")
"""The figure whose difference to the baseline a table shows: the first of these that was measured."""


@dataclass(frozen=True, eq=False)
class Row:
    """One method's line.

    Args:
        method: its name.
        figures: what was measured.
        means: figure -> mean with interval; `pooled_miou` is of all pixels together.
        differences: figure -> method - baseline, case by case; empty for the baseline itself.
    """

    method: str
    figures: EditFigures
    means: dict[str, Interval]
    differences: dict[str, Difference]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Methods measured on the same `n` cases.

    Args:
        title: task, data, N.
        baseline: whose figures are subtracted.
        n: how many cases.
        rows: a method each, in the order asked for.
        ceiling: the real pictures themselves, or None where they were not measured.
    """

    title: str
    baseline: str
    n: int
    rows: tuple[Row, ...]
    ceiling: Row | None = None

    @property
    def primary(self) -> str | None:
        """The figure whose differences a table shows."""
        return next((name for name in PRIMARY if any(name in row.means for row in self.rows)), None)

    def to_dict(self) -> dict[str, Any]:
        """Returns everything measured, ready for JSON, each case's figures included."""
        document: dict[str, Any] = {
            "title": self.title,
            "baseline": self.baseline,
            "n": self.n,
            "methods": {row.method: _row(row) for row in self.rows},
        }
        return document | ({} if self.ceiling is None else {"ceiling": _row(self.ceiling)})


def compare(
    figures: Mapping[str, EditFigures],
    groups: Sequence[Hashable],
    *,
    title: str,
    baseline: str | None = None,
    ceiling: EditFigures | None = None,
    seed: int = 0,
) -> Comparison:
    """Returns the comparison of methods measured on the same cases.

    Cases in which a figure is not defined (NaN: a hole that holds no class the segmenter can tell) are left out of it,
    the same ones for every method.

    Args:
        figures: method name -> its figures, in the table's order.
        groups: the photo of each case; intervals resample whole photos.
        title: the table's first line: task, data, N.
        baseline: whose figures are subtracted; the first method by default.
        ceiling: the figures of the real pictures.
        seed: of the bootstrap; every interval uses the same resamples.
    """
    check_names(figures, baseline)
    baseline = baseline or next(iter(figures))
    against = figures[baseline]
    rows = [_measured(name, own, None if name == baseline else against, groups, seed) for name, own in figures.items()]
    top = None if ceiling is None else _measured("truth", ceiling, None, groups, seed)
    return Comparison(title, baseline, len(groups), tuple(rows), top)


def check_names(methods: Iterable[str], baseline: str | None) -> None:
    """Raises `InputError` where there is no method, or where the baseline is none of them."""
    names = list(methods)
    if not names:
        raise InputError("0 methods to compare; name at least one")
    if baseline is not None and baseline not in names:
        raise InputError(f"baseline {baseline!r} is not among {', '.join(names)}{nearest_name(baseline, names)}")


def _measured(method: str, own: EditFigures, against: EditFigures | None, groups: Sequence[Hashable], seed: int) -> Row:
    means, gaps = dict[str, Interval](), dict[str, Difference]()
    for name, values in own.per_edit.items():
        found = np.isfinite(values)
        if not found.any():
            continue
        photos = [group for group, kept in zip(groups, found, strict=True) if kept]
        means[name] = bootstrap_interval(values[found], np.random.default_rng(seed), groups=photos)
        other = None if against is None else against.per_edit.get(name)
        if other is not None and np.isfinite(other[found]).all():
            gaps[name] = paired_difference(values[found], other[found], np.random.default_rng(seed), groups=photos)
    if own.agreement is not None and own.agreement.confusion.sum():
        means["pooled_miou"] = pooled_interval(
            own.agreement.confusion, _mious, np.random.default_rng(seed), groups=groups
        )
    return Row(method, own, means, gaps)


def _mious(matrices: np.ndarray) -> np.ndarray:
    return np.array([mean_iou(matrix) for matrix in matrices])


def _row(row: Row) -> dict[str, Any]:
    return {
        "means": {name: asdict(value) for name, value in row.means.items()},
        "differences": {
            name: {**asdict(value), "significant": value.significant} for name, value in row.differences.items()
        },
        "fid": asdict(row.figures.fid) if row.figures.fid else None,
        "kid": asdict(row.figures.kid) if row.figures.kid else None,
        "touched": row.figures.touched,
        "agreement": _agreement(row.figures.agreement),
        "per_edit": {name: _listed(values) for name, values in row.figures.per_edit.items()},
    }


def _agreement(agreement: Agreement | None) -> dict[str, Any] | None:
    if agreement is None:
        return None
    return {
        "segmenter": agreement.segmenter,
        "classes": list(agreement.class_iou()),
        "pixel_accuracy": agreement.pooled_accuracy,
        "miou": agreement.pooled_miou,
        "class_iou": agreement.class_iou(),
    }


def _listed(values: np.ndarray) -> list[float | None]:
    return [round(float(v), 6) if np.isfinite(v) else None for v in values]
