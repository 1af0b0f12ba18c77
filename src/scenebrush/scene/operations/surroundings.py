"""What touches a region: its ring of contact, and the object that it lies on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from scenebrush.scene.layout import Layout
from scenebrush.scene.objects import EIGHT, bounding_box

_CONTACT = 4  # pixels; label edges are sloppy, and some sets draw an unlabelled seam around objects
_CARRIER_SHARE = 0.5  # of the contact; above, the region lies on an object (a window on a facade)

Key = tuple[int, int]
"""(class id, instance)"""
Window = tuple[slice, slice]
"""(rows, columns)"""


def separate(region: np.ndarray) -> Iterator[tuple[Window, np.ndarray]]:
    """Yields the connected parts of a region, each with as much around it as shows where boundaries are heading.

    Yields:
        (window, bool (h, w)).

    Raises:
        EditError: the region is empty.
    """
    bounding_box(region)
    components, _ = ndimage.label(region, structure=EIGHT)
    for number, (rows, columns) in enumerate(ndimage.find_objects(components), start=1):
        margin = max(16, max(rows.stop - rows.start, columns.stop - columns.start) // 2)
        window = (
            slice(max(0, rows.start - margin), min(region.shape[0], rows.stop + margin)),
            slice(max(0, columns.start - margin), min(region.shape[1], columns.stop + margin)),
        )
        yield window, components[window] == number


def contact_ring(part: np.ndarray) -> np.ndarray:
    """Returns the pixels that touch a region, bool (h, w)."""
    ring: np.ndarray = (ndimage.distance_transform_edt(~part) <= _CONTACT) & ~part
    return ring


def carrier(
    layout: Layout, contact: np.ndarray, window: Window, without: tuple[int, ...] = ()
) -> tuple[Key, np.ndarray] | None:
    """Returns the one object (thing) that holds more than half of a ring of contact, if there is one.

    Args:
        layout: what is there.
        contact: bool (h, w), within the window.
        window: where that is.
        without: class ids that do not count.

    Returns:
        Its class and instance, and its part of the ring, bool (h, w).
    """
    labels = layout.label_map[window]
    things = layout.label_set.is_kind(labels, "thing") & ~np.isin(labels, without) & contact
    enough = _CARRIER_SHARE * np.count_nonzero(contact)
    if np.count_nonzero(things) <= enough:
        return None
    numbers = np.zeros_like(labels) if layout.instance_map is None else layout.instance_map[window]
    pairs, counts = np.unique(np.stack([labels[things], numbers[things]], axis=1), axis=0, return_counts=True)
    if counts.max() <= enough:
        return None
    class_id, number = (int(v) for v in pairs[counts.argmax()])
    return (class_id, number), things & (labels == class_id) & (numbers == number)
