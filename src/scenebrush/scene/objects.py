"""Objects of a layout: by instance number, else as connected components of a class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage import measure

from scenebrush.errors import EditError
from scenebrush.scene.label_set import LabelSet
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


def with_pockets(layout: Layout, mask: np.ndarray) -> np.ndarray:
    """Returns an object's mask with the unlabelled pixels that it shuts in, bool (H, W): the rucksack on its back."""
    x, y, width, height = bounding_box(mask)
    window = slice(y, y + height), slice(x, x + width)
    whole = mask.copy()
    shut_in = ndimage.binary_fill_holes(mask[window]) & layout.label_set.is_kind(layout.label_map[window], "void")
    whole[window] |= shut_in
    return whole


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
    for mask in _components(_loose(layout, class_id)):
        yield SceneObject(mask, class_id)


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
        yield from _components(loose & (layout.label_map == class_id))


def connected_objects(label_map: np.ndarray, label_set: LabelSet, *, least: int = 1) -> np.ndarray:
    """Returns an instance map, int32 (H, W): the 8-connected components of every thing class, 1..N, 0 = no thing.

    Numbers rise class by class (in the label set's order) and inside a class from top to bottom.

    Args:
        label_map: int (H, W).
        label_set: tells which classes are things.
        least: components of fewer pixels are left out.
    """
    things = label_set.of_kind("thing")
    rank = np.zeros(max(int(label_map.max(initial=0)), *things, 0) + 1, np.int32)
    rank[list(things)] = np.arange(1, len(things) + 1)
    ranks = rank[label_map]
    # one pass for all classes: neighbours of one value are joined, 0 is the background
    components = np.asarray(measure.label(ranks, background=0, connectivity=2))  # type: ignore[no-untyped-call]
    areas = np.bincount(components.ravel())
    first = np.empty(len(areas), int)
    first[components.ravel()[::-1]] = np.arange(components.size - 1, -1, -1)  # the last written is the topmost
    kept = np.flatnonzero(areas >= least)
    kept = kept[kept > 0]
    order = kept[np.lexsort((first[kept], ranks.ravel()[first[kept]]))]
    numbers = np.zeros(len(areas), np.int32)
    numbers[order] = np.arange(1, len(order) + 1)
    instance_map: np.ndarray = numbers[components]
    return instance_map


def numbered(layout: Layout) -> Layout:
    """Returns the layout with an instance map in which every thing has a number.

    Numbers that are there stay; things without one are taken apart into connected components, which get those after
    the highest. Stuff keeps 0. No boundary between objects is made or lost by it.
    """
    there = np.zeros(layout.shape, np.int32) if layout.instance_map is None else layout.instance_map
    loose = layout.label_set.is_kind(layout.label_map, "thing") & (there == 0)
    if layout.instance_map is not None and not loose.any():
        return layout
    no_thing = max(int(layout.label_map.max(initial=0)), *layout.label_set.ids) + 1
    found = connected_objects(np.where(loose, layout.label_map, no_thing), layout.label_set)
    numbers = np.where(loose, found + there.max(initial=0), there)
    return Layout(layout.label_map, layout.label_set, numbers)


def checked_point(layout: Layout, at: tuple[float, float]) -> tuple[int, int]:
    """Returns a point (x, y) as whole pixels (column, row), or raises `EditError` if it lies outside the picture."""
    height, width = layout.shape
    if len(at) != 2 or not all(isinstance(v, int | float | np.number) and np.isfinite(v) for v in at):
        raise EditError(f"point {at!r} will not do; give (x, y), two numbers")
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


def _components(places: np.ndarray) -> Iterator[np.ndarray]:
    """The 8-connected components of some places, bool (H, W), as masks of the same size."""
    components, _ = ndimage.label(places, structure=EIGHT)
    for number, box in enumerate(ndimage.find_objects(components), start=1):
        mask = np.zeros(places.shape, bool)
        mask[box] = components[box] == number
        yield mask
