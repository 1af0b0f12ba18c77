"""A comparison as a table for people: Markdown, so that it can be pasted where it is cited."""

from __future__ import annotations

import numpy as np

from scenebrush.evaluation.comparison import Comparison, Row
from scenebrush.evaluation.edit_figures import LOWER_IS_BETTER
from scenebrush.evaluation.statistics import Interval

COLUMNS = {
    "reconstruction_psnr": ("rec. PSNR", 2),
    "reconstruction_ssim": ("rec. SSIM", 3),
    "reconstruction_lpips": ("rec. LPIPS", 4),
    "lpips": ("LPIPS", 4),
    "lpips_vgg": ("LPIPS VGG", 4),
    "lpips_hole": ("LPIPS hole", 3),
    "ssim_hole": ("SSIM hole", 3),
    "psnr_hole": ("PSNR hole", 2),
    "single_image_fid": ("SIFID", 4),
    "coherence": ("coherence", 3),
    "completeness": ("completeness", 3),
    "agreement": ("agreement", 3),
    "agreement_changed": ("where changed", 3),
    "pooled_miou": ("mIoU", 3),
    "accuracy": ("pixel accuracy", 3),
    "learned_seconds": ("s learned", 0),
}
"""The figures that a table shows where they were measured, with heading and decimals; the JSON document holds all."""

_HEADINGS = {"lpips": "LPIPS", "agreement": "agreement", "accuracy": "accuracy"}


def table(comparison: Comparison) -> str:
    """Returns a Markdown table: mean ±95%, arrows say which way is better, * = a difference that leaves out 0."""
    shown = [name for name in COLUMNS if any(name in row.means for row in comparison.rows)]
    timed = any("seconds" in row.means for row in comparison.rows)
    with_fid = any(row.figures.fid for row in comparison.rows)
    lines = [_headings(comparison, shown, timed, with_fid)]
    rows = list(comparison.rows)
    if comparison.ceiling is not None and all(row.method != "truth" for row in rows):
        rows.append(comparison.ceiling)
    lines += [_line(comparison, row, shown, timed, with_fid) for row in rows]
    return "\n".join([comparison.title, "", *_aligned(lines), *_footnotes(comparison)])


def _headings(comparison: Comparison, shown: list[str], timed: bool, with_fid: bool) -> list[str]:
    heads = ["method", *(f"{COLUMNS[name][0]} {'↓' if LOWER_IS_BETTER.get(name) else '↑'}" for name in shown)]
    heads += [f"FID ↓ (N={comparison.n})", "KID×1000 ↓"] if with_fid else []
    heads += ["s/edit (CPU)"] if timed else []
    primary = comparison.primary
    return [*heads, f"Δ{_HEADINGS[primary]} to {comparison.baseline} [95%]"] if primary else heads


def _line(comparison: Comparison, row: Row, shown: list[str], timed: bool, with_fid: bool) -> list[str]:
    cells = [row.method, *(_mean(row.means.get(name), COLUMNS[name][1]) for name in shown)]
    fid, kid = row.figures.fid, row.figures.kid
    if with_fid:
        cells.append("-" if fid is None else f"{fid.value:.1f}")
        cells.append("-" if kid is None else f"{1000 * kid.value:.1f} ±{1000 * kid.deviation:.1f} sd")
    if timed:
        cells.append(_seconds(row))
    return [*cells, _gap(comparison, row)] if comparison.primary else cells


def _seconds(row: Row) -> str:
    if row.method == "truth" or "seconds" not in row.figures.per_edit:
        return "-"
    wall, cpu = (np.median(row.figures.per_edit[name]) for name in ("seconds", "cpu_seconds"))
    return f"{wall:.3f} ({cpu:.3f})"


def _gap(comparison: Comparison, row: Row) -> str:
    if row.method == comparison.baseline:
        return "baseline"
    gap = row.differences.get(comparison.primary or "")
    if gap is None:
        return "ceiling" if row.method == "truth" else "-"
    return f"{gap.mean:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]{'*' if gap.significant else ''}"


def _mean(interval: Interval | None, decimals: int) -> str:
    return "-" if interval is None else f"{interval.mean:.{decimals}f} ±{interval.half_width:.{decimals}f}"


def _aligned(lines: list[list[str]]) -> list[str]:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    padded = ["| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in lines]
    return [padded[0], "|" + "|".join("-" * (w + 2) for w in widths) + "|", *padded[1:]]


def _footnotes(comparison: Comparison) -> list[str]:
    agreement = comparison.rows[0].figures.agreement
    if agreement is None:
        return []
    told = ", ".join(agreement.class_iou())
    if comparison.primary == "accuracy":  # the models compared are themselves the readers
        return ["", f"mIoU and accuracy: of each model in the classes it can tell ({comparison.baseline}: {told})."]
    used = comparison.rows[0].means.get("agreement")
    count = "" if used is None else f"; {used.n} of {comparison.n} cases hold such classes"
    return ["", f"Agreement and mIoU: what {agreement.segmenter} reads, in the classes it can tell ({told}){count}."]
