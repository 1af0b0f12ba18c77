"""Ordered regions continued into a hole, so that their boundaries meet inside it.

Between the sides of a hole every boundary is interpolated as a level set (Raya and Udupa, 1990, did so between the
slices of a volume): for each boundary of the order the signed distance, known around the hole, is continued into it as
a harmonic function. Straight boundaries come out straight, and a thin strip (a pavement between building and road)
does not tear in the middle, as it would with "the nearest class".
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import ndimage, sparse
from scipy.sparse import linalg

from scenebrush.scene.operations.raggedness import raggedness

_FINE = 512  # the longer side, in cells, of the grid on which distances are measured
_ROUNDS = 2  # a boundary found inside corrects the distances that it was found with
_SIDEWAYS = 6.0  # how much more the neighbours at the left and right count: in photos, boundaries tend to lie level
_COARSE = 128  # and of the grid on which they are continued
# Pixels across count less than pixels up and down. Layers of the world lie level, and a horizon that is known at one
# side of a hole only must not be bent by what lies far above it at the other side.
_ACROSS = 0.25


def continue_regions(sources: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Returns `sources` with the region `inside` filled.

    Args:
        sources: int (h, w), 1..K in their order (neighbours in the order share the boundaries), 0 = unknown.
        inside: bool (h, w), where to fill; unknown pixels elsewhere stay unknown but are passed through.
    """
    filled = sources.copy()
    last = int(sources.max())
    filled[inside] = min(last, 1)
    if last < 2:
        return filled
    step = _stride(sources.shape, _FINE)
    fine = sources[::step, ::step]
    block = _stride(fine.shape, _COARSE)
    weight = _block_means((fine > 0).astype(np.float64), block)
    solve = _harmonic(weight >= 0.5)
    guess, coarse = fine, np.zeros((0, *weight.shape))
    for _ in range(_ROUNDS):
        # Distances are measured to boundaries known so far: first those outside, then the guess inside as well.
        signed = [_signed_distance(guess, k) * (fine > 0) for k in range(1, last)]
        coarse = np.stack([solve(_block_means(s, block) / np.maximum(weight, 1e-9)) for s in signed])
        below = [_enlarged(values, fine.shape, 1, block) < 0 for values in coarse]
        guess = np.where(fine > 0, fine, 1 + np.sum(below, axis=0))
    for boundary, values in enumerate(coarse, start=1):
        level = _enlarged(values, sources.shape, step, block)
        level = _shifted(level, raggedness(sources, inside, boundary))
        filled[inside & (level < 0)] = boundary + 1
    return filled


def _shifted(level: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Moves each column of `level`, (h, w), down by as many `rows`, int (w,)."""
    if not rows.any():
        return level
    from_row = np.clip(np.arange(level.shape[0])[:, None] - rows, 0, level.shape[0] - 1)
    return np.take_along_axis(level, from_row, axis=0)


def _stride(shape: tuple[int, ...], side: int) -> int:
    return max(1, -(-max(shape) // side))


def _signed_distance(sources: np.ndarray, boundary: int) -> np.ndarray:
    """Distance to the boundary between sources <= boundary and > boundary; positive on the former's side."""
    first, second = (sources > 0) & (sources <= boundary), sources > boundary
    if not first.any() or not second.any():  # lost in the subsampling
        return np.where(first.any(), 1.0, -1.0) * np.ones(sources.shape)
    away = [ndimage.distance_transform_edt(~side, sampling=(1.0, _ACROSS)) for side in (second, first)]
    distance: np.ndarray = away[0] - away[1]
    return distance


def _block_means(values: np.ndarray, block: int) -> np.ndarray:
    """Means over block x block cells (smaller ones at the far edges)."""
    rows, columns = np.arange(0, values.shape[0], block), np.arange(0, values.shape[1], block)
    sums = np.add.reduceat(np.add.reduceat(values, rows, axis=0), columns, axis=1)
    heights, widths = np.diff([*rows, values.shape[0]]), np.diff([*columns, values.shape[1]])
    means: np.ndarray = sums / np.outer(heights, widths)
    return means


def _harmonic(known: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Returns a function that continues values, float (h, w), from known cells into the others.

    Each unknown cell becomes the mean of its neighbours; the picture's border is closed (no flux).
    """
    unknown = ~known
    index = np.full(known.shape, -1)
    index[unknown] = np.arange(np.count_nonzero(unknown))
    # Pairs (a, b) of neighbouring cells, seen from both sides; w is how much b counts for a.
    flat, cells = index.ravel(), np.arange(known.size).reshape(known.shape)
    first = np.concatenate([cells[:, :-1].ravel(), cells[:-1].ravel()])
    second = np.concatenate([cells[:, 1:].ravel(), cells[1:].ravel()])
    sideways = np.repeat([_SIDEWAYS, 1.0], [cells[:, 1:].size, cells[1:].size])
    a, b, w = np.concatenate([first, second]), np.concatenate([second, first]), np.concatenate([sideways, sideways])
    a, b, w = a[flat[a] >= 0], b[flat[a] >= 0], w[flat[a] >= 0]
    free, fixed = flat[b] >= 0, flat[b] < 0
    count = np.count_nonzero(unknown)
    # The tiny diagonal keeps cells solvable that no known cell reaches.
    diagonal = np.bincount(flat[a], weights=w, minlength=count) + 1e-9
    off = sparse.coo_matrix((-w[free], (flat[a[free]], flat[b[free]])), (count, count))
    solver = linalg.splu((sparse.diags(diagonal) + off).tocsc()) if count else None

    def solve(values: np.ndarray) -> np.ndarray:
        result = values.copy()
        if solver is not None:
            right = np.bincount(flat[a[fixed]], weights=w[fixed] * values.ravel()[b[fixed]], minlength=count)
            result[unknown] = solver.solve(right)
        return result

    return solve


def _enlarged(coarse: np.ndarray, shape: tuple[int, ...], step: int, block: int) -> np.ndarray:
    """Bilinear values at every pixel; the cell (i, j) lies at the middle of its block."""
    rows = (np.arange(shape[0]) / step - (block - 1) / 2) / block
    columns = (np.arange(shape[1]) / step - (block - 1) / 2) / block
    grid = np.meshgrid(rows, columns, indexing="ij")
    values: np.ndarray = ndimage.map_coordinates(coarse, grid, order=1, mode="nearest")
    return values
