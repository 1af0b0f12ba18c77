"""Filling one class of a hole: offsets are chosen, then cut against one another where seams show least."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scenebrush.canvas import facades
from scenebrush.canvas.draft import Draft
from scenebrush.canvas.offsets import Judge, choose_moves, ring_of, sample
from scenebrush.canvas.plan import Plan
from scenebrush.canvas.seams import Blocks, Choices, assign
from scenebrush.canvas.sources import Sources

_LOOKED_AT = 40_000  # pixels of a region in the graph cut
_ROUNDS, _FURTHER = 3, 2  # searches for what the one before it left, and the moves that each may add
_FACADES_OVER = 400  # pixels of a region from which facades are looked for
_MUCH_BETTER = 0.85  # copies along a facade must be off the ring by less than this share of what others are
_RING_WEIGHT = 2.5  # of a pixel's ring cost against seams


def fill_class(draft: Draft, class_id: int, plan: Plan) -> None:
    """Copies the hole's pixels of one class from the visible pixels of that class, as far as there are any."""
    mask = draft.inside & (draft.classes == class_id)
    pixels = np.flatnonzero(mask)
    judge, moves = _along_a_facade(draft, *_chosen(draft, class_id, mask, plan), mask, plan)
    if len(moves):
        moves, usable = _completed(judge, moves, pixels, plan)
        draft.soft |= mask
        draft.put(judge.sources, pixels, _assigned(judge, moves, usable, pixels, plan))


def _chosen(draft: Draft, class_id: int, mask: np.ndarray, plan: Plan) -> tuple[Judge, np.ndarray]:
    """The judge of a region and the moves that it finds best."""
    sources = Sources.of_class(draft.atlas, class_id, plan.rng, trends=plan.parts.trends)
    ring = ring_of(mask, draft.atlas.label_map[0] == class_id, plan.ring)
    samples = sample(np.flatnonzero(mask), plan.rng), sample(ring, plan.rng)
    judge = Judge(sources, *samples, plan.scale, inner=draft.inner)
    return judge, choose_moves(judge, reach=plan.reach, most=plan.offsets)


def _along_a_facade(
    draft: Draft, judge: Judge, moves: np.ndarray, mask: np.ndarray, plan: Plan
) -> tuple[Judge, np.ndarray]:
    """The same, or copies along a facade in perspective where they explain what is visible around the region better."""
    sources = judge.sources
    if not (plan.wide and plan.parts.facades) or sources.trend is not None or np.count_nonzero(mask) < _FACADES_OVER:
        return judge, moves
    ring = sample(ring_of(mask, sources.usable[: mask.size].reshape(mask.shape), plan.wide), plan.rng)
    wide = replace(judge, ring=ring, even=False)
    limit = _MUCH_BETTER * wide.explains(moves)
    extended, along = facades.extended(sources, mask, wide.samples, ring, plan.reach, limit)
    if not len(along):
        return judge, moves
    further = replace(wide, sources=extended)
    if further.explains(along) > limit:
        return judge, moves
    draft.atlas = extended.atlas
    return further, along


def _completed(judge: Judge, moves: np.ndarray, pixels: np.ndarray, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """The moves and further ones for pixels that none of them fills: an object stands where all of them lead.

    Also which pixels each of them fills, bool (N, P).
    """
    usable = judge.covers(moves, pixels)
    for _ in range(_ROUNDS):
        left = pixels[~usable.any(axis=0)]
        if not len(left):
            break
        further = choose_moves(replace(judge, samples=sample(left, plan.rng)), reach=plan.reach, most=_FURTHER)
        if not len(further):
            break
        moves, usable = np.concatenate([moves, further]), np.concatenate([usable, judge.covers(further, pixels)])
    return moves, usable


def _assigned(judge: Judge, moves: np.ndarray, usable: np.ndarray, pixels: np.ndarray, plan: Plan) -> np.ndarray:
    """The flat shift of each pixel, int (P,); 0 where no move has a source."""
    chosen = np.argmax(usable, axis=0)  # the moves come best first
    if len(moves) > 1 and plan.parts.seams:
        cut = _cut(judge, moves, pixels, plan)
        # a block may hold pixels that its offset cannot fill: they take the first offset that can
        chosen = np.where(usable[cut, np.arange(len(pixels))], cut, chosen)
    return np.where(usable.any(axis=0), judge.sources.atlas.shift(moves)[chosen], 0)


def _cut(judge: Judge, moves: np.ndarray, pixels: np.ndarray, plan: Plan) -> np.ndarray:
    """The move of each pixel, int (P,), by the graph cut; of a large region only every few pixels are looked at."""
    atlas = judge.sources.atlas
    step = max(1, int(np.sqrt(len(pixels) / _LOOKED_AT)))
    rows, columns = np.divmod(pixels, atlas.stride)
    some = pixels[(rows % step == 0) & (columns % step == 0)] if step > 1 else pixels
    blocks = Blocks.of(some, atlas.stride, plan.blocks, step)
    ring_costs = judge.ring_costs(moves, judge.nearness(blocks.centers))
    costs = _RING_WEIGHT * ring_costs[:, blocks.node] + judge.source_costs(moves, some)
    usable = judge.covers(moves, some)
    choices = Choices(judge.sources.colors(some + atlas.shift(moves)[:, None]), usable, costs)
    labels = assign(choices, blocks, blocks.majority(np.argmax(usable, axis=0), len(moves)))
    cut: np.ndarray = labels[blocks.find(pixels)]
    return cut
