"""Add: a class in a shape, or an object copied from another scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from scenebrush.errors import EditError
from scenebrush.scene.edit import Edit
from scenebrush.scene.layout import Layout
from scenebrush.scene.objects import bounding_box, object_at, with_pockets
from scenebrush.scene.operations.carrying import carry_onto
from scenebrush.scene.operations.changes import put
from scenebrush.scene.operations.cutting import Cutter, cut_out, has_labels
from scenebrush.scene.operations.depth import Behind, in_front
from scenebrush.scene.operations.holes import contact_strip, rim, strip_below
from scenebrush.scene.operations.shadows import SHADOW_REACH, find_shadow
from scenebrush.scene.operations.shapes import Point, box_mask, checked_mask, placed, polygon_mask
from scenebrush.scene.operations.warping import placement

if TYPE_CHECKING:
    from scenebrush.scene.scene import Scene


@dataclass(frozen=True, eq=False)
class Segment:
    """An object to be copied: `mask`, bool (H, W), in the scene `donor`."""

    donor: Scene
    mask: np.ndarray

    @classmethod
    def at(cls, donor: Scene, point: Point) -> Self:
        """Returns the object of a scene at a point (x, y), with the unlabelled pixels that it shuts in."""
        return cls(donor, with_pockets(donor.layout, object_at(donor.layout, point).mask))

    @classmethod
    def in_box(cls, donor: Scene, box: Sequence[float], cutter: Cutter) -> Self:
        """Returns the object in a box (x, y, width, height) of a scene's photo; errors as of `cutting.cut_out`."""
        return cls(donor, cut_out(donor, box, cutter))

    @property
    def class_name(self) -> str:
        """The class that most of it has in its own scene."""
        ids = self.donor.layout.label_map[self.mask]
        return self.donor.layout.label_set.by_id[int(np.bincount(ids).argmax())].name


def add(
    scene: Scene,
    class_: str | int | None = None,
    *,
    mask: np.ndarray | None = None,
    polygon: Sequence[Point] | None = None,
    box: Sequence[float] | None = None,
    segment: Segment | None = None,
    at: Point | None = None,
    scale: float | Sequence[float] = 1.0,
    rotate: float = 0.0,
    flip: bool = False,
    behind: Behind = False,
    dilate: int | None = None,
    shadow: float = SHADOW_REACH,
) -> Edit:
    """Returns the edit that adds an object: a class in a shape, to be drawn, or a segment with its own pixels.

    Exactly one of `mask`, `polygon`, `box` and `segment` is given. A thing becomes an instance of its own where the
    scene has an instance map. What would lie outside the picture is cut off.

    Args:
        scene: what is edited; it stays as it is.
        class_: name or id; may be left out with a segment, which keeps its class by name, if its scene has labels.
        mask: bool, of the picture's size, or of any size with `at`.
        polygon: three or more (x, y) corners.
        box: (x, y, width, height).
        segment: an object of another scene (or of this one).
        at: (x, y), where the middle of the shape's bounding box comes to lie; None = where the shape says, and for a
            segment the place that it has in its own scene.
        scale: of a segment: factor, or (horizontal, vertical) factors.
        rotate: of a segment: degrees, counter-clockwise as seen.
        flip: of a segment: mirror left and right.
        behind: other objects (or with names, these classes) stay in front of it, untouched; else it is in front.
        dilate: rim of the hole in pixels; None = by the object's size.
        shadow: how far below a segment its shadow is looked for in its own scene, in its heights. Below a shape on
            the ground a thin strip is made anew as well, so that a shadow can be drawn. 0 = neither.

    Raises:
        EditError: not exactly one shape, an empty one, or one outside the picture.
        LabelError: an unknown class.
    """
    if sum(given is not None for given in (mask, polygon, box, segment)) != 1:
        raise EditError("add takes one of mask, polygon, box or segment")
    if segment is not None:
        return _add_segment(scene, class_, segment, at, (scale, rotate, flip), behind, dilate, shadow)
    if class_ is None:
        raise EditError("add needs a class, unless a segment brings one along")
    if (scale, rotate, flip) != (1.0, 0.0, False):
        raise EditError("scale, rotate and flip go with a segment; give mask, polygon or box in their final shape")
    layout = scene.layout
    class_id = layout.label_set.find(class_).id
    target = _visible(layout, _shape(layout, mask, polygon, box, at), behind)
    hole = target | (rim(layout, target, dilate) & ~in_front(layout, behind))
    if shadow > 0 and layout.label_set.by_id[class_id].kind == "thing":
        hole |= contact_strip(layout, target)
    return Edit(hole, put(layout, target, class_id))


def _shape(
    layout: Layout,
    mask: np.ndarray | None,
    polygon: Sequence[Point] | None,
    box: Sequence[float] | None,
    at: Point | None,
) -> np.ndarray:
    if mask is not None:
        return placed(mask, at, layout.shape)
    if polygon is not None:
        return polygon_mask(_moved_to(polygon, at), layout.shape)
    assert box is not None
    if len(box) != 4:
        raise EditError(f"box {tuple(box)} will not do; give (x, y, width, height)")
    x, y, width, height = box
    if at is not None:
        x, y = at[0] - (width - 1) / 2, at[1] - (height - 1) / 2
    return box_mask((x, y, width, height), layout.shape)


def _moved_to(polygon: Sequence[Point], at: Point | None) -> list[Point]:
    if at is None or not len(polygon):
        return list(polygon)
    corners = np.asarray(polygon, float)
    shift = np.asarray(at, float) - (corners.min(axis=0) + corners.max(axis=0)) / 2
    return [(float(x), float(y)) for x, y in corners + shift]


def _visible(layout: Layout, target: np.ndarray, behind: Behind) -> np.ndarray:
    visible: np.ndarray = target & ~in_front(layout, behind)
    if not visible.any():
        raise EditError("the object is hidden behind other objects; place it elsewhere")
    return visible


def _add_segment(
    scene: Scene,
    class_: str | int | None,
    segment: Segment,
    at: Point | None,
    turned: tuple[float | Sequence[float], float, bool],
    behind: Behind,
    dilate: int | None,
    shadow: float,
) -> Edit:
    donor, mask = segment.donor, checked_mask(segment.mask, segment.donor.layout.shape)
    if class_ is None and not has_labels(donor.layout):
        raise EditError("add needs the class of a segment whose photo has no labels")
    class_id = scene.layout.label_set.find(segment.class_name if class_ is None else class_).id
    x, y, width, height = bounding_box(mask)
    middle = (x + (width - 1) / 2, y + (height - 1) / 2)
    by = (0.0, 0.0) if at is None else (at[0] - middle[0], at[1] - middle[1])
    hole, layout, carry = carry_onto(
        scene.layout,
        donor,
        mask,
        placement(mask, _whole_pixels(by), *turned),
        _shadow(donor, mask, shadow),
        class_id=class_id,
        instance=None,
        behind=behind,
        dilate=dilate,
    )
    return Edit(hole, layout, (carry,))


def _shadow(donor: Scene, mask: np.ndarray, reach: float) -> np.ndarray:
    """Returns what a segment darkens in its own scene, bool (H, W).

    Where no label says what is ground that is the strip under its foot alone: farther off it would be a guess.
    """
    if has_labels(donor.layout):
        return find_shadow(donor.photo, donor.layout, mask, reach)
    return strip_below(mask) if reach > 0 else np.zeros_like(mask)


def _whole_pixels(by: Point) -> Point:
    """Whole steps, so that a segment that is neither scaled nor turned keeps its very pixels."""
    return float(np.round(by[0])), float(np.round(by[1]))
