"""Several methods on the same edits: one table with intervals, one JSON document."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from scenebrush.errors import InputError, nearest_name
from scenebrush.evaluation.edit_figures import LOWER_IS_BETTER, EditFigures
from scenebrush.evaluation.statistics import Difference, Interval, bootstrap_interval, paired_difference

COLUMNS = {
    "lpips": ("LPIPS", 4),
    "lpips_vgg": ("LPIPS VGG", 4),
    "lpips_hole": ("LPIPS hole", 3),
    "ssim_hole": ("SSIM hole", 3),
    "psnr_hole": ("PSNR hole", 2),
}
"""The figures that a table shows, with heading and decimals; the JSON document holds all."""


@dataclass(frozen=True, eq=False)
class Row:
    """One method's line: means with intervals, and differences to the baseline (empty for the baseline itself)."""

    method: str
    figures: EditFigures
    means: dict[str, Interval]
    differences: dict[str, Difference]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Methods measured on the same `n` edits; differences are method - baseline, edit by edit."""

    title: str
    baseline: str
    n: int
    rows: tuple[Row, ...]

    def table(self) -> str:
        """Returns a Markdown table: mean ±95%, arrows say which way is better, * = difference leaves out 0."""
        shown = [name for name in COLUMNS if any(name in row.means for row in self.rows)]
        heads = [f"{COLUMNS[name][0]} {'↓' if LOWER_IS_BETTER[name] else '↑'}" for name in shown]
        heads = [
            "method",
            *heads,
            f"FID ↓ (N={self.n})",
            "KID×1000 ↓",
            "s/edit (CPU)",
            f"ΔLPIPS to {self.baseline} [95%]",
        ]
        lines = [heads, *[self._line(row, shown) for row in self.rows]]
        widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
        padded = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in lines]
        padded.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
        return "\n".join([self.title, "", *padded])

    def _line(self, row: Row, shown: list[str]) -> list[str]:
        cells = [_mean(row.means.get(name), COLUMNS[name][1]) for name in shown]
        fid, kid = row.figures.fid, row.figures.kid
        cells.append("-" if fid is None else f"{fid.value:.1f}")
        cells.append("-" if kid is None else f"{1000 * kid.value:.1f} ±{1000 * kid.deviation:.1f} sd")
        wall, cpu = (np.median(row.figures.per_edit[name]) for name in ("seconds", "cpu_seconds"))
        cells.append(f"{wall:.3f} ({cpu:.3f})")
        gap = row.differences.get("lpips")
        if gap is None:
            return [row.method, *cells, "baseline"]
        mark = "*" if gap.significant else ""
        return [row.method, *cells, f"{gap.mean:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]{mark}"]

    def to_dict(self) -> dict[str, Any]:
        """Returns everything measured, ready for JSON, each edit's figures included."""
        return {
            "title": self.title,
            "baseline": self.baseline,
            "n": self.n,
            "methods": {row.method: _row(row) for row in self.rows},
        }


def compare(
    figures: Mapping[str, EditFigures],
    groups: Sequence[Hashable],
    *,
    title: str,
    baseline: str | None = None,
    seed: int = 0,
) -> Comparison:
    """Returns the comparison of methods measured on the same edits.

    Args:
        figures: method name -> its figures, in the table's order.
        groups: the photo of each edit; intervals resample whole photos.
        title: the table's first line: task, data, N.
        baseline: whose figures are subtracted; the first method by default.
        seed: of the bootstrap; every interval uses the same resamples.
    """
    if not figures:
        raise InputError("0 methods to compare; name at least one")
    baseline = baseline or next(iter(figures))
    if baseline not in figures:
        raise InputError(f"baseline {baseline!r} is not among {', '.join(figures)}{nearest_name(baseline, figures)}")
    against = figures[baseline].per_edit
    rows = []
    for method, own in figures.items():
        means = {
            name: bootstrap_interval(values, np.random.default_rng(seed), groups=groups)
            for name, values in own.per_edit.items()
        }
        gaps = {
            name: paired_difference(values, against[name], np.random.default_rng(seed), groups=groups)
            for name, values in own.per_edit.items()
            if method != baseline and name in against
        }
        rows.append(Row(method, own, means, gaps))
    return Comparison(title, baseline, len(groups), tuple(rows))


def _mean(interval: Interval | None, decimals: int) -> str:
    return "-" if interval is None else f"{interval.mean:.{decimals}f} ±{interval.half_width:.{decimals}f}"


def _row(row: Row) -> dict[str, Any]:
    return {
        "means": {name: asdict(value) for name, value in row.means.items()},
        "differences": {
            name: {**asdict(value), "significant": value.significant} for name, value in row.differences.items()
        },
        "fid": asdict(row.figures.fid) if row.figures.fid else None,
        "kid": asdict(row.figures.kid) if row.figures.kid else None,
        "touched": row.figures.touched,
        "per_edit": {name: np.round(values, 6).tolist() for name, values in row.figures.per_edit.items()},
    }
