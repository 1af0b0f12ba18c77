"""The colours of a drawing's classes, and how far other colours are from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage import color

SAME = 9.0
"""Colours nearer than this (CIE-Lab, Euclidean) are one class."""

NOISY = 18.0
"""The same in a noisy drawing: a JPEG spreads one paint this far."""

_CALM = 20  # levels that the channels of a flat area differ by within 3 x 3 pixels, at most
_STEP = 8  # levels that share a bin of the histogram
_YCBCR = np.array([[0.299, 0.587, 0.114], [-0.169, -0.331, 0.5], [0.5, -0.419, -0.081]])


@dataclass(frozen=True, eq=False)
class Paints:
    """Colours of classes.

    Args:
        rgb: float (K, 3), 0-255.
        counts: (K,), how many pixels show each.
    """

    rgb: np.ndarray
    counts: np.ndarray

    @property
    def lab(self) -> np.ndarray:
        """float (K, 3), CIE-Lab."""
        return lab_of(self.rgb)


def peaks(pixels: np.ndarray, same: float = SAME) -> Paints:
    """Returns the peaks of the histogram of pixels, uint8 (N, 3): no one within `same` of a more frequent one."""
    means, counts, inverse = bins(pixels)
    lab = lab_of(means)
    chosen: list[int] = []
    left = counts.copy()
    while left.any():
        chosen.append(int(left.argmax()))
        left[distances(lab, lab[chosen[-1:]])[:, 0] < same] = 0
    members = distances(lab, lab[chosen]).argmin(axis=1)[inverse]
    rgb = np.array([np.median(pixels[members == k], axis=0) for k in range(len(chosen))])
    return Paints(rgb, np.bincount(members, minlength=len(chosen)))


def without_one(paints: Paints) -> Paints:
    """Returns the paints with two made one, the more frequent, whose union costs least (Ward's criterion)."""
    i, j = np.triu_indices(len(paints.rgb), 1)
    weights = paints.counts[i] * paints.counts[j] / np.maximum(paints.counts[i] + paints.counts[j], 1)
    cheapest = int((weights * ((paints.lab[i] - paints.lab[j]) ** 2).sum(axis=1)).argmin())
    pair = sorted((int(i[cheapest]), int(j[cheapest])), key=lambda k: paints.counts[k])
    counts = paints.counts.copy()
    counts[pair[1]] += counts[pair[0]]
    return Paints(np.delete(paints.rgb, pair[0], 0), np.delete(counts, pair[0]))


def calm_of(picture: np.ndarray) -> np.ndarray:
    """Returns where a picture is flat, bool (H, W): where no channel differs by much within 3 x 3 pixels."""
    highest, lowest = (
        f(picture, size=(3, 3, 1), mode="nearest") for f in (ndimage.maximum_filter, ndimage.minimum_filter)
    )
    calm: np.ndarray = np.all(highest.astype(np.int16) - lowest <= _CALM, axis=2)
    return calm


def off_mixtures(rgb: np.ndarray, of: np.ndarray) -> np.ndarray:
    """Returns how far colours, float (N, 3) in 0-255, are from all mixtures of two of `of`, (K, 3): (N,) in levels.

    Lightness and hue may be mixed in different shares: where a JPEG stores hue at half the size, its rims are.
    """
    if len(of) < 2:
        return np.full(len(rgb), np.inf)
    points, ends = rgb @ _YCBCR.T, of @ _YCBCR.T
    i, j = np.triu_indices(len(of), 1)
    light, low, high = points[:, None, 0], np.minimum(ends[i, 0], ends[j, 0]), np.maximum(ends[i, 0], ends[j, 0])
    off_light = np.maximum(np.maximum(low - light, light - high), 0)
    along = ends[j, 1:] - ends[i, 1:]
    to_point = points[:, None, 1:] - ends[i, 1:]
    share = ((to_point * along).sum(axis=2) / np.maximum((along**2).sum(axis=1), 1e-9)).clip(0, 1)
    off_hue = np.linalg.norm(to_point - share[..., None] * along, axis=2)
    off: np.ndarray = np.asarray(np.hypot(off_light, off_hue)).min(axis=1)
    return off


def bins(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the histogram of pixels (N, 3): its bins' mean colours (B, 3) and counts (B,), each pixel's bin (N,)."""
    coarse = pixels.astype(np.int64) // _STEP
    _, inverse, counts = np.unique(
        (coarse[:, 0] << 16) + (coarse[:, 1] << 8) + coarse[:, 2], return_inverse=True, return_counts=True
    )
    sums = [np.bincount(inverse, weights=pixels[:, c], minlength=len(counts)) for c in range(3)]
    return np.stack(sums, axis=1) / counts[:, None], counts, inverse


def nearest_of(picture: np.ndarray, lab: np.ndarray) -> np.ndarray:
    """Returns the index of the colour, of (K, 3) in Lab, that each pixel of uint8 (H, W, 3) is nearest to: (H, W)."""
    means, _, inverse = bins(picture.reshape(-1, 3))
    nearest: np.ndarray = distances(lab_of(means), lab).argmin(axis=1)[inverse].reshape(picture.shape[:2])
    return nearest


def distances(lab: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Returns how far colours (N, 3) are from centres (K, 3): (N, K)."""
    far: np.ndarray = np.linalg.norm(lab[:, None] - centres[None], axis=2)
    return far


def lab_of(rgb: np.ndarray) -> np.ndarray:
    """Returns RGB 0-255 (..., 3) as CIE-Lab, float."""
    return np.asarray(color.rgb2lab(np.asarray(rgb, np.float64) / 255))
