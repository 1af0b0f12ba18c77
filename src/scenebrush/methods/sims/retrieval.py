"""Exact retrieval: the k best segments of a class, found by bounds that leave the others out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scenebrush.methods.sims.bounds import BoxColumns, cell_bounds
from scenebrush.methods.sims.matching import Query
from scenebrush.methods.sims.shards import Shard

_SEEDS, _FIRST_EXACT = 512, 32
_CELL_CHUNK, _EXACT_CHUNK = 2048, 128


@dataclass(frozen=True)
class Scores:
    """Scores of segments, best first; equal ones in the order of their ids.

    Args:
        ordinals: intp (n,), places in the class.
        masks, contexts: IoU, float64 (n,); contexts are 0 where they do not count.
    """

    ordinals: np.ndarray
    masks: np.ndarray
    contexts: np.ndarray

    @cached_property
    def totals(self) -> np.ndarray:
        """float64 (n,): IoU of masks + IoU of contexts."""
        totals: np.ndarray = self.masks + self.contexts
        return totals

    def best(self, k: int) -> Scores:
        """Returns the k best."""
        order = np.lexsort((self.ordinals, -self.totals))[:k]
        return Scores(self.ordinals[order], self.masks[order], self.contexts[order])

    def __add__(self, other: Scores) -> Scores:
        return Scores(
            np.concatenate([self.ordinals, other.ordinals]),
            np.concatenate([self.masks, other.masks]),
            np.concatenate([self.contexts, other.contexts]),
        )


class Searcher:
    """Finds the best of one class.

    Args:
        shard: the class.
        count: how many of its segments can be used, from the first on.
    """

    def __init__(self, shard: Shard, count: int) -> None:
        self._shard, self._count = shard, count

    @cached_property
    def _columns(self) -> BoxColumns:
        return BoxColumns(self._shard.boxes[: self._count])

    @cached_property
    def _donors(self) -> np.ndarray:
        donors: np.ndarray = self._shard.boxes["donor"][: self._count].copy()
        return donors

    def allowed(self, donors: list[int], excluded: set[int]) -> np.ndarray | None:
        """Returns which segments may be found, bool (n,), or None = all.

        Args:
            donors: numbers of the donors to leave out.
            excluded: places of the segments to leave out.
        """
        if not donors and not excluded:
            return None
        allowed = np.ones(self._count, bool) if not donors else np.isin(self._donors, donors, invert=True)
        allowed[list(excluded)] = False
        return allowed

    def find(self, query: Query, k: int, *, context: bool, allowed: np.ndarray | None) -> Scores:
        """Returns the k best; exactly those that scoring all of them would find.

        1. Areas and boxes bound all. 2. The most promising are bounded by cells, and the most promising of these
        scored: the k-th best of them is what others must reach. 3. Whoever can is bounded by cells, and, best bound
        first, scored, until nobody left can.
        """
        bounds = self._columns.bounds(query, context=context)
        if allowed is not None:
            bounds[~allowed] = -1
        promising = _highest(bounds, _SEEDS)
        cells = self._cell_bounds(query, promising, context)
        first = promising[np.argsort(-cells, kind="stable")[: max(_FIRST_EXACT, k)]]
        best = self.score(query, first[bounds[first] >= 0], context=context).best(k)
        bounds[first] = -1
        return self._rest(query, k, best, bounds, context)

    def _rest(self, query: Query, k: int, best: Scores, bounds: np.ndarray, context: bool) -> Scores:
        left = np.flatnonzero(bounds >= to_reach(best, k))
        for start in range(0, len(left), _CELL_CHUNK):
            part = left[start : start + _CELL_CHUNK]
            bounds[part] = np.minimum(bounds[part], self._cell_bounds(query, part, context))
        left = left[bounds[left] >= to_reach(best, k)]
        left = left[np.argsort(-bounds[left], kind="stable")]
        for start in range(0, len(left), _EXACT_CHUNK):
            part = left[start : start + _EXACT_CHUNK]
            part = part[bounds[part] >= to_reach(best, k)]
            if not len(part):
                break
            best = (best + self.score(query, part, context=context)).best(k)
        return best

    def _cell_bounds(self, query: Query, ordinals: np.ndarray, context: bool) -> np.ndarray:
        shard = self._shard
        return cell_bounds(query, shard.boxes[ordinals], shard.cells[ordinals], context=context)

    def score(self, query: Query, ordinals: np.ndarray, *, context: bool) -> Scores:
        """Returns the exact scores of segments, in the order given."""
        boxes, shape = self._shard.boxes[ordinals], query.shape
        first, mask_runs = boxes["first_run"].astype(np.intp), boxes["mask_runs"].astype(np.intp)
        shared = self._shared(mask_counter(query), first, mask_runs)
        masks = shared / np.maximum(boxes["area"] + float(shape.area) - shared, 1)
        contexts = np.zeros(len(ordinals))
        if context:
            shared = self._shared(context_counter(query), first + mask_runs, boxes["context_runs"].astype(np.intp))
            contexts = shared / np.maximum(boxes["context_size"] + float(shape.context_size) - shared, 1)
        return Scores(ordinals, masks, contexts)

    def _shared(self, counter: RunCounter, first: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Returns how many pixels of each segment's runs the query has too, int64 (n,)."""
        runs = self._shard.runs
        if not len(first):
            return np.zeros(0, np.int64)
        first = np.minimum(first, len(runs))  # of a damaged record
        counts = np.minimum(counts, len(runs) - first)
        slices = zip(first.tolist(), (first + counts).tolist(), strict=True)
        chosen = np.concatenate([runs[start:end] for start, end in slices])
        ends = np.cumsum(counts)
        sums = np.zeros(len(chosen) + 1, np.int64)
        np.cumsum(counter.count(chosen.view("<u2").reshape(-1, 4)), out=sums[1:])
        shared: np.ndarray = sums[ends] - sums[ends - counts]
        return shared


