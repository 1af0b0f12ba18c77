"""Which object is which in a layout whose things are all numbered (`objects.numbered`): by class and number."""

from __future__ import annotations

from typing import Final

import numpy as np

from scenebrush.errors import EditError
from scenebrush.scene.layout import Layout
from scenebrush.scene.objects import bounding_box, checked_point

ObjectKey = tuple[int, int]
"""Class id and number in the instance map. All pixels of a class without a number are one object."""

_IDS_PER_CLASS: Final = 2**32


def object_keys(layout: Layout) -> set[ObjectKey]:
    """Returns all objects of a layout."""
    pairs = np.unique(layout.label_map * np.int64(_IDS_PER_CLASS) + _numbers(layout))
    ids, numbers = np.divmod(pairs, _IDS_PER_CLASS)
    return set(zip(ids.tolist(), numbers.tolist(), strict=True))


def key_at(layout: Layout, at: tuple[float, float]) -> ObjectKey:
    """Returns the object at a point (x, y); `EditError` if that lies outside the picture."""
    column, row = checked_point(layout, at)
    return int(layout.label_map[row, column]), int(_numbers(layout)[row, column])


def mask_of(layout: Layout, key: ObjectKey) -> np.ndarray:
    """Returns the pixels of an object, bool (H, W)."""
    mask: np.ndarray = (layout.label_map == key[0]) & (_numbers(layout) == key[1])
    return mask


def added_key(before: Layout, after: Layout, class_: str | int) -> ObjectKey:
    """Returns the object of a class that lies in a layout where it did not in the one before.

    Raises:
        EditError: there is none.
    """
    wanted = after.label_set.find(class_)
    new = (before.label_map != after.label_map) | (_numbers(before) != _numbers(after))
    numbers = _numbers(after)[new & (after.label_map == wanted.id)]
    if not len(numbers):
        raise EditError(f"all that was to be added is {wanted.name!r} already; give that another style (set_style)")
    return wanted.id, int(np.bincount(numbers).argmax())


def preview_box(mask: np.ndarray, least: int) -> tuple[int, int, int, int]:
    """Returns a box around the true pixels, (x, y, width, height), with sides of `least` where the picture has them."""
    x, y, width, height = bounding_box(mask)
    left, across = _stretch(x, width, least, mask.shape[1])
    top, down = _stretch(y, height, least, mask.shape[0])
    return left, top, across, down


def _stretch(first: int, length: int, least: int, whole: int) -> tuple[int, int]:
    side = min(max(length, least), whole)
    return min(max(first - (side - length) // 2, 0), whole - side), side


def _numbers(layout: Layout) -> np.ndarray:
    return np.zeros(layout.shape, np.int32) if layout.instance_map is None else layout.instance_map
