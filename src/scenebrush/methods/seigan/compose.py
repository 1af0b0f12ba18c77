"""Compose: an object of one photo in another, and two photos that exchange their objects; no label maps are needed.

The segmenter cuts out, the canvas pastes (colours fitted to the new surroundings, the rim unmixed and blended), the
enhancer makes it fit. What the object leaves behind is filled. An object is added as `scenebrush edit` adds one of
another scene, on a made-up layout of two classes: the object and all the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

from scenebrush import canvas
from scenebrush.canvas.pasting import warp
from scenebrush.data.holes import Box
from scenebrush.errors import EditError
from scenebrush.methods.seigan.cutting import cut_out
from scenebrush.methods.seigan.networks import SeiganNetworks
from scenebrush.methods.seigan.rendering import enhanced, inpainted
from scenebrush.scene import operations
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelClass, LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.objects import EIGHT, bounding_box
from scenebrush.scene.operations.shapes import Point
from scenebrush.scene.scene import Scene

Filling = Literal["canvas", "network"]
"""What fills the place of an object: pixels of the same photo, or the inpainting network."""

# No class is ground: without labels a search for shadows takes all dark places for one.
_REST = LabelClass(0, "rest", (128, 128, 128), "stuff")
_OBJECT = LabelClass(1, "object", (255, 255, 255), "thing")
_CLASSES = LabelSet("object_and_rest", (_REST, _OBJECT))
_SOLID = 0.5  # of a soft mask: from here on a pixel is the object's
_SPECK = 0.02  # of the object's largest piece: smaller pieces are left out
_TRACE = 0.1  # of a soft mask: from here on a pixel shows so much of the object that it is filled
_FILLED_RIM = 2  # pixels around these that are filled as well


@dataclass(frozen=True, eq=False)
class Composition:
    """A photo with another photo's object in it, and what was cut out.

    Args:
        picture: uint8 (H, W, 3), of the background's size.
        target: float32 (H, W) in [0, 1], the object's share of each pixel of `picture`.
        mask: float32 (h, w) in [0, 1], the object in its own photo, as the segmenter sees it.
        cut_out: uint8 (h, w, 4) RGBA, that photo with `mask` as opacity; black where nothing is.
        inpainted: uint8 (h, w, 3), that photo without its object.
    """

    picture: np.ndarray
    target: np.ndarray
    mask: np.ndarray
    cut_out: np.ndarray
    inpainted: np.ndarray


def compose_photos(
    networks: SeiganNetworks,
    object_photo: np.ndarray,
    box: Box,
    background_photo: np.ndarray,
    at: Point,
    *,
    scale: float = 1.0,
    enhance: bool = True,
    filling: Filling = "canvas",
) -> Composition:
    """Returns the object in a box of one photo, in another photo. Where its `target` is 0 that stays as it is.

    Args:
        networks: trained generators in evaluation mode.
        object_photo: uint8 (h, w, 3).
        box: (x0, y0, x1, y1) of the object, ends exclusive.
        background_photo: uint8 (H, W, 3).
        at: (x, y) in the background, where the middle of the object's own bounding box comes to lie, as in `edit`.
        scale: of the object: 1 keeps its size in pixels.
        enhance: let the enhancer make it fit.
        filling: what fills its place in `object_photo`.

    Raises:
        InputError: a box that is empty, or not inside its photo.
        EditError: no object was found in it, or would be seen in the background.
    """
    mask, solid = found(networks, object_photo, box)
    picture, target = _added(networks, object_photo, solid, background_photo, at, scale, enhance)
    filled = without(networks, object_photo, mask, filling)
    return Composition(picture, target, mask, with_opacity(object_photo, mask), filled)


def swap_photos(
    networks: SeiganNetworks,
    photos: tuple[np.ndarray, np.ndarray],
    boxes: tuple[Box, Box],
    *,
    enhance: bool = True,
    filling: Filling = "canvas",
) -> tuple[Composition, Composition]:
    """Returns both photos with their objects exchanged.

    Each object takes the place of the other: its box is scaled to the height of the other's box, but not to more than
    the photo's width, and stands with the middle of its foot where that of the other's was. `picture` and `target` of
    the first are those of the first photo with the second's object; `mask`, `cut_out` and `inpainted` are those of the
    first photo itself.

    Args and errors as for `compose_photos`; the photos may differ in size.
    """
    cuts = [found(networks, photo, box) for photo, box in zip(photos, boxes, strict=True)]
    filled = [without(networks, photo, mask, filling) for photo, (mask, _) in zip(photos, cuts, strict=True)]
    made = []
    for own, other in ((0, 1), (1, 0)):
        solid, mask = cuts[other][1], cuts[own][0]
        at, scale = _place_of_other(boxes[other], boxes[own], solid, photos[own].shape[1])
        picture, target = _added(networks, photos[other], solid, filled[own], at, scale, enhance)
        made.append(Composition(picture, target, mask, with_opacity(photos[own], mask), filled[own]))
    return made[0], made[1]


def found(networks: SeiganNetworks, photo: np.ndarray, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """Returns the soft mask of the object in a box, float32 (H, W), and its solid part, bool (H, W).

    Specks, solid pieces that are small beside the largest, are left out of both.

    Raises:
        InputError: a box that is empty, or not inside its photo.
        EditError: nothing in it is solid.
    """
    mask = cut_out(networks, photo, box)
    pieces, count = ndimage.label(mask >= _SOLID, EIGHT)
    if not count:
        x0, y0, x1, y1 = box
        raise EditError(
            f"no object was found in the box {x0},{y0},{x1 - x0},{y1 - y0}; draw it closely around one object"
        )
    areas = np.bincount(pieces.ravel())
    areas[0] = 0
    solid: np.ndarray = (areas >= max(1, _SPECK * areas.max()))[pieces]
    islands, number = ndimage.label(mask > 0, EIGHT)
    kept = np.zeros(number + 1, bool)
    kept[islands[solid]] = True
    return np.where(kept[islands], mask, np.float32(0)), solid


def without(networks: SeiganNetworks, photo: np.ndarray, mask: np.ndarray, filling: Filling) -> np.ndarray:
    """Returns the photo, uint8 (H, W, 3), without what a soft mask, float (H, W), shows; a narrow rim goes with it."""
    hole = operations.dilate(mask > _TRACE, _FILLED_RIM)
    if filling == "network":
        return inpainted(networks, photo, hole)
    layout = _layout(np.zeros(hole.shape, bool))
    return canvas.fill(photo, layout, layout, hole).photo


def with_opacity(photo: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Returns a photo with a soft mask as opacity, uint8 (H, W, 4) RGBA; where nothing is left it is black."""
    opacity = np.rint(mask * 255).astype(np.uint8)[..., None]
    return np.concatenate([np.where(opacity > 0, photo, np.uint8(0)), opacity], axis=2)


