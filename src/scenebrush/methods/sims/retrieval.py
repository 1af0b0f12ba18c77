"""Exact retrieval: the k best segments of a class, found by bounds that leave the others out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from scenebrush.methods.sims.bounds import SLACK, BoxColumns, context_cell_bounds, mask_cell_bounds
from scenebrush.methods.sims.matching import Query
from scenebrush.methods.sims.shards import Shard

_SEEDS, _LARGEST_TURN = 64, 4096
_FIRST_SCORED, _SCORED = 24, 128


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

    def where(self, chosen: np.ndarray) -> Scores:
        """Returns those that are chosen, bool (n,)."""
        return Scores(self.ordinals[chosen], self.masks[chosen], self.contexts[chosen])

    def split(self, count: int) -> tuple[Scores, Scores]:
        """Returns the first `count`, and the rest."""
        first, rest = (
            Scores(self.ordinals[part], self.masks[part], self.contexts[part])
            for part in (slice(count), slice(count, None))
        )
        return first, rest

    def __add__(self, other: Scores) -> Scores:
        return Scores(
            np.concatenate([self.ordinals, other.ordinals]),
            np.concatenate([self.masks, other.masks]),
            np.concatenate([self.contexts, other.contexts]),
        )


NOTHING = Scores(np.zeros(0, np.intp), np.zeros(0), np.zeros(0))


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

        Areas and boxes bound all segments. The most promising ones are scored first: the k-th best of them is what
        others must reach. Those that still can take their turn, best bound first, in growing groups.
        """
        masks, contexts = self._columns.bounds(query, context=context)
        totals = masks + contexts
        if allowed is not None:
            totals[~allowed] = -1
        search = Search(self._shard, query, k, context=context)
        most_promising = _highest(totals, max(_SEEDS, k))
        search.take(Scores(most_promising, masks[most_promising], contexts[most_promising]))
        totals[most_promising] = -1
        left = np.flatnonzero(totals >= search.to_reach)
        left = left[np.argsort(-totals[left], kind="stable")]
        size = 4 * _SEEDS
        while len(left):
            part, left = left[:size], left[size:]
            search.take(Scores(part, masks[part], contexts[part]))
            left = left[totals[left] >= search.to_reach]
            size = min(2 * size, _LARGEST_TURN)
        return search.best


