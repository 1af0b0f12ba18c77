"""Made-up segments, thousands at once and straight as runs: rounded, slanted, wavy shapes before bands of classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scenebrush.methods.sims.cutting import CutDonor
from scenebrush.methods.sims.matching import BINS, CELLS, NO_CLASS, Query, bin_of_class, labels_of, query_of
from scenebrush.methods.sims.segments import Segment
from scenebrush.methods.sims.shards import BOXES, COUNTS, grids_dtype
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout

_BANDS = (("sky", "building", "tree"), ("building", "tree", "fence", "car"), ("road", "pavement", "void"))
"""What may stand above, behind and below."""


@dataclass(frozen=True, eq=False)
class Runs:
    """Runs of many segments: which segment, row, first column, end column, class; each int (n,)."""

    segment: np.ndarray
    row: np.ndarray
    start: np.ndarray
    end: np.ndarray
    class_id: np.ndarray

    def sorted(self) -> Runs:
        """Returns those that are not empty, segment by segment."""
        kept = np.flatnonzero((self.end > self.start) & (self.class_id != NO_CLASS))
        order = kept[np.argsort(self.segment[kept].astype(np.int16), kind="stable")]
        return Runs(*(column[order] for column in vars(self).values()))

    def packed(self) -> bytes:
        """Returns them as the bank keeps them."""
        columns = (self.row, self.start, self.end, self.class_id)
        return np.stack(columns, axis=1).astype("<u2").tobytes()

    def counts(self, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns pixels by segment, (n,), and by segment and cell of its box with bins, (n, CELLS, CELLS, BINS)."""
        steps, own = np.arange(CELLS + 1), boxes[self.segment]
        columns = own[:, :1] + (own[:, 2:3] - own[:, :1]) * steps // CELLS
        rows = own[:, 1:2] + (own[:, 3:] - own[:, 1:2]) * steps // CELLS
        cell_row = (self.row[:, None] >= rows[:, 1:-1]).sum(1)
        lengths = np.minimum(self.end[:, None], columns[:, 1:]) - np.maximum(self.start[:, None], columns[:, :-1])
        found = np.zeros((len(boxes), CELLS, CELLS, BINS), np.int64)
        bins = self.class_id % BINS
        for cell in range(CELLS):
            index = ((self.segment * CELLS + cell_row) * CELLS + cell) * BINS + bins
            found += np.bincount(index, np.maximum(lengths[:, cell], 0), found.size).astype(int).reshape(found.shape)
        return np.bincount(self.segment, self.end - self.start, len(boxes)).astype(int), found


def synthetic_donor(
    name: str,
    rng: np.random.Generator,
    places: np.ndarray,
    count: int,
    label_set: LabelSet,
    match_size: tuple[int, int],
) -> CutDonor:
    """Returns made-up segments as one donor, without colour and without grids.

    Args:
        name: of the donor.
        rng: random draws.
        places: int (n, 5): class id and box (x0, y0, x1, y1) at match resolution, of real segments; each made-up one
            is near one of these.
        count: how many, less than 32768.
        label_set: CamVid's, its ids being places in it.
        match_size: (H, W).
    """
    assert label_set.ids == tuple(range(len(label_set.ids)))
    assert (bin_of_class(label_set)[:-1] == np.arange(len(label_set.ids)) % BINS).all()
    class_ids, boxes = _near(rng, places[rng.integers(len(places), size=count)], match_size)
    masks = _masks(rng, boxes, class_ids)
    first = np.searchsorted(masks.segment, np.arange(count))
    boxes[:, 0] = np.minimum.reduceat(masks.start, first)
    boxes[:, 2] = np.maximum.reduceat(masks.end, first)
    context_boxes = _enlarged(boxes, match_size)
    contexts = _contexts(rng, masks, boxes, context_boxes, label_set, match_size)
    area, mask_cells = masks.counts(boxes)
    size, context_cells = contexts.counts(context_boxes)
    records, cells = np.zeros(count, BOXES), np.zeros(count, COUNTS)
    records["box"], records["context_box"], records["area"], records["context_size"] = boxes, context_boxes, area, size
    records["mask_runs"] = np.bincount(masks.segment, minlength=count)
    records["context_runs"] = np.bincount(contexts.segment, minlength=count)
    cells["mask"], cells["context"] = mask_cells.sum(-1), context_cells
    packed = [
        (runs.packed(), 8 * np.concatenate([[0], np.cumsum(np.bincount(runs.segment, minlength=count))]))
        for runs in (masks, contexts)
    ]
    return CutDonor(
        name=name,
        digest=name,
        size=(match_size[1], match_size[0]),
        class_ids=class_ids,
        photo_boxes=boxes,
        instances=np.zeros(count, int),
        boxes=records,
        cells=cells,
        grids=np.zeros(count, grids_dtype(label_set)),
        runs=[b"".join(data[ends[i] : ends[i + 1]] for data, ends in packed) for i in range(count)],
        colours=[b""] * count,
    )


