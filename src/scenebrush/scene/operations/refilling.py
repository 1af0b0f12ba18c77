"""What a hole becomes: the classes around it run on into it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from scenebrush.errors import EditError
from scenebrush.scene.layout import Layout
from scenebrush.scene.operations.level_sets import continue_regions
from scenebrush.scene.operations.surroundings import Key, Window, carrier, contact_ring, separate

_SMALLEST_SHARE = 0.01  # of the contact; below, a class is a speck of sloppy labelling


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
    for window, part in separate(region):
        keyed = _stuff_around(layout, region, part, without, window)
        if not keyed:
            part, window = _whole(region.shape, window, part)
            keyed = _stuff_around(layout, region, part, without, window) or _anything(layout, region, part, without)
        chosen = _chosen(keyed, part)
        labels[window][part] = np.array([class_id for (class_id, _), _ in keyed])[chosen]
        if numbers is not None:
            numbers[window][part] = np.array([number for (_, number), _ in keyed])[chosen]
    return Refill(labels, numbers)


def _whole(shape: tuple[int, ...], window: Window, part: np.ndarray) -> tuple[np.ndarray, Window]:
    """A part seen in the whole picture."""
    everywhere = np.zeros(shape, bool)
    everywhere[window] = part
    return everywhere, (slice(0, shape[0]), slice(0, shape[1]))


def _chosen(keyed: list[tuple[Key, np.ndarray]], part: np.ndarray) -> np.ndarray:
    """Which of `keyed` each pixel of the part becomes, (N,); sorts `keyed`."""
    # From top to bottom: most boundaries of a photo lie between something above and something below.
    keyed.sort(key=lambda item: float(np.mean(np.nonzero(item[1])[0])))
    sources = np.zeros(part.shape, np.int32)
    for number, (_, mask) in enumerate(keyed, start=1):
        sources[mask] = number
    chosen: np.ndarray = continue_regions(sources, part)[part] - 1
    return chosen


def _stuff_around(
    layout: Layout, region: np.ndarray, part: np.ndarray, without: tuple[int, ...], window: Window
) -> list[tuple[Key, np.ndarray]]:
    """What may run on into a part of the region, with where it is in the window, bool (h, w)."""
    labels, outside = layout.label_map[window], ~region[window]
    stuff = [i for i in layout.label_set.of_kind("stuff") if i not in without]
    candidates = np.isin(labels, stuff) & outside
    contact = contact_ring(part) & outside
    touching = labels[contact & candidates]
    if not len(touching) and candidates.any():
        touching = _nearest(labels, candidates, part)
    keyed = [((i, 0), candidates & (labels == i)) for i in _frequent(touching)]
    under = carrier(layout, contact, window, without)
    return keyed if under is None else [*keyed, under]


def _anything(
    layout: Layout, region: np.ndarray, part: np.ndarray, without: tuple[int, ...]
) -> list[tuple[Key, np.ndarray]]:
    """No stuff in the whole picture: the nearest classes of any kind; numbered instances do not run on."""
    void = layout.label_set.of_kind("void")
    candidates = ~np.isin(layout.label_map, [*void, *without]) & ~region
    if not candidates.any():
        raise EditError("nothing surrounds what is to go; say what it becomes: to=CLASS, in a script 'to'")
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
