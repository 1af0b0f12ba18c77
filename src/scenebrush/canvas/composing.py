"""The whole canvas of an edit: stuff copied from the photo, carried objects pasted onto it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from scenebrush.canvas import lending
from scenebrush.canvas.copying import fill
from scenebrush.canvas.pasting import paste
from scenebrush.canvas.plan import ALL_PARTS, Parts
from scenebrush.scene.edit import Edit
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene


@dataclass(frozen=True, eq=False)
class Canvas:
    """An edit made of real pixels.

    Args:
        photo: uint8 (H, W, 3); outside the hole it is the scene's photo.
        copied: bool (H, W), the hole's pixels that hold pixels copied from their own class and nothing else.
        carried: bool (H, W), the hole's pixels that show a carried object, its soft rim included.
    """

    photo: np.ndarray
    copied: np.ndarray
    carried: np.ndarray


def compose(scene: Scene, edit: Edit, *, lend: bool = False, parts: Parts = ALL_PARTS) -> Canvas:
    """Returns the canvas of an edit. Things that no carry brings hold nearest pixels: they are to be drawn.

    Of what the photo shows inside the hole only a carry that takes it along knows anything.

    Args:
        scene: what is edited.
        edit: the edit.
        lend: True shows things that no carry brings in the look of another object of their class in the photo
            (`lending.lend`), if there is one of a similar shape; `Canvas.carried` does not tell of them.
        parts: what `fill` does; all by default.
    """
    lent = lending.lend(scene, edit) if lend else ()
    objects = np.zeros(edit.hole.shape, bool)
    for carry in (*edit.carries, *lent):
        objects |= carry.target
    filled = fill(scene.photo, scene.layout, _without(edit.layout, objects), edit.hole, surfaces=True, parts=parts)
    photo, carried = filled.photo, np.zeros(edit.hole.shape, bool)
    donor = Scene(filled.photo, scene.layout)  # what is lent is matted against its surroundings: not the old hole's
    for carry in lent:
        photo, _ = paste(photo, replace(carry, donor=donor), edit.hole)
    for carry in edit.carries:
        photo, shown = paste(photo, carry, edit.hole)
        carried |= shown
    return Canvas(photo, filled.copied & ~carried, carried)


def _without(layout: Layout, carried: np.ndarray) -> Layout:
    """Returns the layout with carried objects replaced by the nearest other class: what shows through the soft rim."""
    if not carried.any():
        return layout
    open_places = ~carried & ~layout.label_set.is_kind(layout.label_map, "thing")
    if not open_places.any():
        return layout
    rows, columns = ndimage.distance_transform_edt(~open_places, return_distances=False, return_indices=True)
    label_map = np.where(carried, layout.label_map[rows, columns], layout.label_map)
    instance_map = None if layout.instance_map is None else np.where(carried, 0, layout.instance_map)
    return Layout(label_map, layout.label_set, instance_map)
