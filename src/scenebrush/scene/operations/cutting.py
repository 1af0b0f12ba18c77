"""Objects in boxes of photos: cut out by something that tells an object from what lies around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from scenebrush.errors import EditError, ModelError
from scenebrush.scene.label_set import LabelClass, LabelSet
from scenebrush.scene.layout import Layout

if TYPE_CHECKING:
    from scenebrush.scene.scene import Scene

Corners = tuple[int, int, int, int]
"""(x0, y0, x1, y1) of a box in whole pixels; x1 and y1 are the first ones outside of it."""

NO_LABELS = LabelSet("no labels", (LabelClass(0, "unlabelled", (0, 0, 0), "void"),), ignore_id=0)
"""The label set of photos that have no label map."""


class Cutter(Protocol):
    """Finds the object in a box of a photo; `methods` has such, this room needs none."""

    def __call__(self, photo: np.ndarray, box: Corners, /) -> np.ndarray:
        """Returns the object's soft mask, float (H, W) in [0, 1].

        Args:
            photo: uint8 (H, W, 3).
            box: around the object, inside the photo.
        """


def without_labels(shape: tuple[int, int]) -> Layout:
    """Returns the layout of a photo, (H, W), of which nothing is known."""
    return Layout(np.zeros(shape, np.int32), NO_LABELS)


def has_labels(layout: Layout) -> bool:
    """Returns whether a layout comes from a label map."""
    return layout.label_set != NO_LABELS


def cut_out(donor: Scene, box: Sequence[float], cutter: Cutter) -> np.ndarray:
    """Returns the object in a box of a scene, bool (H, W): where the cutter's mask is above a half.

    Args:
        donor: its photo is looked at, not its layout.
        box: (x, y, width, height) in the photo; what lies outside of it is cut off.
        cutter: finds the object; what it marks outside the box does not count.

    Raises:
        EditError: an empty box, one outside the photo, or one in which the cutter finds nothing.
        ModelError: the cutter returns something of another size.
    """
    x0, y0, x1, y1 = corners = _corners(donor, box)
    soft = np.asarray(cutter(donor.photo, corners))
    if soft.shape != donor.layout.shape:
        raise ModelError(f"the cutter returned {soft.shape} for a photo of {donor.layout.shape}; (H, W) is expected")
    mask = np.zeros(donor.layout.shape, bool)
    mask[y0:y1, x0:x1] = soft[y0:y1, x0:x1] > 0.5
    if not mask.any():
        raise EditError(
            f"no object was found in box {_shown(box)} of {_name(donor)}; draw the box close around the object, or"
            " give its mask"
        )
    return mask


def thing_in(layout: Layout, mask: np.ndarray) -> str:
    """Returns the name of the thing class that most pixels of a mask, bool (H, W), have.

    Raises:
        EditError: no thing is labelled there.
    """
    ids = layout.label_map[mask & layout.label_set.is_kind(layout.label_map, "thing")]
    if not len(ids):
        raise EditError("the label map has no thing where the object was found; name its class")
    return layout.label_set.by_id[int(np.bincount(ids).argmax())].name


def _corners(donor: Scene, box: Sequence[float]) -> Corners:
    height, width = donor.layout.shape
    if len(box) != 4 or round(box[2]) < 1 or round(box[3]) < 1:
        raise EditError(f"box {_shown(box)} will not do; give [x, y, width, height], sides of at least one pixel")
    x, y, wide, high = (round(value) for value in box)
    found = max(x, 0), max(y, 0), min(x + wide, width), min(y + high, height)
    if found[0] >= found[2] or found[1] >= found[3]:
        raise EditError(
            f"box {_shown(box)} lies outside {_name(donor)}, which is {width}x{height}; give [x, y, width, height]"
            " around the object in that photo"
        )
    return found


def _name(donor: Scene) -> str:
    return str(donor.file.path) if donor.file is not None and donor.file.path is not None else "the photo"


def _shown(box: Sequence[float]) -> str:
    return f"[{', '.join(f'{value:g}' for value in box)}]"
