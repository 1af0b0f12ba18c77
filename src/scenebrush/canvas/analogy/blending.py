"""Evens out the seams of a rendering: neighbours differ as they do in the photo, colours stay near the vote's."""

from __future__ import annotations

import numpy as np

from scenebrush.canvas.blending import Springs, solve

_REACH = 40.0  # pixels: how far a step at a seam is spread
_LIGHT = np.float32(16)  # colour steps: more than this at a seam is another content rather than another light
_HELD = np.float32(0.3)  # how fast pixels are held that fit as in the photo
_ACROSS = np.float32(0.02)  # weight of a difference that the photo knows nothing of


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
        source: float32 (h, w, 3) 0-255, what `found` points into; source_labels: int (h, w).
        found: int (H, W), flat indices.
        labels: int (H, W), the layout of the picture.
        cost: float32 (H, W), of the matches.
    """
    height, width = source.shape[:2]
    rows, columns = found // width, found % width
    weights, charge = [], np.zeros((3, *labels.shape), np.float32)
    for axis in (1, 0):
        p = (slice(None), slice(None, -1)) if axis else (slice(None, -1), slice(None))
        q = (slice(None), slice(1, None)) if axis else (slice(1, None), slice(None))
        step = (0, 1) if axis else (1, 0)
        total = np.zeros((*labels[p].shape, 3), np.float32)
        count = np.zeros((*labels[p].shape, 1), np.float32)
        for here, sign, other in ((p, 1, q), (q, -1, p)):
            r, c = rows[here] + sign * step[0], columns[here] + sign * step[1]
            inside = (r >= 0) & (r < height) & (c >= 0) & (c < width)
            r, c = r.clip(0, height - 1), c.clip(0, width - 1)
            known = (inside & (source_labels[r, c] == labels[other]))[..., None]
            total += known * sign * (source[r, c] - source[rows[here], columns[here]])
            count += known
        said = count[..., 0] > 0
        gradient = np.where(said[..., None], total / np.maximum(count, 1), voted[q] - voted[p])
        step_size = np.abs(gradient - (voted[q] - voted[p])).max(-1)
        weight = np.where(said, 1 / (1 + (step_size / _LIGHT) ** 4), _ACROSS).astype(np.float32)
        weights.append(weight)
        flow = (weight[..., None] * (gradient - (voted[q] - voted[p]))).transpose(2, 0, 1)
        charge[(slice(None), *q)] += flow
        charge[(slice(None), *p)] -= flow
    anchor = np.where(cost < 1e-6, _HELD, np.float32(1 / _REACH**2)).astype(np.float32)
    correction = solve(Springs(weights[0], weights[1], anchor), charge, np.zeros_like(charge))
    return np.asarray(voted + correction.transpose(1, 2, 0))
