"""Segments: the connected components of a layout, which the memory bank keeps and a query is cut into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.objects import EIGHT

Box = tuple[int, int, int, int]
"""(x0, y0, x1, y1) in pixels, the end not included."""

THIN_CLASSES = frozenset(
    {"pole", "polegroup", "traffic_light", "traffic_sign", "traffic light", "traffic sign", "sign_symbol"}
)
"""What stands in front of others without splitting them (facts 2.2): names of classes."""


@dataclass(frozen=True, eq=False)
class Segment:
    """One connected component of a class, or one instance.

    Args:
        class_id: its class.
        box: its bounding box in the layout.
        mask: bool (y1 - y0, x1 - x0), its pixels within the box.
        instance: its number in the instance map; 0 = a connected component.
    """

    class_id: int
    box: Box
    mask: np.ndarray
    instance: int = 0

    @property
    def area(self) -> int:
        """Number of its pixels."""
        return int(np.count_nonzero(self.mask))

    @property
    def window(self) -> tuple[slice, slice]:
        """The box as (rows, columns)."""
        x0, y0, x1, y1 = self.box
        return slice(y0, y1), slice(x0, x1)

    def whole_mask(self, shape: tuple[int, int]) -> np.ndarray:
        """Returns its pixels in a layout of `shape`, bool (H, W)."""
        whole = np.zeros(shape, bool)
        whole[self.window] = self.mask
        return whole


def segments_of(layout: Layout, *, least_area: int = 1) -> list[Segment]:
    """Returns the segments of a layout, class by class in the label set's order; nothing is void or unlabelled.

    Things with an instance number are one segment each, everything else is cut into 8-connected components. Poles,
    lights and signs do not split what is behind them: a building to both sides of a pole is one segment, without the
    pole's pixels (paper; facts 2.2).

    Args:
        layout: what to cut.
        least_area: segments of fewer pixels are left out.
    """
    label_map, label_set = layout.label_map, layout.label_set
    instance_map = layout.instance_map
    thin = np.isin(label_map, thin_ids(label_set))
    found: list[Segment] = []
    for label_class in label_set.classes:
        of_class = label_map == label_class.id
        if label_class.kind == "void" or label_class.id == label_set.ignore_id or not of_class.any():
            continue
        if instance_map is not None:
            found += _instances(label_class.id, of_class, instance_map)
            of_class = of_class & (instance_map == 0)
        behind = thin if label_class.name not in THIN_CLASSES else None
        found += [Segment(label_class.id, box, mask) for box, mask in _components(of_class, behind)]
    return [segment for segment in found if segment.area >= least_area]


def thin_ids(label_set: LabelSet) -> list[int]:
    """Returns the ids of the thin classes (`THIN_CLASSES`) of a label set."""
    return [c.id for c in label_set.classes if c.name in THIN_CLASSES]


def enlarged(box: Box, shape: tuple[int, int], share: float = 0.25) -> Box:
    """Returns the box grown by a share of its width and height (half of it to each side), within (H, W)."""
    x0, y0, x1, y1 = box
    dx, dy = round((x1 - x0) * share / 2), round((y1 - y0) * share / 2)
    return max(0, x0 - dx), max(0, y0 - dy), min(shape[1], x1 + dx), min(shape[0], y1 + dy)


def _instances(class_id: int, of_class: np.ndarray, instance_map: np.ndarray) -> Iterator[Segment]:
    here = np.where(of_class, instance_map, 0)
    for number, part in enumerate(ndimage.find_objects(here), start=1):
        if part is not None:
            yield Segment(class_id, _box(part), here[part] == number, number)


def _components(of_class: np.ndarray, behind: np.ndarray | None) -> Iterator[tuple[Box, np.ndarray]]:
    """Yields the components of a class, joined across `behind`, with no pixel of that."""
    joined = of_class if behind is None else of_class | behind
    joined_numbers, _ = ndimage.label(joined, structure=EIGHT)
    numbers = np.where(of_class, joined_numbers, 0)
    for index, part in enumerate(ndimage.find_objects(numbers), start=1):
        if part is not None:
            mask = numbers[part] == index
            yield from _split(_box(part), mask, int(np.count_nonzero(joined_numbers[part] == index)))


def _split(box: Box, mask: np.ndarray, joined: int) -> Iterator[tuple[Box, np.ndarray]]:
    """Yields a component of `joined` pixels with its thin structures; in parts where those alone hold it together.

    The released code drops such components; their pixels are as real as others.
    """
    if joined < 2 * np.count_nonzero(mask):
        yield box, mask
        return
    apart, _ = ndimage.label(mask, structure=EIGHT)
    for number, inner in enumerate(ndimage.find_objects(apart), start=1):
        x0, y0, x1, y1 = _box(inner)
        yield (box[0] + x0, box[1] + y0, box[0] + x1, box[1] + y1), apart[inner] == number


def _box(part: tuple[slice, ...]) -> Box:
    rows, columns = part
    return columns.start, rows.start, columns.stop, rows.stop
