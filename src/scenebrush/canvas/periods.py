"""Periods of a texture of which only a part is visible: peaks of its normalised autocorrelation."""

from __future__ import annotations

import numpy as np
from scipy import fft, ndimage

_LEAST_OVERLAP = 0.08  # share of the visible pixels that a shift must compare
_LEAST_LIKENESS = 0.2
_LENGTH_COST = 0.15  # of likeness, for a shift of the picture's whole size
_SHORTEST = 6  # pixels
_PEAK = 4  # pixels around a peak in which nothing is higher


def autocorrelation(values: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """Returns the correlation of a picture with itself shifted, float (2H-1, 2W-1), 0 where too little overlaps.

    For each shift Pearson's coefficient over the pixels that are visible both before and after it, by six
    correlations in the frequency domain (Padfield 2012). The shift (0, 0) lies in the middle.

    Args:
        values: float (H, W).
        visible: bool (H, W).
    """
    height, width = values.shape
    size = (fft.next_fast_len(2 * height - 1, real=True), fft.next_fast_len(2 * width - 1, real=True))
    mask = visible.astype(np.float64)
    seen = np.where(visible, values - values[visible].mean(), 0.0) if visible.any() else np.zeros(values.shape)
    of_mask, of_seen, of_square = (fft.rfft2(a, size) for a in (mask, seen, seen**2))

    def correlated(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        whole = np.roll(fft.irfft2(np.conj(a) * b, size), (height - 1, width - 1), axis=(0, 1))
        part: np.ndarray = whole[: 2 * height - 1, : 2 * width - 1]
        return part

    count = np.maximum(np.rint(correlated(of_mask, of_mask)), 1)
    # what the first picture of each pair holds is, turned about, what the second one holds at the opposite shift
    total_two, square_two = correlated(of_mask, of_seen), correlated(of_mask, of_square)
    total_one, square_one = total_two[::-1, ::-1], square_two[::-1, ::-1]
    shared = correlated(of_seen, of_seen) - total_one * total_two / count
    spread = (square_one - total_one**2 / count) * (square_two - total_two**2 / count)
    likeness = shared / np.sqrt(np.maximum(spread, (1e-6 * seen.var() * count) ** 2 + 1e-12))
    likeness[count < _LEAST_OVERLAP * mask.sum()] = 0
    clipped: np.ndarray = np.clip(likeness, -1, 1)
    return clipped


def periods(values: np.ndarray, visible: np.ndarray, most: int) -> np.ndarray:
    """Returns the shifts (dx, dy) under which a picture looks most like itself, float (N, 2), the best first.

    A shift and its opposite are both among them. Slow changes of light do not count.

    Args:
        values: float (H, W).
        visible: bool (H, W).
        most: at most so many.
    """
    likeness = autocorrelation(_without_slow_changes(values, visible), visible)
    middle = values.shape[0] - 1, values.shape[1] - 1
    peaks = (likeness == ndimage.maximum_filter(likeness, 2 * _PEAK + 1)) & (likeness > _LEAST_LIKENESS)
    peaks[[0, -1]] = peaks[:, [0, -1]] = False
    rows, columns = np.nonzero(peaks)
    far = np.hypot(rows - middle[0], columns - middle[1]) >= _SHORTEST
    rows, columns = rows[far], columns[far]
    # of two as likely the shorter one: it compares more, and leads less far
    length = np.hypot((rows - middle[0]) / middle[0], (columns - middle[1]) / middle[1])
    order = np.argsort(_LENGTH_COST * length - likeness[rows, columns], kind="stable")[:most]
    rows, columns = rows[order], columns[order]
    dx = columns - middle[1] + _summit(likeness, rows, columns, (0, 1))
    dy = rows - middle[0] + _summit(likeness, rows, columns, (1, 0))
    return np.stack([dx, dy], axis=1)


def _without_slow_changes(values: np.ndarray, visible: np.ndarray) -> np.ndarray:
    sigma = max(4.0, min(values.shape) / 12)
    weight = ndimage.gaussian_filter(visible.astype(np.float64), sigma) + 1e-6
    slow: np.ndarray = ndimage.gaussian_filter(np.where(visible, values, 0.0), sigma) / weight
    rest: np.ndarray = values - slow
    return rest


def _summit(likeness: np.ndarray, rows: np.ndarray, columns: np.ndarray, step: tuple[int, int]) -> np.ndarray:
    """How far the top of the parabola through a peak and its two neighbours lies from the peak, (N,)."""
    before, after = likeness[rows - step[0], columns - step[1]], likeness[rows + step[0], columns + step[1]]
    bend = before + after - 2 * likeness[rows, columns]
    summit: np.ndarray = np.clip(0.5 * (before - after) / np.minimum(bend, -1e-9), -0.5, 0.5)
    return summit
