"""Erase: an object, a class or a region goes, and what surrounds it runs on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from scenebrush.errors import EditError
from scenebrush.scene.edit import Edit
from scenebrush.scene.layout import Layout
from scenebrush.scene.objects import object_at, things_within, with_pockets
from scenebrush.scene.operations.changes import put
from scenebrush.scene.operations.holes import around, rim
from scenebrush.scene.operations.refilling import refill
from scenebrush.scene.operations.shadows import SHADOW_REACH, find_shadow
from scenebrush.scene.operations.shapes import checked_mask

if TYPE_CHECKING:
    from scenebrush.scene.scene import Scene

_SPECK = 12  # pixels: what is not larger, and shut in by a hole, is no thing that one sees


def erase(
    scene: Scene,
    *,
    at: tuple[float, float] | None = None,
    class_: str | int | None = None,
    mask: np.ndarray | None = None,
    to: str | int | None = None,
    dilate: int | None = None,
    shadow: float = SHADOW_REACH,
) -> Edit:
    """Returns the edit that removes one object, all of a class, or a region.

    Exactly one of `at`, `class_` and `mask` is given.

    Args:
        scene: what is edited; it stays as it is.
        at: (x, y) on the object: its instance, else the connected component of its class.
        class_: name or id of the class whose pixels all go.
        mask: bool (H, W), the region that goes.
        to: the class that takes the place; None = the stuff around runs on into it, boundaries meeting inside.
        dilate: rim of the hole in pixels, because label edges are sloppy; None = by the object's size.
        shadow: how far below it the shadow of an object on the ground is looked for, in its heights; 0 = not.

    Raises:
        EditError: a point outside the picture, an empty mask, a class that is not there, nothing to refill with.
        LabelError: an unknown class.
    """
    region, gone = _region(scene.layout, at, class_, mask)
    if to is None:
        clearing = clear(scene, region, gone, dilate, shadow)
        return Edit(clearing.hole, clearing.layout)
    class_id = scene.layout.label_set.find(to).id
    if mask is None:
        region = with_pockets(scene.layout, region)
    hole = region | rim(scene.layout, region, dilate) | shadows_of(scene, region, shadow)
    return Edit(hole, put(scene.layout, region, class_id))


@dataclass(frozen=True, eq=False)
class Clearing:
    """What is left where something went: the hole and its part in shadow, bool (H, W), and the layout after."""

    hole: np.ndarray
    shadow: np.ndarray
    layout: Layout


def clear(scene: Scene, region: np.ndarray, gone: tuple[int, ...], dilate: int | None, shadow: float) -> Clearing:
    """Returns the clearing where a region, bool (H, W), went; classes `gone` do not come back there."""
    layout = scene.layout
    darkened = shadows_of(scene, region, shadow)
    hole = region | rim(layout, region, dilate, gone) | darkened
    # Unlabelled pixels of the rim, or shut in by the hole, are made anew as well, so they get a class. So are specks of
    # stuff, which would show what was there; a speck of a thing is an object of its own, for all that one knows.
    void = layout.label_set.is_kind(layout.label_map, "void")
    window = around(hole, 1)
    labels = layout.label_map[window]
    shut_in = ndimage.binary_fill_holes(hole[window]) & ~hole[window]
    specks = _small_parts(shut_in) & layout.label_set.is_kind(labels, "stuff")
    hole[window] |= (shut_in & void[window]) | specks
    filled = refill(layout, region | (hole & void), gone)
    return Clearing(hole, darkened, Layout(filled.label_map, layout.label_set, filled.instance_map))


def _small_parts(mask: np.ndarray) -> np.ndarray:
    """Returns the connected parts of a mask, bool (h, w), that are specks."""
    components, count = ndimage.label(mask)
    sizes = np.bincount(components.ravel(), minlength=count + 1)
    small: np.ndarray = mask & (sizes[components] <= _SPECK)
    return small


def shadows_of(scene: Scene, region: np.ndarray, reach: float) -> np.ndarray:
    """Returns the shadows on the ground, bool (H, W), of the objects in a region, outside of it."""
    shadows = np.zeros_like(region)
    for part in things_within(scene.layout, region):
        shadows |= find_shadow(scene.photo, scene.layout, part, reach)
    outside: np.ndarray = shadows & ~region
    return outside


def _region(
    layout: Layout, at: tuple[float, float] | None, class_: str | int | None, mask: np.ndarray | None
) -> tuple[np.ndarray, tuple[int, ...]]:
    """The pixels that go, bool (H, W), and the classes that must not come back there."""
    if sum(given is not None for given in (at, class_, mask)) != 1:
        raise EditError("erase takes one of a point (at), a class (class_) or a region (mask)")
    if at is not None:
        found = object_at(layout, at)
        return found.mask, (found.class_id,)
    if class_ is not None:
        return _all_of(layout, class_), (layout.label_set.find(class_).id,)
    assert mask is not None
    region = checked_mask(mask, layout.shape)
    things = layout.label_map[region & layout.label_set.is_kind(layout.label_map, "thing")]
    # Half a truck under the brush: its other half is no surroundings. A window with some facade: the facade is.
    return region, (int(np.bincount(things).argmax()),) if len(things) else ()


def _all_of(layout: Layout, class_: str | int) -> np.ndarray:
    wanted = layout.label_set.find(class_)
    region: np.ndarray = layout.label_map == wanted.id
    if not region.any():
        names = [layout.label_set.by_id[int(i)].name for i in np.unique(layout.label_map)]
        raise EditError(f"there is no {wanted.name!r} in this scene; it has {', '.join(names)}")
    return region
