"""Shapes to add: masks placed at a point, polygons, boxes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from scenebrush.errors import EditError
from scenebrush.scene.objects import bounding_box

Point = tuple[float, float]


def checked_mask(mask: np.ndarray, shape: tuple[int, int] | None = None) -> np.ndarray:
    """Returns a mask as bool (H, W); `EditError` if it is empty or not of the given shape."""
    mask = np.asarray(mask)
    if mask.ndim != 2:
        raise EditError(f"a mask has shape (H, W); this one has {mask.shape}")
    if shape is not None and mask.shape != shape:
        raise EditError(
            f"the mask is {mask.shape[1]}x{mask.shape[0]}, the picture {shape[1]}x{shape[0]}; give a mask of the"
            " picture's size, or say where it goes (at=, or @X,Y after the mask)"
        )
    mask = mask != 0
    if not mask.any():
        raise EditError("the mask is empty; mark at least one pixel")
    return mask


def placed(mask: np.ndarray, at: Point | None, shape: tuple[int, int]) -> np.ndarray:
    """Returns a mask of any size laid onto a picture of `shape`, bool (H, W).

    Args:
        mask: (h, w), true or non-zero = inside.
        at: (x, y), where the middle of the mask's bounding box comes to lie; None: the mask has the picture's size.
        shape: (H, W).

    Raises:
        EditError: an empty mask, a wrong size, or a place outside the picture.
    """
    if at is None:
        return checked_mask(mask, shape)
    mask = checked_mask(mask)
    x, y, width, height = bounding_box(mask)
    cut = mask[y : y + height, x : x + width]
    left, top = round(at[0] - (width - 1) / 2), round(at[1] - (height - 1) / 2)
    return pasted(cut, left, top, shape)


def pasted(cut: np.ndarray, left: int, top: int, shape: tuple[int, int]) -> np.ndarray:
    """Returns bool (H, W) with `cut` at (left, top); what lies outside is cut off, `EditError` if all of it does."""
    canvas = np.zeros(shape, bool)
    height, width = cut.shape
    rows = slice(max(0, top), min(shape[0], top + height))
    columns = slice(max(0, left), min(shape[1], left + width))
    if rows.start < rows.stop and columns.start < columns.stop:
        canvas[rows, columns] = cut[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
    if not canvas.any():
        raise EditError(
            f"the shape would lie at ({left}, {top}) to ({left + width - 1}, {top + height - 1}), outside the picture"
            f" of {shape[1]}x{shape[0]}; place it inside"
        )
    return canvas


def polygon_mask(points: Sequence[Point], shape: tuple[int, int]) -> np.ndarray:
    """Returns the inside of a polygon of (x, y) corners, its outline included, bool (H, W)."""
    if len(points) < 3:
        raise EditError(f"a polygon needs at least 3 corners; this one has {len(points)}")
    canvas = Image.new("1", (shape[1], shape[0]))
    ImageDraw.Draw(canvas).polygon([(float(x), float(y)) for x, y in points], fill=1, outline=1)
    mask = np.asarray(canvas).copy()
    if not mask.any():
        raise EditError(f"the polygon lies outside the picture of {shape[1]}x{shape[0]}; place it inside")
    return mask


def stroke_mask(points: Sequence[Point], width: float, shape: tuple[int, int]) -> np.ndarray:
    """Returns what a round brush, `width` pixels wide, covers along (x, y) points, bool (H, W); one point is a dot.

    Raises:
        EditError: no points, a width below 1, or a stroke outside the picture.
    """
    if not len(points) or width < 1:
        raise EditError(
            f"a stroke of {len(points)} points, {width:g} pixels wide, paints nothing; give 1 or more of each"
        )
    canvas = Image.new("1", (shape[1], shape[0]))
    draw, radius = ImageDraw.Draw(canvas), (width - 1) / 2
    draw.line([(float(x), float(y)) for x, y in points], fill=1, width=round(width))
    draw.point([(round(x), round(y)) for x, y in points], fill=1)  # an ellipse of one pixel is none
    for x, y in points:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1)
    mask = np.asarray(canvas).copy()
    if not mask.any():
        raise EditError(f"the stroke lies outside the picture of {shape[1]}x{shape[0]}; paint inside")
    return mask


def box_mask(box: Sequence[float], shape: tuple[int, int]) -> np.ndarray:
    """Returns a box (x, y, width, height) as bool (H, W)."""
    x, y, width, height = (round(v) for v in box)
    if width < 1 or height < 1:
        raise EditError(f"box {tuple(box)} is empty; give (x, y, width, height) with sides of at least one pixel")
    return pasted(np.ones((height, width), bool), x, y, shape)
