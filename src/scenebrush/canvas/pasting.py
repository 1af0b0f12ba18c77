"""Carried objects: their own pixels, warped to the new place, with a soft rim and their shadow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from scenebrush.canvas.color import fitted
from scenebrush.canvas.matting import matte
from scenebrush.scene.edit import Carry

_DARKEST = 0.35  # a shadow leaves at least this share of the light
_FAINT = 0.05  # a smaller share of an object in a pixel does not show


@dataclass(frozen=True, eq=False)
class Warped:
    """A carried object as it lies in the edited photo, within `window` (rows, columns).

    `pixels` float (h, w, 3) 0-255; `alpha` float (h, w) in [0, 1]; `shade` float (h, w), the share of light that its
    shadow leaves to the ground (1 = all).
    """

    window: tuple[slice, slice]
    pixels: np.ndarray
    alpha: np.ndarray
    shade: np.ndarray


def paste(photo: np.ndarray, carry: Carry, hole: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the photo, uint8 (H, W, 3), with a carried object and its shadow in it, and bool (H, W), where it shows.

    Only the hole changes. An object shows where it lies (`carry.target`) and, faintly, on the soft rim around that.

    Args:
        photo: uint8 (H, W, 3), the hole filled with what lies behind the object.
        carry: the object; one of which nothing lies in the photo changes nothing.
        hole: bool (H, W).
    """
    shown = carry.target & hole
    if not shown.any() or not carry.mask.any():
        return photo.copy(), np.zeros_like(shown)
    warped = warp(carry, photo.shape[:2])
    window = warped.window
    under = photo[window].astype(np.float64)
    pixels = warped.pixels
    if carry.donor.photo.shape != photo.shape or not np.array_equal(carry.donor.photo[~hole], photo[~hole]):
        pixels = fitted(pixels, _surroundings(carry.donor.photo, carry.mask), _surroundings(photo, carry.target))
    alpha = np.where(carry.target[window] | (hole[window] & _soft(carry.target[window])), warped.alpha, 0.0)
    alpha = np.minimum(alpha, hole[window])[..., None]
    shade = np.where(hole[window], warped.shade, 1.0)[..., None]
    shown[window] |= alpha[..., 0] > _FAINT
    result = photo.copy()
    mixed = alpha * pixels + (1 - alpha) * under * shade
    result[window] = np.where(hole[window][..., None], np.rint(mixed).clip(0, 255), under).astype(np.uint8)
    return result, shown


def warp(carry: Carry, shape: tuple[int, int]) -> Warped:
    """Returns a carried object at its place in a picture of `shape`; antialiased where it shrinks."""
    box = _box(carry.mask | carry.shadow if carry.shadow is not None else carry.mask, 6)
    pixels, share = matte(carry.donor.photo[box], carry.mask[box])
    shade = _shade(carry, box)
    shrink = float(np.sqrt(abs(np.linalg.det(carry.matrix[:, :2]))))
    if shrink < 1:
        sigma = 0.5 * (1 / shrink - 1)
        pixels, share = ndimage.gaussian_filter(pixels, (sigma, sigma, 0)), ndimage.gaussian_filter(share, sigma)
        shade = ndimage.gaussian_filter(shade, sigma)
    window = _target_window(carry.matrix, box, shape)
    rows, columns = np.mgrid[window]
    inverse = np.linalg.inv(carry.matrix[:, :2])
    x, y = inverse @ (np.stack([columns.ravel(), rows.ravel()]) - carry.matrix[:, 2:])
    places = np.stack([y - box[0].start, x - box[1].start]).reshape(2, *rows.shape)
    order: Literal[0, 3] = 0 if _keeps_pixels(carry.matrix) else 3
    moved = [ndimage.map_coordinates(pixels[..., c], places, order=order, mode="nearest") for c in range(3)]
    alpha = ndimage.map_coordinates(share, places, order=1, cval=0.0)
    return Warped(
        window,
        np.stack(moved, -1).clip(0, 255),
        alpha.astype(np.float64),
        ndimage.map_coordinates(shade, places, order=1, cval=1.0),
    )


def _keeps_pixels(matrix: np.ndarray) -> bool:
    """Whether an object is moved by whole pixels, mirrored or not: then its pixels stay as they are."""
    upright = np.allclose(np.abs(matrix[:, :2]), np.eye(2))
    return bool(upright and np.allclose(matrix[:, 2], np.rint(matrix[:, 2])))


def _shade(carry: Carry, box: tuple[slice, slice]) -> np.ndarray:
    """Returns the share of light that the object's shadow leaves at each donor pixel, float (h, w), 1 outside of it."""
    shade = np.ones(carry.mask[box].shape)
    if carry.shadow is None or not carry.shadow[box].any():
        return shade
    shadow, light = carry.shadow[box], carry.donor.photo[box].mean(-1)
    labels = carry.donor.layout.label_map[box]
    around = ndimage.binary_dilation(shadow, iterations=12) & ~ndimage.binary_dilation(shadow, iterations=2)
    around &= ~carry.mask[box]
    for class_id in np.unique(labels[shadow]):
        here, lit = shadow & (labels == class_id), around & (labels == class_id)
        if np.count_nonzero(lit) >= 12:
            shade[here] = np.clip(light[here] / max(float(np.median(light[lit])), 1.0), _DARKEST, 1.0)
    weight = ndimage.gaussian_filter(shadow.astype(float), 1.5) * ~carry.mask[box]
    smooth = ndimage.gaussian_filter(np.where(shadow, shade, 0.0), 1.5) / np.maximum(
        ndimage.gaussian_filter(shadow.astype(float), 1.5), 1e-3
    )
    return np.where(weight > 1e-3, 1 - weight * (1 - smooth), 1.0)


def _surroundings(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Returns the pixels (N, 3) around an object, up to half its size away."""
    box = _box(mask, 4)
    reach = max(8, (box[0].stop - box[0].start + box[1].stop - box[1].start) // 4)
    wide = _box(mask, reach)
    return photo[wide][~ndimage.binary_dilation(mask[wide], iterations=3)]


def _soft(target: np.ndarray) -> np.ndarray:
    return ndimage.binary_dilation(target, iterations=2)


def _box(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (
        slice(max(0, rows[0] - margin), min(mask.shape[0], rows[-1] + margin + 1)),
        slice(max(0, columns[0] - margin), min(mask.shape[1], columns[-1] + margin + 1)),
    )


def _target_window(matrix: np.ndarray, box: tuple[slice, slice], shape: tuple[int, int]) -> tuple[slice, slice]:
    corners = np.array([[x, y, 1.0] for x in (box[1].start, box[1].stop) for y in (box[0].start, box[0].stop)])
    low, high = np.floor((matrix @ corners.T).min(1)).astype(int), np.ceil((matrix @ corners.T).max(1)).astype(int)
    return (
        slice(int(np.clip(low[1], 0, shape[0])), int(np.clip(high[1] + 1, 0, shape[0]))),
        slice(int(np.clip(low[0], 0, shape[1])), int(np.clip(high[0] + 1, 0, shape[1]))),
    )
