"""Paint a class over a region; relabel an object."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from scenebrush.scene.edit import Edit
from scenebrush.scene.layout import Layout
from scenebrush.scene.objects import EIGHT, object_at, things_within, with_pockets
from scenebrush.scene.operations.changes import put
from scenebrush.scene.operations.holes import rim
from scenebrush.scene.operations.shadows import SHADOW_REACH, find_shadow
from scenebrush.scene.operations.shapes import checked_mask

if TYPE_CHECKING:
    from scenebrush.scene.scene import Scene


def paint(
    scene: Scene,
    class_: str | int,
    mask: np.ndarray,
    *,
    dilate: int | None = None,
    shadow: float = SHADOW_REACH,
) -> Edit:
    """Returns the edit that paints a class over a region.

    The hole is the region; where it covers an object wholly, that object's rim and shadow go with it. A thing painted
    partly over one object of its class becomes part of that object, else an instance of its own.

    Args:
        scene: what is edited; it stays as it is.
        class_: name or id.
        mask: bool (H, W).
        dilate: rim around objects that go, in pixels; None = by the object's size.
        shadow: how far below them their shadow is looked for, in their heights; 0 = not.

    Raises:
        EditError: an empty mask, or one of another size than the picture.
        LabelError: an unknown class.
    """
    layout = scene.layout
    region = checked_mask(mask, layout.shape)
    class_id = layout.label_set.find(class_).id
    hole = region.copy()
    for part in things_within(layout, region):
        if layout.label_map[part][0] != class_id and _is_whole(layout, part):
            hole |= rim(layout, part, dilate) | find_shadow(scene.photo, layout, part, shadow)
    return Edit(hole, put(layout, region, class_id, _grown(layout, region, class_id)))


def relabel(scene: Scene, at: tuple[float, float], to: str | int, *, dilate: int | None = None) -> Edit:
    """Returns the edit that makes the object at a point one of another class, in the same outline.

    Unlabelled pixels that it shuts in become part of it.

    Args:
        scene: what is edited; it stays as it is.
        at: (x, y) on the object.
        to: name or id of the new class.
        dilate: rim of the hole in pixels; None = by the object's size.

    Raises:
        EditError: a point outside the picture.
        LabelError: an unknown class.
    """
    layout = scene.layout
    found, wanted = object_at(layout, at), layout.label_set.find(to)
    mask = with_pockets(layout, found.mask)
    hole = mask | rim(layout, mask, dilate)
    instance = (found.instance or None) if wanted.kind == "thing" else 0
    return Edit(hole, put(layout, mask, wanted.id, instance))


def _is_whole(layout: Layout, part: np.ndarray) -> bool:
    """Whether a part of an object, as `things_within` yields it, is all of that object."""
    class_id = layout.label_map[part][0]
    rest = (layout.label_map == class_id) & ~part
    if layout.instance_map is None:
        return not (ndimage.binary_dilation(part, structure=EIGHT) & rest).any()
    number = layout.instance_map[part][0]
    rest &= layout.instance_map == number
    if number == 0:
        rest &= ndimage.binary_dilation(part, structure=EIGHT)
    return not rest.any()


def _grown(layout: Layout, region: np.ndarray, class_id: int) -> int | None:
    """The one instance of the class that the region overlaps, to be grown by it; None if there is not exactly one."""
    if layout.instance_map is None:
        return None
    numbers = np.unique(layout.instance_map[region & (layout.label_map == class_id)])
    numbers = numbers[numbers > 0]
    return int(numbers[0]) if len(numbers) == 1 else None
