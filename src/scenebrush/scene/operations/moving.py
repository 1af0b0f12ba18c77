"""Move and resize: an object goes elsewhere with its own pixels, and the place it left is refilled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from scenebrush.scene.edit import Edit
from scenebrush.scene.objects import object_at, with_pockets
from scenebrush.scene.operations.carrying import carry_onto
from scenebrush.scene.operations.depth import Behind
from scenebrush.scene.operations.erasing import clear
from scenebrush.scene.operations.holes import stands_on_ground
from scenebrush.scene.operations.shadows import SHADOW_REACH
from scenebrush.scene.operations.warping import is_identity, placement

if TYPE_CHECKING:
    from scenebrush.scene.scene import Scene


def move(
    scene: Scene,
    at: tuple[float, float],
    by: tuple[float, float] = (0, 0),
    *,
    scale: float | Sequence[float] = 1.0,
    rotate: float = 0.0,
    flip: bool = False,
    behind: Behind = False,
    dilate: int | None = None,
    shadow: float = SHADOW_REACH,
) -> Edit:
    """Returns the edit that takes the object at a point elsewhere; the place it left is refilled as by `erase`.

    Scaling and turning keep in place the middle of the foot of an object that stands on ground, else the middle of
    the object's box. What would lie outside the picture is cut off. Unlabelled pixels that the object shuts in come
    along, as part of it. A move that changes nothing has no hole.

    Args:
        scene: what is edited; it stays as it is.
        at: (x, y) on the object.
        by: (dx, dy) in pixels.
        scale: factor, or (horizontal, vertical) factors.
        rotate: degrees, counter-clockwise as seen.
        flip: mirror left and right.
        behind: other objects (or with names, these classes) stay in front of it, untouched; else it is in front.
        dilate: rim of the hole in pixels; None = by the object's size.
        shadow: how far below it the shadow of an object on the ground is looked for, in its heights; 0 = not.

    Raises:
        EditError: a point outside the picture, a scale that is not positive, or an object moved out of the picture.
    """
    found = object_at(scene.layout, at)
    mask = with_pockets(scene.layout, found.mask)
    on_foot = stands_on_ground(scene.layout, mask)
    matrix = placement(mask, by, scale, rotate, flip, on_foot=on_foot)
    if is_identity(matrix):
        return Edit(np.zeros(scene.layout.shape, bool), scene.layout)
    left = clear(scene, mask, (found.class_id,), dilate, shadow)
    hole, layout, carry = carry_onto(
        left.layout,
        scene,
        mask,
        matrix,
        left.shadow,
        class_id=found.class_id,
        instance=found.instance or None,
        behind=behind,
        dilate=dilate,
    )
    return Edit(left.hole | hole, layout, (carry,))


def resize(
    scene: Scene,
    at: tuple[float, float],
    scale: float | Sequence[float],
    *,
    behind: Behind = False,
    dilate: int | None = None,
    shadow: float = SHADOW_REACH,
) -> Edit:
    """Returns the edit that makes the object at a point larger or smaller: `move` without going anywhere.

    Args:
        scene: what is edited; it stays as it is.
        at: (x, y) on the object.
        scale: factor, or (horizontal, vertical) factors: (1.5, 1) widens.
        behind: other objects (or with names, these classes) stay in front of it, untouched.
        dilate: rim of the hole in pixels; None = by the object's size.
        shadow: how far below it a shadow is looked for, in its heights; 0 = not.

    Raises:
        EditError: a point outside the picture, or a scale that is not positive.
    """
    return move(scene, at, scale=scale, behind=behind, dilate=dilate, shadow=shadow)