def synthetic_queries(donor: CutDonor, label_set: LabelSet, match_size: tuple[int, int]) -> list[Query]:
    """Returns the segments of a donor as queries, each in a layout of its own that shows its context."""
    queries = []
    void = next(c.id for c in label_set.classes if c.kind == "void")
    for class_id, record, data in zip(donor.class_ids.tolist(), donor.boxes, donor.runs, strict=True):
        runs, count = np.frombuffer(data, "<u2").reshape(-1, 4), int(record["mask_runs"])
        box, around = tuple(map(int, record["box"])), tuple(map(int, record["context_box"]))
        label_map = np.full(match_size, void)
        context = labels_of(runs[count:], around)
        label_map[around[1] : around[3], around[0] : around[2]] = np.where(context == NO_CLASS, void, context)
        mask = labels_of(runs[:count], box) != NO_CLASS
        queries.append(query_of(Layout(label_map, label_set), Segment(class_id, box, mask), match_size))
    return queries


def _near(rng: np.random.Generator, places: np.ndarray, match_size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Returns classes, and boxes moved and scaled by some tenths, within the frame and of 4 pixels at least."""
    low, high = places[:, 1:3].astype(float), places[:, 3:].astype(float)
    sides = high - low
    centers = (low + high) / 2 + rng.normal(0, 0.15, low.shape) * sides + rng.normal(0, 2, low.shape)
    sides = np.maximum(4, sides * np.exp(rng.normal(0, 0.2, low.shape)))
    extent = np.array([match_size[1], match_size[0]])
    low = np.clip(np.round(centers - sides / 2), 0, extent - 4).astype(int)
    high = np.clip(np.round(centers + sides / 2).astype(int), low + 4, extent)
    return places[:, 0].copy(), np.concatenate([low, high], axis=1)


def _masks(rng: np.random.Generator, boxes: np.ndarray, class_ids: np.ndarray) -> Runs:
    """Returns one run per row of each box."""
    count, heights = len(boxes), boxes[:, 3] - boxes[:, 1]
    segment, step = _rows(heights)
    along = (step + 0.5) / heights[segment]
    top, bottom = rng.uniform(0.2, 0.5, (2, count))
    slanted = top[segment] + (bottom - top)[segment] * along
    halves = np.where((rng.random(count) < 0.4)[segment], np.sqrt(along * (1 - along)), slanted)
    waves, phase, height = rng.uniform(1, 6, count), rng.uniform(0, 6.3, count), rng.uniform(0, 0.12, count)
    halves = halves * (1 - height[segment] * (1 + np.sin(6.28 * waves[segment] * along + phase[segment])))
    width, left = (boxes[:, 2] - boxes[:, 0])[segment], boxes[:, 0][segment]
    start = left + np.clip(np.round(width * (0.5 - halves)).astype(int), 0, width - 1)
    end = np.maximum(start + 1, left + np.round(width * (0.5 + halves)).astype(int))
    return Runs(segment, boxes[:, 1][segment] + step, start, end, class_ids[segment])


def _contexts(
    rng: np.random.Generator,
    masks: Runs,
    boxes: np.ndarray,
    context_boxes: np.ndarray,
    label_set: LabelSet,
    match_size: tuple[int, int],
) -> Runs:
    """Returns the runs of masks with bands of other classes around them, others on the left than on the right."""
    count = len(boxes)
    void = label_set.find("void").id
    drawn = [np.array([label_set.find(name).id for name in names]) for names in _BANDS]
    band = [np.stack([ids[rng.integers(len(ids), size=count)] for ids in drawn], axis=1) for _ in range(2)]
    horizon = match_size[0] * np.stack([rng.normal(0.3, 0.08, count), rng.normal(0.65, 0.05, count)], axis=1)

    def behind(side: int, segment: np.ndarray, row: np.ndarray) -> np.ndarray:
        ids = band[side][segment, (row[:, None] >= horizon[segment]).sum(1)]
        return np.where(ids == void, NO_CLASS, ids)

    segment, step = _rows(context_boxes[:, 3] - context_boxes[:, 1])
    row = context_boxes[:, 1][segment] + step
    outside = (row < boxes[:, 1][segment]) | (row >= boxes[:, 3][segment])
    segment, row = segment[outside], row[outside]
    low, high = context_boxes[:, 0], context_boxes[:, 2]
    own = masks.segment
    parts = [
        (segment, row, low[segment], high[segment], behind(0, segment, row)),
        (own, masks.row, low[own], masks.start, behind(0, own, masks.row)),
        (own, masks.row, masks.start, masks.end, masks.class_id),
        (own, masks.row, masks.end, high[own], behind(1, own, masks.row)),
    ]
    return Runs(*(np.concatenate(columns) for columns in zip(*parts, strict=True))).sorted()


def _enlarged(boxes: np.ndarray, match_size: tuple[int, int]) -> np.ndarray:
    """Returns what `segments.enlarged` returns of each."""
    grown = np.round((boxes[:, 2:] - boxes[:, :2]) / 8).astype(int)
    extent = np.array([match_size[1], match_size[0]])
    return np.concatenate([np.maximum(0, boxes[:, :2] - grown), np.minimum(extent, boxes[:, 2:] + grown)], axis=1)


def _rows(heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns, for every row of each, whose it is and which."""
    segment = np.repeat(np.arange(len(heights)), heights)
    return segment, np.arange(len(segment)) - np.repeat(np.cumsum(heights) - heights, heights)