@dataclass(frozen=True, eq=False)
class RunCounter:
    """Counts a query's pixels in runs.

    Args:
        table: int32, flat: sums along rows.
        rows: intp, where each row of the frame begins in a plane of the table; an empty row, for rows left out.
        columns: intp, where each column lies in a row; clipped to the query's box.
        planes: intp, where the plane of each class begins; None = there is one plane.
    """

    table: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    planes: np.ndarray | None = None

    def count(self, runs: np.ndarray) -> np.ndarray:
        """Returns the pixels in each run, uint16 (n, 4), as int32 (n,)."""
        start = self.rows.take(runs[:, 0], mode="clip")
        if self.planes is not None:
            start += self.planes.take(runs[:, 3], mode="clip")
        pixels: np.ndarray = self.table.take(start + self.columns.take(runs[:, 2], mode="clip"))
        pixels -= self.table.take(start + self.columns.take(runs[:, 1], mode="clip"))
        return pixels


def mask_counter(query: Query) -> RunCounter:
    """Returns what counts the pixels of the query's mask."""
    shape = query.shape
    height, width = shape.mask.shape
    table = np.zeros((height + 1, width + 1), np.int32)  # the last row is empty
    np.cumsum(shape.mask, axis=1, dtype=np.int32, out=table[:height, 1:])
    x0, y0, _, y1 = shape.box
    rows = np.full(query.match_size[0], height * (width + 1), np.intp)
    rows[y0:y1] = np.arange(height) * (width + 1)
    columns = np.clip(np.arange(query.match_size[1] + 1) - x0, 0, width)
    return RunCounter(table.ravel(), rows, columns)


def context_counter(query: Query) -> RunCounter:
    """Returns what counts the pixels of the query's context, of a run's own class."""
    frame, (x0, y0, x1, y1) = query.shape.frame, query.shape.context_box
    planes, table = frame.rows_of_class
    rows = np.full(query.match_size[0], (table.shape[1] - 1) * table.shape[2], np.intp)
    rows[y0:y1] = np.arange(y0, y1) * table.shape[2]
    columns = np.clip(np.arange(table.shape[2]), x0, x1)
    return RunCounter(table.ravel(), rows, columns, planes * (table.shape[1] * table.shape[2]))


def to_reach(best: Scores, k: int) -> float:
    """Returns the k-th best score, or 0 while there are fewer."""
    return float(best.totals[-1]) if len(best.totals) >= k else 0.0


def _highest(bounds: np.ndarray, count: int) -> np.ndarray:
    """Returns the places of the highest bounds, in no order."""
    if len(bounds) <= count:
        return np.arange(len(bounds))
    return np.argpartition(bounds, len(bounds) - count)[-count:]
