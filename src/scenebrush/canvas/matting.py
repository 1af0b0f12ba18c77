"""Soft outlines: how much of each pixel at an object's edge is the object, and the object's colour without the rest.

Along the edge of a label map a pixel is a mixture I = a F + (1 - a) B of the object's colour F, known farther
inside, and of what lies behind it, B, known farther outside. With both taken as local means, a is the
projection of I - B on F - B. Where the two are alike the outline of the mask decides.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

_DISTINCT = 15.0  # distance of F and B in colour steps at which colours and outline count the same
_SOFTNESS = 0.7  # pixels over which an outline fades where the colours do not tell


def matte(photo: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the object's colours, float32 (H, W, 3) 0-255, and its share of each pixel, float32 (H, W) in [0, 1].

    Args:
        photo: uint8 (H, W, 3).
        mask: bool (H, W), the object as it is labelled: its edge may be off by a few pixels.
    """
    depth = ndimage.distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1]  # the picture's edge is no outline
    height = ndimage.distance_transform_edt(~mask)
    pixels = photo.astype(np.float32)
    band = _band(mask, float(depth.max()))
    inner = depth > band if (depth > band).any() else depth > 0.6 * depth.max()
    object_color = _local_mean(pixels, inner, 1.5 * band)
    behind = _local_mean(pixels, (height > 1.5) & (height <= 1 + 2 * band), 1.5 * band)
    apart = object_color - behind
    length = np.sqrt((apart**2).sum(axis=-1)) + 1e-6
    along = np.clip(((pixels - behind) * apart).sum(axis=-1) / length**2, 0, 1)
    outline = np.clip((ndimage.gaussian_filter(mask.astype(np.float32), _SOFTNESS) - 0.15) / 0.7, 0, 1)
    trust = length**2 / (length**2 + 3 * _DISTINCT**2)
    unsure = (depth <= band) & (height <= 1.5)
    share = np.where(unsure, trust * along + (1 - trust) * outline, mask).astype(np.float32)
    share = np.where(height > 1.5, np.float32(0), np.maximum(share, _least(depth, band)))
    return _unmixed(pixels, behind, share, mask), share


def _band(mask: np.ndarray, deepest: float) -> float:
    """How far the edge of a mask may be off, in pixels; in something thin not far."""
    return float(np.clip(0.08 * np.sqrt(np.count_nonzero(mask)), 2, max(2.0, min(6.0, 0.35 * deepest))))


def _least(depth: np.ndarray, band: float) -> np.ndarray:
    """The share that a pixel has at least: all at the band's inner edge, nothing at the outline."""
    least: np.ndarray = np.clip((depth - 1) / band, 0, 1).astype(np.float32) ** 4
    return least


def _local_mean(pixels: np.ndarray, known: np.ndarray, sigma: float) -> np.ndarray:
    """The mean colour of the known pixels near each pixel, (H, W, 3)."""
    weight = ndimage.gaussian_filter(known.astype(np.float32), sigma)
    total = ndimage.gaussian_filter(pixels * known[..., None], (sigma, sigma, 0))
    everywhere = pixels[known].mean(axis=0) if known.any() else pixels.reshape(-1, 3).mean(axis=0)
    faint = np.float32(1e-4)  # far from all of them the mean of all takes over
    mean: np.ndarray = (total + faint * everywhere) / (weight + faint)[..., None]
    return mean


def _unmixed(pixels: np.ndarray, behind: np.ndarray, share: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The object's own colours: what lay behind is taken out; beyond the outline its nearest pixels go on."""
    part = np.maximum(share, 0.5)[..., None]
    colors = np.clip((pixels - (1 - part) * behind) / part, 0, 255)
    solid = share > 0.8 if (share > 0.8).any() else mask
    rows, columns = ndimage.distance_transform_edt(~solid, return_distances=False, return_indices=True)
    unmixed: np.ndarray = np.where((share > 0.5)[..., None], colors, colors[rows, columns]).astype(np.float32)
    return unmixed
