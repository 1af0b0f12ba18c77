"""Evens out the seams of a rendering: neighbours differ as they do in the photo, colours stay near the vote's."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from scenebrush.canvas.blending import Springs, solve

_REACH = 40.0  # pixels: how far a step at a seam is spread
_LIGHT = np.float32(16)  # colour steps: more than this at a seam is another content rather than another light
_HELD = np.float32(0.3)  # how fast pixels are held that fit as in the photo
_ACROSS = np.float32(0.02)  # weight of a difference that the photo knows nothing of

_Places = tuple[slice, slice]


def even_out(
    voted: np.ndarray,
    source: np.ndarray,
    source_labels: np.ndarray,
    found: np.ndarray,
    labels: np.ndarray,
    cost: np.ndarray,
) -> np.ndarray:
    """Returns the picture, float32 (H, W, 3) 0-255, with the gradients of the photo (a screened Poisson equation).

    Args:
        voted: float32 (H, W, 3) 0-255.
        source: float32 (h, w, 3) 0-255, what `found` points into.
        source_labels: int (h, w).
        found: int (H, W), flat indices.
        labels: int (H, W), the layout of the picture.
        cost: float32 (H, W), of the matches.
    """
    seen = _Seen(source, source_labels, found // source.shape[1], found % source.shape[1])
    weights, charge = [], np.zeros((3, *labels.shape), np.float32)
    for axis in (1, 0):
        p = (slice(None), slice(None, -1)) if axis else (slice(None, -1), slice(None))
        q = (slice(None), slice(1, None)) if axis else (slice(1, None), slice(None))
        shown = voted[q] - voted[p]
        total, count = _differences(seen, labels, p, q, (0, 1) if axis else (1, 0))
        said = count[..., 0] > 0
        gradient = np.where(said[..., None], total / np.maximum(count, 1), shown)
        step_size = np.abs(gradient - shown).max(-1)
        weight = np.where(said, 1 / (1 + (step_size / _LIGHT) ** 4), _ACROSS).astype(np.float32)
        weights.append(weight)
        flow = (weight[..., None] * (gradient - shown)).transpose(2, 0, 1)
        charge[(slice(None), *q)] += flow
        charge[(slice(None), *p)] -= flow
    anchor = np.where(cost < 1e-6, _HELD, np.float32(1 / _REACH**2)).astype(np.float32)
    correction = solve(Springs(weights[0], weights[1], anchor), charge, np.zeros_like(charge))
    return np.asarray(voted + correction.transpose(1, 2, 0))


class _Seen(NamedTuple):
    """The photo, its labels, and at which of its rows and columns each pixel of the picture was found."""

    source: np.ndarray
    labels: np.ndarray
    rows: np.ndarray
    columns: np.ndarray


def _differences(
    seen: _Seen, labels: np.ndarray, p: _Places, q: _Places, step: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """What the photo says of the differences of neighbours, `q` minus `p`, the latter `step` before the former.

    Each of the two was found somewhere in the photo: there its neighbour tells, if it has the class wanted here.
    Returns the sums, float32 (h, w, 3), and of how many, 0 to 2, float32 (h, w, 1).
    """
    source, source_labels, rows, columns = seen
    height, width = source.shape[:2]
    total = np.zeros((*labels[p].shape, 3), np.float32)
    count = np.zeros((*labels[p].shape, 1), np.float32)
    for here, sign, other in ((p, 1, q), (q, -1, p)):
        r, c = rows[here] + sign * step[0], columns[here] + sign * step[1]
        inside = (r >= 0) & (r < height) & (c >= 0) & (c < width)
        r, c = r.clip(0, height - 1), c.clip(0, width - 1)
        known = (inside & (source_labels[r, c] == labels[other]))[..., None]
        total += known * sign * (source[r, c] - source[rows[here], columns[here]])
        count += known
    return total, count