def _added(
    networks: SeiganNetworks,
    object_photo: np.ndarray,
    solid: np.ndarray,
    background: np.ndarray,
    at: Point,
    scale: float,
    enhance: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the background with an object, uint8 (H, W, 3), and the object's share of its pixels, float32 (H, W)."""
    segment = operations.Segment(Scene(object_photo, _layout(solid)), solid)
    scene = Scene(background, _layout(np.zeros(background.shape[:2], bool)))
    edit = operations.add(scene, segment=segment, at=at, scale=scale, shadow=0)
    # Nothing goes, so the background's own pixels show through the soft rim: the hole need not be filled first.
    picture, shown = canvas.paste(background, edit.carries[0], edit.hole)
    if enhance:
        picture = enhanced(networks, picture, edit.carries[0].target & shown)
    return picture, _shares(edit)


def _shares(edit: Edit) -> np.ndarray:
    """Returns how much of each pixel the object of an edit covers, float32 (H, W)."""
    warped = warp(edit.carries[0], edit.layout.shape)
    shares = np.zeros(edit.hole.shape, np.float32)
    shares[warped.window] = np.where(edit.hole[warped.window], warped.alpha, 0)
    return shares


def _place_of_other(box: Box, other: Box, solid: np.ndarray, width: int) -> tuple[Point, float]:
    """Returns where the middle of an object's bounding box goes, and its scale, for its box to stand as another does.

    Args:
        box: of the object, in its photo.
        other: in the photo that it goes to.
        solid: bool (H, W), the object in its photo.
        width: of the photo that it goes to.
    """
    scale = min((other[3] - other[1]) / (box[3] - box[1]), width / (box[2] - box[0]))
    x, y, wide, high = bounding_box(solid)
    middle = x + (wide - 1) / 2, y + (high - 1) / 2
    (foot_x, foot_y), (other_x, other_y) = _foot(box), _foot(other)
    return (other_x + scale * (middle[0] - foot_x), other_y + scale * (middle[1] - foot_y)), scale


def _foot(box: Box) -> Point:
    """The middle of a box's lower edge; pixel centres have whole coordinates."""
    return (box[0] + box[2] - 1) / 2, box[3] - 0.5


def _layout(solid: np.ndarray) -> Layout:
    return Layout(solid.astype(np.int32), _CLASSES)
