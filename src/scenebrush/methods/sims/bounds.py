"""Upper bounds of the scores: what a segment can reach at most, told from less than all of it.

Level 0 knows areas and boxes, of all segments of a class. Level 1 knows the pixels in each cell of a segment's box. A
bound is never below the score, so that what is left out by it is not among the best.
"""

from __future__ import annotations

import numpy as np

from scenebrush.methods.sims.matching import BINS, CELLS, Query

SLACK = 1e-5
"""Added to bounds: they are rounded to float32, scores are not."""
_CHUNK = 1 << 14
"""Segments in one turn, so that all columns stay in the cache."""


class BoxColumns:
    """Areas and boxes of the segments of a class, a column each, in memory (24 bytes a segment).

    Args:
        boxes: records, `shards.BOXES` (n,).
    """

    def __init__(self, boxes: np.ndarray) -> None:
        self.box = [np.ascontiguousarray(boxes["box"][:, i]).astype(np.int16) for i in range(4)]
        self.context_box = [np.ascontiguousarray(boxes["context_box"][:, i]).astype(np.int16) for i in range(4)]
        self.area, self.context_size = boxes["area"].astype(np.float32), boxes["context_size"].astype(np.float32)

    def __len__(self) -> int:
        return len(self.area)

    def bounds(self, query: Query, *, context: bool) -> tuple[np.ndarray, np.ndarray]:
        """Returns what each segment's IoU of masks and of contexts can be at most, float32 (n,) each.

        From sizes and overlaps of boxes. Where contexts do not count, theirs is 0.
        """
        shape = query.shape
        masks, contexts = np.empty(len(self), np.float32), np.zeros(len(self), np.float32)
        for start in range(0, len(self), _CHUNK):
            part = slice(start, start + _CHUNK)
            masks[part] = _iou_bound(self.area[part], shape.area, _overlap(self.box, part, shape.box))
            if context:
                overlap = _overlap(self.context_box, part, shape.context_box)
                contexts[part] = _iou_bound(self.context_size[part], shape.context_size, overlap)
        return masks, contexts


def _overlap(columns: list[np.ndarray], part: slice, box: tuple[int, ...]) -> np.ndarray:
    """Returns the pixels that boxes share with one, float32."""
    width, height = (
        np.maximum(
            np.minimum(columns[i + 2][part], np.int16(box[i + 2])) - np.maximum(columns[i][part], np.int16(box[i])), 0
        ).astype(np.float32)
        for i in (0, 1)
    )
    overlap: np.ndarray = width * height
    return overlap


def _iou_bound(sizes: np.ndarray, size: int, most: np.ndarray) -> np.ndarray:
    """Returns the largest IoU of sets of these sizes that share at most `most`, float32; overwrites `most`."""
    np.minimum(most, sizes, out=most)
    np.minimum(most, np.float32(size), out=most)
    union = sizes + np.float32(size)
    union -= most
    np.maximum(union, np.float32(1), out=union)
    most /= union
    most += np.float32(SLACK)
    return most


def mask_cell_bounds(query: Query, boxes: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Returns what each segment's IoU of masks can be at most, float32 (n,), from the pixels in each of its cells.

    What two masks share within a cell is at most the lesser of their pixels there.

    Args:
        query: what is looked for.
        boxes: records, `shards.BOXES` (n,).
        cells: the mask's pixels in them, (n, CELLS, CELLS).
    """
    shape = query.shape
    rows, columns = _edges(boxes["box"], shape.box)
    rows, columns = rows - shape.box[1], columns - shape.box[0]
    corners = shape.filled.ravel().take(rows[:, :, None] * shape.filled.shape[1] + columns[:, None, :])
    shared = np.minimum(_within(corners), cells).sum((1, 2), dtype=np.float32)
    return _iou_bound(boxes["area"].astype(np.float32), shape.area, shared)


def context_cell_bounds(query: Query, boxes: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Returns what each segment's IoU of contexts can be at most, float32 (n,), likewise, bin by bin.

    Args:
        query: what is looked for.
        boxes: records, `shards.BOXES` (n,).
        cells: the context's pixels in them, (n, CELLS, CELLS, BINS).
    """
    shape, bins = query.shape, query.shape.frame.bins
    rows, columns = _edges(boxes["context_box"], shape.context_box)
    corners = bins.reshape(-1, bins.shape[2]).take(rows[:, :, None] * bins.shape[1] + columns[:, None, :], axis=0)
    shared = np.minimum(_within(corners), cells).reshape(len(boxes), CELLS * CELLS * BINS).sum(1, dtype=np.float32)
    return _iou_bound(boxes["context_size"].astype(np.float32), shape.context_size, shared)


def _edges(boxes: np.ndarray, within: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Returns rows and columns where the cells of boxes begin and end, intp (n, CELLS + 1), clipped to one box."""
    boxes = boxes.astype(np.intp)
    steps = np.arange(CELLS + 1)
    columns = boxes[:, :1] + (boxes[:, 2:3] - boxes[:, :1]) * steps // CELLS
    rows = boxes[:, 1:2] + (boxes[:, 3:] - boxes[:, 1:2]) * steps // CELLS
    rows = np.minimum(np.maximum(rows, within[1]), within[3])  # np.clip takes three times as long for few
    return rows, np.minimum(np.maximum(columns, within[0]), within[2])


def _within(corners: np.ndarray) -> np.ndarray:
    """Returns the pixels in each cell from sums up to its corners, (n, CELLS + 1, CELLS + 1, ...)."""
    rows = corners[:, 1:] - corners[:, :-1]
    cells: np.ndarray = rows[:, :, 1:] - rows[:, :, :-1]
    return cells
