"""Which of two adjacent segments is in front: truth for the ordering network, told from layouts (facts 2.5, 2.6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import ndimage

from scenebrush.errors import LabelError
from scenebrush.methods.sims.segments import Segment, segments_of
from scenebrush.scene.label_set import LabelClass, LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.objects import EIGHT

STREET_ORDER: Final = (
    ("building", "facade", "bridge", "tunnel"),
    ("terrain", "grass"),
    ("wall",),
    ("sidewalk", "pavement"),
    ("road", "street", "ground", "parking", "rail_track"),
    ("fence", "guard_rail"),
    ("vegetation", "tree"),
    ("motorcycle",),
    ("bicycle",),
    ("truck", "caravan", "trailer"),
    ("car",),
    ("bus",),
    ("train",),
    ("person", "pedestrian"),
    ("pole", "polegroup"),
    ("rider", "bicyclist"),
    ("traffic_sign", "sign_symbol"),
    ("traffic_light",),
)
"""The released code's paint order behind the sky, back to front, with other label sets' names for the same."""

PLANAR: Final = frozenset(
    {"road", "street", "sidewalk", "pavement", "parking", "rail_track", "railroad", "runway", "path", "dirt_track"}
    | {"terrain", "ground", "ground-other", "grass", "earth", "field", "sand", "dirt", "gravel", "land", "mud", "snow"}
    | {"floor", "floor-marble", "floor-other", "floor-stone", "floor-tile", "floor-wood", "platform", "playingfield"}
    | {"carpet", "rug", "mat", "floor_mat", "sea", "water", "water-other", "river", "lake"}
)
"""What things stand on: names of classes."""

SKY: Final = frozenset({"sky", "sky-other", "clouds"})

_EDGE: Final = np.ones((11, 11), bool)
_LEAST_SEEN: Final = 20  # pixels of depth at each side of a common edge
_LEAST_STEP: Final = 0.01  # of the depth: a smaller difference says nothing


@dataclass(frozen=True, eq=False)
class OrderPair:
    """Two adjacent segments of different classes; `front` is the class id of the one in front."""

    first: Segment
    second: Segment
    front: int


def coarse_order(label_set: LabelSet) -> dict[int, int]:
    """Returns the rank, 0 = farthest, at which each class is painted; nothing for void classes.

    The sky, stuff that the street's order (`STREET_ORDER`) does not know, that order's stuff, things that it does not
    know, its things; classes at the same place stay in the label set's order.
    """
    known = {name: rank for rank, names in enumerate(STREET_ORDER) for name in names}

    def place(label_class: LabelClass) -> tuple[int, int]:
        name = label_class.name.replace(" ", "_")
        if name in SKY:
            return 0, 0
        is_street_thing = known.get(name, 0) >= known["motorcycle"]
        if name in known:
            return (4 if is_street_thing else 2), known[name]
        return (1 if label_class.kind == "stuff" else 3), 0

    ordered = sorted((c for c in label_set.classes if _is_class(label_set, c.id)), key=place)
    return {c.id: rank for rank, c in enumerate(ordered)}


def order_pairs(
    layout: Layout,
    *,
    least_area: int = 1000,
    depth: np.ndarray | None = None,
    farther_is_larger: bool = True,
    segments: Sequence[Segment] | None = None,
) -> list[OrderPair]:
    """Returns the adjacent pairs of a layout with which is in front; those that cannot be told are left out.

    Args:
        layout: of the scene.
        least_area: segments of fewer pixels are left out (the paper's 1000 are 0.76 % of 256x512).
        depth: float (H, W), or None; not finite = unknown. Of real pictures, not of synthetic ones.
        farther_is_larger: true for depths, false for disparities.
        segments: of the layout, where they are at hand.

    Raises:
        LabelError: a depth map of another size.
    """
    if depth is not None and depth.shape != layout.shape:
        raise LabelError(
            f"depth map is {depth.shape}, its layout {layout.shape}; scale the depth to the layout's (H, W)"
        )
    found = segments_of(layout) if segments is None else segments
    pairs = []
    for first, second in adjacent_pairs([one for one in found if one.area >= least_area], layout.shape):
        front = front_by_rules(layout, first, second, depth=depth, farther_is_larger=farther_is_larger)
        if front is not None:
            pairs.append(OrderPair(first, second, front))
    return pairs


def adjacent_pairs(segments: Sequence[Segment], shape: tuple[int, int]) -> Iterator[tuple[Segment, Segment]]:
    """Yields the pairs of different classes that touch, corners included, in the order of the segments."""
    for index, first in enumerate(segments):
        x0, y0, x1, y1 = first.box
        left, top = max(x0 - 1, 0), max(y0 - 1, 0)
        right, bottom = min(x1 + 1, shape[1]), min(y1 + 1, shape[0])
        grown = np.zeros((bottom - top, right - left), bool)
        grown[y0 - top : y1 - top, x0 - left : x1 - left] = first.mask
        grown = ndimage.binary_dilation(grown, EIGHT)
        for second in segments[index + 1 :]:
            if second.class_id == first.class_id:
                continue
            a0, b0, a1, b1 = second.box
            l0, t0, r1, u1 = max(left, a0), max(top, b0), min(right, a1), min(bottom, b1)
            if l0 >= r1 or t0 >= u1:
                continue
            of_first = grown[t0 - top : u1 - top, l0 - left : r1 - left]
            if (of_first & second.mask[t0 - b0 : u1 - b0, l0 - a0 : r1 - a0]).any():
                yield first, second


def front_by_rules(
    layout: Layout,
    first: Segment,
    second: Segment,
    *,
    depth: np.ndarray | None = None,
    farther_is_larger: bool = True,
) -> int | None:
    """Returns the class id of the segment in front, or None where nothing tells.

    In this order: a thing stands in front of the plane that it stands on; the sky is behind everything; the depth at
    their common edge; a thing is in front of stuff; of two things, or two kinds of stuff, the one that reaches lower
    in the picture is in front (it touches the ground nearer to us). Two things that end at the same height, or both
    at the picture's lower border, are left open; stuff that does is decided by `coarse_order`.
    """
    label_set = layout.label_set
    classes = [label_set.by_id[one.class_id] for one in (first, second)]
    things = [one.kind == "thing" for one in classes]
    planes = [one.name.replace(" ", "_") in PLANAR for one in classes]
    skies = [one.name in SKY for one in classes]
    if (things[0] and planes[1]) or (things[1] and planes[0]):
        return classes[1 if planes[0] else 0].id
    if skies[0] != skies[1]:
        return classes[1 if skies[0] else 0].id
    if depth is not None:
        nearer = _nearer(first, second, depth if farther_is_larger else -depth)
        if nearer is not None:
            return nearer.class_id
    if things[0] != things[1]:
        return classes[0 if things[0] else 1].id
    height = layout.shape[0]
    ends = [one.box[3] for one in (first, second)]
    if abs(ends[0] - ends[1]) > max(2, 0.01 * height):
        return classes[0 if ends[0] > ends[1] else 1].id
    if things[0]:
        return None
    rank = coarse_order(label_set)
    return max((one.id for one in classes), key=rank.__getitem__)


def _nearer(first: Segment, second: Segment, depth: np.ndarray) -> Segment | None:
    """Returns the segment with the smaller median depth where the 11x11-dilated edges of both meet, if that tells."""
    masks = [one.whole_mask((depth.shape[0], depth.shape[1])) for one in (first, second)]
    bands = [ndimage.binary_dilation(mask & ~ndimage.binary_erosion(mask, EIGHT), _EDGE) for mask in masks]
    common = bands[0] & bands[1] & np.isfinite(depth)
    if min(np.count_nonzero(common & mask) for mask in masks) < _LEAST_SEEN:
        return None
    medians = [float(np.median(depth[common & mask])) for mask in masks]
    if abs(medians[0] - medians[1]) < _LEAST_STEP * max(abs(median) for median in medians):
        return None
    return first if medians[0] < medians[1] else second


def _is_class(label_set: LabelSet, class_id: int) -> bool:
    return label_set.by_id[class_id].kind != "void" and class_id != label_set.ignore_id