class Search:
    """One search: the best so far.

    Args:
        shard: where is searched.
        query: what for.
        k: how many are to be found.
        context: whether contexts count.
    """

    def __init__(self, shard: Shard, query: Query, k: int, *, context: bool) -> None:
        self._shard, self._query, self._k, self._context = shard, query, k, context
        self.best = NOTHING

    @property
    def to_reach(self) -> float:
        """The k-th best score, 0 while there are fewer."""
        return to_reach(self.best, self._k)

    def take(self, bounds: Scores) -> None:
        """Puts segments among the best that belong there, given bounds of their scores.

        Step by step from cheap to dear: cells of masks, cells of contexts, masks, contexts; after each only those go on
        that can still be among the k best.
        """
        bounds = self._hopeful(self._bound_masks(bounds))
        if self._context:
            bounds = self._hopeful(self._bound_contexts(bounds))
        bounds, size = bounds.best(len(bounds.ordinals)), _FIRST_SCORED
        while len(bounds.ordinals):
            part, bounds = bounds.split(max(size, self._k))
            scores = replace(part, masks=self.mask_scores(part.ordinals))
            if self._context:
                scores = self._hopeful(scores)
                scores = replace(scores, contexts=self.context_scores(scores.ordinals))
            self.best = (self.best + scores).best(self._k)
            bounds, size = self._hopeful(bounds), _SCORED

    def _hopeful(self, bounds: Scores) -> Scores:
        return bounds.where(bounds.totals >= self.to_reach)

    def _bound_masks(self, bounds: Scores) -> Scores:
        boxes, cells = self._shard.boxes[bounds.ordinals], self._shard.cells["mask"][bounds.ordinals]
        return replace(bounds, masks=np.minimum(bounds.masks, mask_cell_bounds(self._query, boxes, cells)))

    def _bound_contexts(self, bounds: Scores) -> Scores:
        boxes, cells = self._shard.boxes[bounds.ordinals], self._shard.cells["context"][bounds.ordinals]
        return replace(bounds, contexts=np.minimum(bounds.contexts, context_cell_bounds(self._query, boxes, cells)))

    def mask_scores(self, ordinals: np.ndarray) -> np.ndarray:
        """Returns the exact IoU of masks, float64 (n,)."""
        boxes = self._shard.boxes[ordinals]
        first, counts = boxes["first_run"].astype(np.intp), boxes["mask_runs"].astype(np.intp)
        shared = self._shared(self._mask_counter, first, counts)
        scores: np.ndarray = shared / np.maximum(boxes["area"] + float(self._query.shape.area) - shared, 1)
        return scores

    def context_scores(self, ordinals: np.ndarray) -> np.ndarray:
        """Returns the exact IoU of contexts, float64 (n,)."""
        boxes = self._shard.boxes[ordinals]
        first = (boxes["first_run"] + boxes["mask_runs"]).astype(np.intp)
        shared = self._shared(self._context_counter, first, boxes["context_runs"].astype(np.intp))
        union = boxes["context_size"] + float(self._query.shape.context_size) - shared
        scores: np.ndarray = shared / np.maximum(union, 1)
        return scores

    @cached_property
    def _mask_counter(self) -> RunCounter:
        return mask_counter(self._query)

    @cached_property
    def _context_counter(self) -> RunCounter:
        return context_counter(self._query)

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
        table: uint16, flat: sums along rows.
        rows: intp, where each row of the frame begins in a plane of the table; an empty row, for rows left out.
        columns: intp, where each column lies in a row; clipped to the query's box.
        planes: intp, where the plane of each class begins; None = there is one plane.
    """

    table: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    planes: np.ndarray | None = None

    def count(self, runs: np.ndarray) -> np.ndarray:
        """Returns the pixels in each run, uint16 (n, 4), as uint16 (n,)."""
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
    table = np.zeros((height + 1, width + 1), np.uint16)  # the last row is empty
    np.cumsum(shape.mask, axis=1, dtype=np.uint16, out=table[:height, 1:])
    x0, y0, _, y1 = shape.box
    rows = np.full(query.match_size[0], height * (width + 1), np.intp)
    rows[y0:y1] = np.arange(height) * (width + 1)
    columns = np.minimum(np.maximum(np.arange(query.match_size[1] + 1) - x0, 0), width)
    return RunCounter(table.ravel(), rows, columns)


def context_counter(query: Query) -> RunCounter:
    """Returns what counts the pixels of the query's context, of a run's own class."""
    frame, (x0, y0, x1, y1) = query.shape.frame, query.shape.context_box
    planes, table = frame.rows_of_class
    rows = np.full(query.match_size[0], (table.shape[1] - 1) * table.shape[2], np.intp)
    rows[y0:y1] = np.arange(y0, y1) * table.shape[2]
    columns = np.minimum(np.maximum(np.arange(table.shape[2]), x0), x1)
    return RunCounter(table.ravel(), rows, columns, planes * (table.shape[1] * table.shape[2]))


def to_reach(best: Scores, k: int) -> float:
    """Returns the k-th best score, or 0 while there are fewer."""
    return float(best.totals[-1]) if len(best.totals) >= k else 0.0


def _highest(bounds: np.ndarray, count: int) -> np.ndarray:
    """Returns the places of the highest bounds that are not nearly 0, in no order; fewer where there are fewer."""
    places = np.flatnonzero(bounds > 3 * SLACK)  # what shares nothing ties, and parting ties is dear
    if len(places) <= count:
        return places
    return places[np.argpartition(bounds[places], len(places) - count)[-count:]]
