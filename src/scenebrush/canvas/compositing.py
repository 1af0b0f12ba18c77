"""The blend of a hole's copies: which neighbours are tied, how stiffly, and what difference is wanted."""

from __future__ import annotations

import numpy as np

from scenebrush.canvas.atlas import Atlas
from scenebrush.canvas.blending import Springs, solve

_ACROSS_CLASSES = np.float32(0.02)  # weight of a tie between two classes in the hole


def blended(atlas: Atlas, pixels: np.ndarray, wanted: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Returns `pixels`, uint8 (H, W, 3), with the copied ones (shift not 0) blended with one another and the photo.

    Wanted differences: the source's where two neighbours share an offset, none across a seam inside a
    class, the copied one (weakly) across classes. Visible pixels of the same class are fixed.
    """
    copied = shifts != 0
    if not copied.any():
        return pixels
    rows, columns = np.flatnonzero(copied.any(axis=1)), np.flatnonzero(copied.any(axis=0))
    rows, columns = np.flatnonzero(copied.any(axis=1)), np.flatnonzero(copied.any(axis=0))
    box = slice(rows[0] - 1, rows[-1] + 2), slice(columns[0] - 1, columns[-1] + 2)
    inside = copied[box]
    copy = np.ascontiguousarray(pixels[box].transpose(2, 0, 1)).astype(np.float32)  # (3, h, w)
    springs = [np.zeros_like(inside, np.float32) for _ in range(3)]
    charge = np.zeros_like(copy)
    right, down, anchor = springs[0][:, :-1], springs[1][:-1], springs[2]
    for axis, weight in ((1, right), (0, down)):
        _tie(axis, weight, anchor, charge, inside, wanted[box], shifts[box], copy)
        _hold(axis, anchor, charge, inside, atlas, box, wanted[box], shifts[box], copy)
    correction = solve(Springs(right, down, anchor), charge)
    mended = np.clip(np.rint(copy + correction), 0, 255).astype(np.uint8).transpose(1, 2, 0)
    result = pixels.copy()
    result[box][inside] = mended[inside]
    return result


def _pair(axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    first, second = [slice(None)] * 2, [slice(None)] * 2
    first[axis], second[axis] = slice(None, -1), slice(1, None)
    return tuple(first), tuple(second)


def _tie(
    axis: int,
    weight: np.ndarray,
    anchor: np.ndarray,
    charge: np.ndarray,
    inside: np.ndarray,
    wanted: np.ndarray,
    shifts: np.ndarray,
    copy: np.ndarray,
) -> None:
    """Sets the springs between copied neighbours along an axis (u = copy + correction: kept differences ask for 0)."""
    p, q = _pair(axis)
    both = inside[p] & inside[q]
    same = wanted[p] == wanted[q]
    weight[...] = np.where(both, np.where(same, np.float32(1), _ACROSS_CLASSES), np.float32(0))
    seam = both & same & (shifts[p] != shifts[q])
    asked = np.where(seam, copy[(slice(None), *q)] - copy[(slice(None), *p)], np.float32(0))
    charge[(slice(None), *p)] += asked
    charge[(slice(None), *q)] -= asked


def _hold(
    axis: int,
    anchor: np.ndarray,
    charge: np.ndarray,
    inside: np.ndarray,
    atlas: Atlas,
    box: tuple[slice, slice],
    wanted: np.ndarray,
    shifts: np.ndarray,
    copy: np.ndarray,
) -> None:
    """Anchors copied pixels to visible neighbours of their class, by the source's difference where there is one."""
    labels, photo = atlas.label_map.reshape(-1), atlas.photo.reshape(-1, 3)
    index = np.arange(labels.size).reshape(atlas.label_map.shape)[box]
    first, second = _pair(axis)
    for p, q in ((first, second), (second, first)):
        tied = inside[p] & (atlas.label_map[box][q] == wanted[p])
        known, shift, class_id = index[q][tied], shifts[p][tied], wanted[p][tied]
        source = known + shift
        follows = labels[source] == class_id
        value = photo[known].astype(np.float32)
        here = copy[(slice(None), *p)][:, tied].T
        asked = value - np.where(follows[:, None], photo[source], here)
        anchor[p][tied] += 1
        view = charge[(slice(None), *p)]
        view[:, tied] += asked.T
