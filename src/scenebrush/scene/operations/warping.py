"""Where a carried object comes to lie: its matrix and its warped mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from scenebrush.errors import EditError
from scenebrush.scene.objects import bounding_box

_LARGEST = 50.0  # a larger factor is a slip of the keyboard


def placement(
    mask: np.ndarray,
    by: tuple[float, float],
    scale: float | Sequence[float] = 1.0,
    rotate: float = 0.0,
    flip: bool = False,
    *,
    on_foot: bool = False,
) -> np.ndarray:
    """Returns the matrix, float (2, 3), that maps a position (x, y, 1) of the mask's picture to its new position.

    Args:
        mask: bool (H, W), the object.
        by: (dx, dy), after the rest.
        scale: factor or (horizontal, vertical) factors.
        rotate: degrees, counter-clockwise as seen.
        flip: mirror left and right.
        on_foot: the point that scaling and turning keep is the middle of the box's lower edge, not of the box.

    Raises:
        EditError: a scale that is not positive, or absurd; an empty mask.
    """
    horizontal, vertical = _factors(scale)
    x, y, width, height = bounding_box(mask)
    # Pixel centres have whole coordinates, so the box goes from x - 0.5 to x + width - 0.5.
    pivot = np.array([x + (width - 1) / 2, y + height - 0.5 if on_foot else y + (height - 1) / 2])
    angle = np.deg2rad(rotate)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])  # y points down
    linear = turn @ np.diag([-horizontal if flip else horizontal, vertical])
    return np.column_stack([linear, pivot + np.asarray(by, float) - linear @ pivot])


def is_identity(matrix: np.ndarray) -> bool:
    """Returns whether a matrix, float (2, 3), leaves every pixel where it is."""
    return bool(np.allclose(matrix, np.eye(2, 3), atol=1e-6))


def warped(mask: np.ndarray, matrix: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Returns the mask as it lies after the matrix in a picture of `shape`, bool (H, W); it may be empty."""
    target = np.zeros(shape, bool)
    x, y, width, height = bounding_box(mask)
    corners = np.array([[x - 1, x + width, x - 1, x + width], [y - 1, y - 1, y + height, y + height], [1, 1, 1, 1]])
    lowest, highest = np.floor((matrix @ corners).min(axis=1)), np.ceil((matrix @ corners).max(axis=1))
    left, top = (max(0, int(v)) for v in lowest)
    right, bottom = min(shape[1], int(highest[0]) + 1), min(shape[0], int(highest[1]) + 1)
    if left >= right or top >= bottom:
        return target
    rows, columns = np.mgrid[top:bottom, left:right]
    inverse = np.linalg.inv(matrix[:, :2])
    source = inverse @ (np.stack([columns.ravel(), rows.ravel()]) - matrix[:, 2:]) - [[x], [y]]
    cut = mask[y : y + height, x : x + width].astype(np.float32)
    values = ndimage.map_coordinates(cut, source[::-1], order=1, mode="grid-constant")
    target[top:bottom, left:right] = values.reshape(rows.shape) > 0.5 - 1e-4  # a half still counts
    return target


def _factors(scale: float | Sequence[float]) -> tuple[float, float]:
    factors = (scale, scale) if isinstance(scale, int | float) else tuple(scale)
    if len(factors) != 2 or not all(0 < f <= _LARGEST for f in factors):
        raise EditError(f"scale {scale} will not do; give a factor above 0 and up to {_LARGEST:g}, or two of them")
    return float(factors[0]), float(factors[1])
