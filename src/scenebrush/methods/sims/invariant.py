"""Matching without position and size: boxes mapped onto one grid. Our extension; the paper's is absolute."""

from __future__ import annotations

import numpy as np

from scenebrush.methods.sims.matching import NO_CLASS, Query, Shape, centers
from scenebrush.methods.sims.retrieval import NOTHING, Scores, to_reach
from scenebrush.methods.sims.shards import GRID, Shard, grids_dtype

_CHUNK = 512


def grid_of(shape: Shape) -> np.ndarray:
    """Returns a segment's mask and context on the grid, a record () of `shards.grids_dtype`.

    Each point of the grid takes the pixel under it: of the box for the mask, of the context box for the context.
    """
    label_set = shape.frame.label_set
    record = np.zeros((), grids_dtype(label_set))
    if shape.area:
        record["mask"] = np.packbits(_sampled(shape.mask), bitorder="little").view("<u8")
        codes = np.zeros(max(label_set.ids) + 2, record["context"].dtype)  # the last, of NO_CLASS, stays 0
        codes[list(label_set.ids)] = np.arange(1, len(label_set.ids) + 1)
        assert NO_CLASS == -1
        record["context"] = codes[_sampled(shape.context)].ravel()
    return record


def _sampled(array: np.ndarray) -> np.ndarray:
    sampled: np.ndarray = array[np.ix_(centers(array.shape[0], GRID), centers(array.shape[1], GRID))]
    return sampled


def mask_scores(mask: np.ndarray, grids: np.ndarray) -> np.ndarray:
    """Returns the IoU of a mask, uint64 (words,), with that of each record, float64 (n,)."""
    masks = grids["mask"]
    shared = np.bitwise_count(masks & mask).sum(1, dtype=np.int64)
    union = np.bitwise_count(masks | mask).sum(1, dtype=np.int64)
    scores: np.ndarray = shared / np.maximum(union, 1)
    return scores


def context_scores(context: np.ndarray, grids: np.ndarray) -> np.ndarray:
    """Returns the IoU of a context, codes (points,), with that of each record, float64 (n,)."""
    contexts = grids["context"]
    shared = np.count_nonzero((contexts == context) & (context != 0), axis=1)
    union = np.count_nonzero(contexts, axis=1) + np.count_nonzero(context) - shared
    scores: np.ndarray = shared / np.maximum(union, 1)
    return scores


class GridSearcher:
    """Finds the best of one class whatever their position and size.

    Args:
        shard: the class.
        count: how many of its segments can be used, from the first on.
    """

    def __init__(self, shard: Shard, count: int) -> None:
        self._grids = shard.grids[:count]

    def find(self, query: Query, k: int, *, context: bool, allowed: np.ndarray | None) -> Scores:
        """Returns the k best, exactly: masks are compared with all, contexts while a perfect one could still help."""
        grid = grid_of(query.shape)
        masks = np.empty(len(self._grids))
        for start in range(0, len(masks), _CHUNK):
            masks[start : start + _CHUNK] = mask_scores(grid["mask"], self._grids[start : start + _CHUNK])
        left = np.arange(len(masks)) if allowed is None else np.flatnonzero(allowed)
        left = left[np.argsort(-masks[left], kind="stable")]
        best = NOTHING
        for start in range(0, len(left), _CHUNK):
            part = left[start : start + _CHUNK]
            best_possible = masks[part] + (1.0 if context else 0.0)
            part = part[best_possible >= to_reach(best, k)]
            if not len(part):
                break
            contexts = context_scores(grid["context"], self._grids[part]) if context else np.zeros(len(part))
            best = (best + Scores(part, masks[part], contexts)).best(k)
        return best
