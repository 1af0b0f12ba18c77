"""Objects of a layout: by instance number, else as connected components of a class."""

from __future__ import annotations

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


def objects_of(layout: Layout, class_: str | int) -> list[SceneObject]:
    """Returns all objects of a class, instances first, then components from top to bottom; none gives an empty list.

    Raises:
        LabelError: the label set has no such class.
    """
    class_id = layout.label_set.find(class_).id
    found: list[SceneObject] = []
    if layout.instance_map is not None:
        numbers = np.unique(layout.instance_map[layout.label_map == class_id])
        found = [SceneObject(layout.instance_map == n, class_id, int(n)) for n in numbers if n > 0]
    components, count = ndimage.label(_loose(layout, class_id), structure=EIGHT)
    return found + [SceneObject(components == n, class_id) for n in range(1, count + 1)]


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
    return of_class if layout.instance_map is None else of_class & (layout.instance_map == 0)
