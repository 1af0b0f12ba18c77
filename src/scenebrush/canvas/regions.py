"""Filling one class of a hole: offsets are chosen, then cut against one another where seams show least."""

from __future__ import annotations

import numpy as np

from scenebrush.canvas.draft import Draft
from scenebrush.canvas.offsets import Judge, choose_moves, ring_of, sample
from scenebrush.canvas.plan import Plan
from scenebrush.canvas.seams import Blocks, Choices, assign
from scenebrush.canvas.sources import Sources

_RING_WEIGHT = 1.5  # of a pixel's ring cost against seams


def fill_class(draft: Draft, class_id: int, plan: Plan) -> None:
    """Copies the hole's pixels of one class from the visible pixels of that class, as far as there are any."""
    atlas = draft.atlas
    mask = draft.inside & (draft.classes == class_id)
    sources = Sources.of_class(atlas, class_id, plan.rng)
    pixels = np.flatnonzero(mask)
    ring = ring_of(mask, atlas.label_map[0] == class_id, plan.ring)
    judge = Judge(sources, sample(pixels, plan.rng), sample(ring, plan.rng), plan.scale)
    moves = choose_moves(judge, reach=plan.reach, most=plan.offsets)
    if len(moves):
        draft.soft |= mask
        draft.put(sources, pixels, _assigned(judge, moves, pixels, plan))


def _assigned(judge: Judge, moves: np.ndarray, pixels: np.ndarray, plan: Plan) -> np.ndarray:
    """The flat shift of each pixel, int (P,); 0 where no move has a source."""
    sources, shifts = judge.sources, judge.sources.atlas.shift(moves)
    usable = judge.covers(moves, pixels)
    first = np.argmax(usable, axis=0)  # the moves come best first
    if len(moves) > 1:
        blocks = Blocks.of(pixels, sources.atlas.stride, plan.blocks)
        ring_costs = judge.ring_costs(moves, judge.nearness(blocks.centers))
        costs = _RING_WEIGHT * ring_costs[:, blocks.node] + judge.source_costs(moves, pixels)
        choices = Choices(sources.colors(pixels + shifts[:, None]), usable, costs)
        chosen = assign(choices, blocks, blocks.majority(first, len(moves)))[blocks.node]
        # a block may hold pixels that its offset cannot fill: they take the first offset that can
        first = np.where(usable[chosen, np.arange(len(pixels))], chosen, first)
    return np.where(usable.any(axis=0), shifts[first], 0)
