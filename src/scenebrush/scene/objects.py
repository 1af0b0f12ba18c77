"""Objects of a layout: by instance number, else as connected components of a class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from scenebrush.errors import EditError
from scenebrush.scene.layout import Layout

EIGHT = np.ones((3, 3), bool)
"""Diagonal neighbours belong together."""


@dataclass(frozen=True, eq=False)
class SceneObject:
    """One object.

    Args:
        mask: bool (H, W), its pixels.
        class_id: its class.
        instance: its number in the instance map, 0 = found as a connected component.
    """

    mask: np.ndarray
    class_id: int
    instance: int = 0

    @property
    def box(self) -> tuple[int, int, int, int]:
        """(x, y, width, height) of its bounding box."""
        return bounding_box(self.mask)


def object_at(layout: Layout, at: tuple[float, float]) -> SceneObject:
    """Returns the object at a point (x, y): its instance, else the 8-connected component of its class.

    Raises:
        EditError: the point lies outside the picture.
    """
    column, row = checked_point(layout, at)
    class_id = int(layout.label_map[row, column])
    if layout.instance_map is not None and layout.instance_map[row, column] > 0:
        number = int(layout.instance_map[row, column])
        return SceneObject(layout.instance_map == number, class_id, number)
    components, _ = ndimage.label(_loose(layout, class_id), structure=EIGHT)
    return SceneObject(components == components[row, column], class_id)


def objects_of(layout: Layout, class_: str | int) -> Iterator[SceneObject]:
    """Yields all objects of a class, instances first, then components from top to bottom.

    Raises:
        LabelError: the label set has no such class.
    """
    class_id = layout.label_set.find(class_).id
    if layout.instance_map is not None:
        for number in np.unique(layout.instance_map[layout.label_map == class_id]):
            if number > 0:
                yield SceneObject(layout.instance_map == number, class_id, int(number))
    components, count = ndimage.label(_loose(layout, class_id), structure=EIGHT)
    for number in range(1, count + 1):
        yield SceneObject(components == number, class_id)


def things_within(layout: Layout, region: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the objects (things) of a region as masks, bool (H, W) each, cut off at the region's edge."""
    things = region & layout.label_set.is_kind(layout.label_map, "thing")
    loose = things
    if layout.instance_map is not None:
        for number in np.unique(layout.instance_map[things]):
            if number > 0:
                yield things & (layout.instance_map == number)
        loose = things & (layout.instance_map == 0)
    for class_id in np.unique(layout.label_map[loose]):
        components, count = ndimage.label(loose & (layout.label_map == class_id), structure=EIGHT)
        for number in range(1, count + 1):
            yield components == number


def checked_point(layout: Layout, at: tuple[float, float]) -> tuple[int, int]:
    """Returns a point (x, y) as whole pixels (column, row), or raises `EditError` if it lies outside the picture."""
    height, width = layout.shape
    column, row = int(np.floor(at[0])), int(np.floor(at[1]))
    if not (0 <= column < width and 0 <= row < height):
        raise EditError(
            f"point ({at[0]:g}, {at[1]:g}) lies outside the picture of {width}x{height};"
            f" x goes from 0 to {width - 1}, y from 0 to {height - 1}"
        )
    return column, row


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    """Returns (x, y, width, height) of the true pixels; `EditError` if there are none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise EditError("the mask is empty; mark at least one pixel")
    x, y = int(columns[0]), int(rows[0])
    return x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1


def new_instance(layout: Layout) -> int:
    """Returns a number that no instance has yet."""
    return 0 if layout.instance_map is None else int(layout.instance_map.max(initial=0)) + 1


def _loose(layout: Layout, class_id: int) -> np.ndarray:
    """Pixels of a class that belong to no instance."""
    of_class = layout.label_map == class_id
    loose: np.ndarray = of_class if layout.instance_map is None else of_class & (layout.instance_map == 0)
    return loose
