"""A small soft mask at a photo's own resolution, its rim along the photo's edges: a guided filter.

He, Sun and Tang, *Guided Image Filtering* (2010), with the photo's colours as the guide: near each pixel the mask is an
affine function of the colours, a . I + b. The coefficients are smooth, so they are found on a smaller photo (He and
Sun, *Fast Guided Filter*, 2015) and used on the whole one.
"""

from __future__ import annotations

import numpy as np
from PIL import Image
from scipy import ndimage

_LARGEST = 640  # longest side on which coefficients are found
_FLOOR = 2e-4  # added to the variance of colours in [0, 1]: weaker edges are no edges
_ENDS = 0.15, 0.85  # shares taken for 0 and 1: the network never says either (`Segmenter`), and ghosts would show
_REACH = 0.5  # radius of the filter in pixels of the small mask; more rounds corners off


def refined(photo: np.ndarray, mask: np.ndarray, place: tuple[float, float, float, float]) -> np.ndarray:
    """Returns a soft mask, float32 (h, w) in [0, 1], at the size of a photo, float32 (H, W) in [0, 1].

    Shares near 0 and 1 become 0 and 1. Where the mask's pixels are no larger than the photo's it is only resized.

    Args:
        photo: uint8 (H, W, 3).
        mask: of what the photo shows, and perhaps of what lies around it.
        place: where in the mask the photo lies, (x0, y0, x1, y1) in its pixels.
    """
    height, width = photo.shape[:2]
    shrink = min(1.0, _LARGEST / max(height, width))
    small = max(1, round(width * shrink)), max(1, round(height * shrink))
    radius = round(_REACH * max(small[0] / (place[2] - place[0]), small[1] / (place[3] - place[1])))
    if radius <= 1:
        return _sure(_sure(_resized(mask, (width, height), place)))
    guide = np.array(Image.fromarray(photo).resize(small, Image.Resampling.BOX)).astype(np.float32) / 255
    slopes, offset = _coefficients(guide, _sure(_resized(mask, small, place)), 2 * radius + 1)
    result = _resized(offset, (width, height))
    for channel in range(3):
        result += _resized(slopes[..., channel], (width, height)) * (photo[..., channel].astype(np.float32) / 255)
    return _sure(result)


def _sure(mask: np.ndarray) -> np.ndarray:
    low, high = _ENDS
    stretched: np.ndarray = ((mask - low) / (high - low)).clip(0, 1)
    return stretched


def _coefficients(guide: np.ndarray, mask: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns a (h, w, 3) and b (h, w) of mask = a . guide + b in squares of this side, averaged over all around."""

    def mean(plane: np.ndarray) -> np.ndarray:
        averaged: np.ndarray = ndimage.uniform_filter(plane, (side, side, 0)[: plane.ndim], mode="nearest")
        return averaged

    colors, share = mean(guide), mean(mask)
    covariance = np.empty((*mask.shape, 3, 3), np.float32)
    for i in range(3):
        for j in range(i, 3):
            covariance[..., i, j] = mean(guide[..., i] * guide[..., j]) - colors[..., i] * colors[..., j]
            covariance[..., j, i] = covariance[..., i, j]
        covariance[..., i, i] += _FLOOR
    cross = mean(guide * mask[..., None]) - colors * share[..., None]
    slopes = np.linalg.solve(covariance, cross[..., None])[..., 0]
    offset = share - (slopes * colors).sum(-1)
    return mean(slopes), mean(offset)


def _resized(
    plane: np.ndarray, size: tuple[int, int], place: tuple[float, float, float, float] | None = None
) -> np.ndarray:
    """Returns a plane, float (h, w), or what lies at a place in it, at (width, height), bicubic."""
    image = Image.fromarray(np.ascontiguousarray(plane, np.float32))
    return np.array(image.resize(size, Image.Resampling.BICUBIC, box=place), np.float32)
