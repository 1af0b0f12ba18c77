"""How ragged a boundary is where it is known, and the same raggedness for where it is continued.

A boundary continued into a hole is smooth. That is right for a kerb, and wrong for the top of a bush: cut off as with
scissors it would be seen at once. So what the known boundary does beside its smooth course is mirrored into the hole.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

_SMOOTH = 8.0  # columns; what is narrower than about twice this is raggedness, what is wider is the course
_LEAST = 16  # columns that must be known at a side
_STEADY = 1.0  # rows; a boundary that strays less (on the average) is drawn with a ruler, but for sloppy labels


def raggedness(sources: np.ndarray, inside: np.ndarray, boundary: int) -> np.ndarray:
    """Returns by how many rows each column of a continued boundary is to stray from its course, int (w,).

    Args:
        sources: int (h, w), regions in their order from top to bottom, 0 = unknown.
        inside: bool (h, w), where the boundary is continued.
        boundary: which one: between sources <= boundary and sources > boundary.
    """
    stray = np.zeros(sources.shape[1], int)
    rows = _course(sources, boundary)
    hole = np.flatnonzero(inside.any(axis=0))
    first, last = int(hole[0]), int(hole[-1])
    left, right = _beside(rows[:first][::-1]), _beside(rows[last + 1 :])
    for column in hole.tolist():
        near_left, near_right = column - first, last - column
        side, steps = (left, near_left) if near_left <= near_right else (right, near_right)
        if not len(side):
            side, steps = (right, near_right) if near_left <= near_right else (left, near_left)
        if len(side):
            stray[column] = side[_to_and_fro(steps, len(side))]
    return stray


def _course(sources: np.ndarray, boundary: int) -> np.ndarray:
    """The row at which each column crosses the boundary, float (w,); NaN where it does not, or more than once."""
    above = (sources[:-1] > 0) & (sources[:-1] <= boundary)
    crossing = above & (sources[1:] > boundary)
    back = (sources[:-1] > boundary) & (sources[1:] > 0) & (sources[1:] <= boundary)
    once = (crossing.sum(axis=0) == 1) & ~back.any(axis=0)
    return np.where(once, crossing.argmax(axis=0).astype(float), np.nan)


def _beside(rows: np.ndarray) -> np.ndarray:
    """How a known boundary strays, int (n,), beginning at the hole's side; empty where it is short or steady."""
    known = np.flatnonzero(~np.isnan(rows))
    if not len(known):
        return np.zeros(0, int)
    run = rows[known[0] :]
    gaps = np.flatnonzero(np.isnan(run) | (np.abs(np.diff(run, prepend=run[0])) > _SMOOTH))
    run = run[: gaps[0]] if len(gaps) else run
    if len(run) < _LEAST:
        return np.zeros(0, int)
    # First without its slope, which smoothing would take for straying at the ends.
    columns = np.linspace(-1, 1, len(run))
    level = run - np.polyval(np.polyfit(columns, run, 1), columns)
    stray = level - ndimage.gaussian_filter1d(level, _SMOOTH, mode="nearest")
    return np.rint(stray).astype(int) if np.abs(stray).mean() > _STEADY else np.zeros(0, int)


def _to_and_fro(step: int, length: int) -> int:
    """The place reached after `step` steps to and fro over `length` places."""
    turn = step % (2 * length)
    return turn if turn < length else 2 * length - 1 - turn
