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
_REACH = 1.0  # radius of the filter in pixels of the small mask


def refined(photo: np.ndarray, mask: np.ndarray, *, reach: float) -> np.ndarray:
    """Returns a soft mask, float32 (h, w) in [0, 1], at a photo's size, float32 (H, W) in [0, 1].

    Args:
        photo: uint8 (H, W, 3).
        mask: of the same picture, small or large.
        reach: how many of the photo's pixels one of the mask's is wide; where that is under one the mask is finer than
            the photo, and only resized.
    """
    height, width = photo.shape[:2]
    shrink = min(1.0, _LARGEST / max(height, width))
    small = max(1, round(width * shrink)), max(1, round(height * shrink))
    coarse = _resized(mask, small)
    radius = round(_REACH * reach * shrink)
    if radius < 1:
        return _resized(coarse, (width, height)).clip(0, 1)
    guide = np.array(Image.fromarray(photo).resize(small, Image.Resampling.BOX)).astype(np.float32) / 255
    slopes, offset = _coefficients(guide, coarse, 2 * radius + 1)
    result = _resized(offset, (width, height))
    for channel in range(3):
        result += _resized(slopes[..., channel], (width, height)) * (photo[..., channel].astype(np.float32) / 255)
    return result.clip(0, 1)


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


def _resized(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns a plane, float (h, w), at (width, height), bilinear."""
    image = Image.fromarray(np.ascontiguousarray(plane, np.float32))
    return np.array(image.resize(size, Image.Resampling.BILINEAR), np.float32)
