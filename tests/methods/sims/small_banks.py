"""Small random layouts and banks of them, and dense scoring written without the bank's own code."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scenebrush.methods.sims.bank import Bank
from scenebrush.methods.sims.cutting import cut
from scenebrush.methods.sims.segments import Segment, segments_of
from scenebrush.methods.sims.writing import BankWriter
from scenebrush.scene.label_set import LabelClass, LabelSet
from scenebrush.scene.layout import Layout

SIZE = (32, 64)
LEAST = 3
VOID = 99


def classes(count: int) -> LabelSet:
    """Returns a label set of things and stuff with gaps between their ids, and a void class."""
    made = [LabelClass(3 * i, f"class {i}", (i, i, i), "thing" if i % 3 == 0 else "stuff") for i in range(count)]
    return LabelSet("small", (*made, LabelClass(VOID, "void", (0, 0, 0), "void")), VOID)


def random_layout(rng: np.random.Generator, label_set: LabelSet) -> Layout:
    """Returns boxes, discs and specks on bands, some of it void; often on a coarse raster, so that scores tie."""
    height, width = rng.integers(20, 50), rng.integers(30, 90)
    step = int(rng.choice([1, 8]))
    ids = np.array(label_set.ids)
    label_map = np.full((height, width), rng.choice(ids))
    label_map[height // 2 :] = rng.choice(ids)
    instance_map = np.zeros((height, width), np.int32)
    y, x = np.mgrid[:height, :width]
    for number in range(1, rng.integers(3, 14)):
        x0, y0 = rng.integers(-4, width) // step * step, rng.integers(-4, height) // step * step
        w, h = (step * rng.integers(1, 24 // step + 1) for _ in range(2))
        where = (x >= x0) & (x < x0 + w) & (y >= y0) & (y < y0 + h)
        kind = rng.integers(3)
        if kind == 1:
            where = ((x - x0) / w) ** 2 + ((y - y0) / h) ** 2 < 0.3
        elif kind == 2 and step == 1:
            where &= rng.random(where.shape) < 0.8
        class_id = rng.choice(ids)
        label_map[where] = class_id
        instance_map[where] = number if class_id % 9 == 0 else 0
    instance_map[label_map % 9 != 0] = 0
    return Layout(label_map, label_set, instance_map if rng.random() < 0.5 else None)


def make_bank(path: Path, layouts: Sequence[Layout], *, size: tuple[int, int] = SIZE, least: int = LEAST) -> Bank:
    """Returns a bank without colour; donor i is `train/i`."""
    with BankWriter.open(path, layouts[0].label_set, match_size=size, least_area=least) as writer:
        for i, layout in enumerate(layouts):
            writer.append(cut(f"train/{i}", str(i), layout, None, match_size=size, least_area=least))
    return Bank.open(path)


class Dense:
    """A segment as the paper compares it: a mask (H, W) and a context (H, W, classes), both bool and whole."""

    def __init__(self, layout: Layout, segment: Segment, size: tuple[int, int]) -> None:
        height, width = layout.shape
        rows = [int((i + 0.5) * height / size[0]) for i in range(size[0])]
        columns = [int((i + 0.5) * width / size[1]) for i in range(size[1])]
        self.class_id = segment.class_id
        self.mask = segment.whole_mask(layout.shape)[rows][:, columns]
        labels = layout.label_map[rows][:, columns]
        ids = [c.id for c in layout.label_set.classes if c.kind != "void"]
        self.context = labels[..., None] == ids
        ys, xs = np.nonzero(self.mask)
        if len(ys):
            around = np.zeros(size, bool)
            w, h = xs.max() + 1 - xs.min(), ys.max() + 1 - ys.min()
            dx, dy = round(w / 8), round(h / 8)
            around[max(0, ys.min() - dy) : ys.max() + 1 + dy, max(0, xs.min() - dx) : xs.max() + 1 + dx] = True
            self.context = self.context & around[..., None]

    def ious(self, other: Dense) -> tuple[float, float]:
        """Returns the IoU of masks and of contexts."""
        return _iou(self.mask, other.mask), _iou(self.context, other.context)


def dense_segments(layout: Layout, size: tuple[int, int] = SIZE, least: int = LEAST) -> list[Dense]:
    """Returns all segments of a layout that have `least` pixels at match resolution."""
    found = [Dense(layout, segment, size) for segment in segments_of(layout)]
    return [one for one in found if np.count_nonzero(one.mask) >= least]


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    union = np.count_nonzero(a | b)
    return float(np.count_nonzero(a & b) / union) if union else 0.0
