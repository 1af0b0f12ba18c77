"""Objects that bring their own pixels: where they come to lie, and what of the picture is made anew for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from scenebrush.errors import EditError
from scenebrush.scene.edit import Carry
from scenebrush.scene.layout import Layout
from scenebrush.scene.operations.changes import put
from scenebrush.scene.operations.depth import Behind, in_front
from scenebrush.scene.operations.holes import ground_ids, rim
from scenebrush.scene.operations.warping import warped

if TYPE_CHECKING:
    from scenebrush.scene.scene import Scene


def carry_onto(
    layout: Layout,
    donor: Scene,
    mask: np.ndarray,
    matrix: np.ndarray,
    shadow: np.ndarray,
    *,
    class_id: int,
    instance: int | None,
    behind: Behind,
    dilate: int | None,
) -> tuple[np.ndarray, Layout, Carry]:
    """Lays an object with its own pixels onto a layout.

    Args:
        layout: the layout without the object.
        donor: the scene that its pixels come from.
        mask: bool (H, W) in the donor, the object.
        matrix: float (2, 3), from donor positions (x, y, 1) to positions in the layout.
        shadow: bool (H, W) in the donor, the ground that it darkens.
        class_id: its class in the layout.
        instance: its number there; None = a new one if the class is a thing.
        behind: other objects, or these classes, stay in front of it, untouched.
        dilate: rim of the hole in pixels; None = by its size.

    Returns:
        The part of the hole that it needs, bool (H, W): itself, a rim and its shadow; the layout with it; the carry.

    Raises:
        EditError: nothing of it lies in the picture, or can be seen there.
    """
    target = warped(mask, matrix, layout.shape)
    front = in_front(layout, behind)
    visible = target & ~front
    if not visible.any():
        size = f"{layout.shape[1]}x{layout.shape[0]}"
        outside = f"lies outside the picture of {size}, or is smaller than a pixel"
        hidden = "is hidden behind other objects" if target.any() else outside
        raise EditError(f"the object {hidden} at its new place; choose another place or size, or erase it")
    after = put(layout, visible, class_id, instance)
    hole = visible | (rim(layout, visible, dilate) & ~front)
    if shadow.any():
        ground = np.isin(after.label_map, ground_ids(after.label_set))
        hole |= warped(shadow, matrix, layout.shape) & ground
    return hole, after, Carry(donor, mask, matrix, visible, shadow if shadow.any() else None)
