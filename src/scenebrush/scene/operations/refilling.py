"""What a hole becomes: the classes around it run on into it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from scenebrush.errors import EditError
from scenebrush.scene.layout import Layout
from scenebrush.scene.objects import EIGHT, bounding_box
from scenebrush.scene.operations.level_sets import continue_regions

_CONTACT = 4  # pixels; label edges are sloppy, and some sets draw an unlabelled seam around objects
_SMALLEST_SHARE = 0.01  # of the contact; below, a class is a speck of sloppy labelling
_SUPPORT_SHARE = 0.5  # of the contact; above, the object lies on another one (a window on a facade)

_Key = tuple[int, int]  # (class id, instance)
_Window = tuple[slice, slice]


@dataclass(frozen=True, eq=False)
class Refill:
    """A layout's maps with a region refilled: int32 (H, W) each; `instance_map` None where the layout has none."""

    label_map: np.ndarray
    instance_map: np.ndarray | None


def refill(layout: Layout, region: np.ndarray, without: tuple[int, ...] = ()) -> Refill:
    """Returns the layout's maps with a region refilled by the stuff that surrounds it.

    Where no stuff touches the region the nearest counts; an object that holds more than half of the region's
    contact counts as well (what a window lies on is the facade), and runs on under its own instance number.

    Args:
        layout: what is there now; the region's own labels do not matter.
        region: bool (H, W).
        without: class ids that are not to be used (the class of the object that goes).

    Raises:
        EditError: the region is empty, or there is nothing in the picture that it could become.
    """
    labels, numbers = layout.label_map.copy(), _copied(layout.instance_map)
    for window, part in _separate(region):
        keyed = _stuff_around(layout, region, part, without, window)
        if not keyed:
            part, window = _whole(region.shape, window, part)
            keyed = _stuff_around(layout, region, part, without, window) or _anything(layout, region, part, without)
        chosen = _chosen(keyed, part)
        labels[window][part] = np.array([class_id for (class_id, _), _ in keyed])[chosen]
        if numbers is not None:
            numbers[window][part] = np.array([number for (_, number), _ in keyed])[chosen]
    return Refill(labels, numbers)


def _separate(region: np.ndarray) -> Iterator[tuple[_Window, np.ndarray]]:
    """Yields the connected parts of a region, each in a window with as much around it as boundaries need to show
    where they are heading: (window, bool (h, w))."""
    bounding_box(region)  # refuses an empty one
    components, _ = ndimage.label(region, structure=EIGHT)
    for number, (rows, columns) in enumerate(ndimage.find_objects(components), start=1):
        margin = max(16, max(rows.stop - rows.start, columns.stop - columns.start) // 2)
        window = (
            slice(max(0, rows.start - margin), min(region.shape[0], rows.stop + margin)),
            slice(max(0, columns.start - margin), min(region.shape[1], columns.stop + margin)),
        )
        yield window, components[window] == number


def _whole(shape: tuple[int, ...], window: _Window, part: np.ndarray) -> tuple[np.ndarray, _Window]:
    """A part seen in the whole picture."""
    everywhere = np.zeros(shape, bool)
    everywhere[window] = part
    return everywhere, (slice(0, shape[0]), slice(0, shape[1]))


def _chosen(keyed: list[tuple[_Key, np.ndarray]], part: np.ndarray) -> np.ndarray:
    """Which of `keyed` each pixel of the part becomes, (N,); sorts `keyed`."""
    # From top to bottom: most boundaries of a photo lie between something above and something below.
    keyed.sort(key=lambda item: float(np.mean(np.nonzero(item[1])[0])))
    sources = np.zeros(part.shape, np.int32)
    for number, (_, mask) in enumerate(keyed, start=1):
        sources[mask] = number
    chosen: np.ndarray = continue_regions(sources, part)[part] - 1
    return chosen


def _stuff_around(
    layout: Layout, region: np.ndarray, part: np.ndarray, without: tuple[int, ...], window: _Window
) -> list[tuple[_Key, np.ndarray]]:
    """What may run on into a part of the region, with where it is in the window, bool (h, w)."""
    labels, outside = layout.label_map[window], ~region[window]
    stuff = [i for i in layout.label_set.of_kind("stuff") if i not in without]
    candidates = np.isin(labels, stuff) & outside
    contact = (ndimage.distance_transform_edt(~part) <= _CONTACT) & outside
    touching = labels[contact & candidates]
    if not len(touching) and candidates.any():
        touching = _nearest(labels, candidates, part)
    keyed = [((i, 0), candidates & (labels == i)) for i in _frequent(touching)]
    support = _support(layout, contact, without, window)
    return keyed if support is None else [*keyed, support]


def _support(
    layout: Layout, contact: np.ndarray, without: tuple[int, ...], window: _Window
) -> tuple[_Key, np.ndarray] | None:
    """The one object that surrounds most of the region, if there is one."""
    labels = layout.label_map[window]
    things = layout.label_set.is_kind(labels, "thing") & ~np.isin(labels, without) & contact
    enough = _SUPPORT_SHARE * np.count_nonzero(contact)
    if np.count_nonzero(things) <= enough:
        return None
    numbers = np.zeros_like(labels) if layout.instance_map is None else layout.instance_map[window]
    pairs, counts = np.unique(np.stack([labels[things], numbers[things]], axis=1), axis=0, return_counts=True)
    if counts.max() <= enough:
        return None
    class_id, number = (int(v) for v in pairs[counts.argmax()])
    return (class_id, number), things & (labels == class_id) & (numbers == number)


def _anything(
    layout: Layout, region: np.ndarray, part: np.ndarray, without: tuple[int, ...]
) -> list[tuple[_Key, np.ndarray]]:
    """No stuff in the whole picture: the nearest classes of any kind; numbered instances do not run on."""
    void = layout.label_set.of_kind("void")
    candidates = ~np.isin(layout.label_map, [*void, *without]) & ~region
    if not candidates.any():
        raise EditError("nothing surrounds what is to go; say what it becomes (to=CLASS)")
    nearest = _frequent(_nearest(layout.label_map, candidates, part))
    return [((i, 0), candidates & (layout.label_map == i)) for i in nearest]


def _nearest(labels: np.ndarray, candidates: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The labels of the candidates that are nearest to the region's pixels, (N,)."""
    rows, columns = ndimage.distance_transform_edt(~candidates, return_distances=False, return_indices=True)
    nearest: np.ndarray = labels[rows[inside], columns[inside]]
    return nearest


def _frequent(ids: np.ndarray) -> list[int]:
    values, counts = np.unique(ids, return_counts=True)
    return [int(v) for v, n in zip(values, counts, strict=True) if n > _SMALLEST_SHARE * len(ids)]


def _copied(array: np.ndarray | None) -> np.ndarray | None:
    return None if array is None else array.copy()
