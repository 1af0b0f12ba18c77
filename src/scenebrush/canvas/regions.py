"""Filling one class of a hole: offsets are chosen, then cut against one another where seams show least."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scenebrush.canvas.draft import Draft
from scenebrush.canvas.offsets import Judge, choose_moves, ring_of, sample
from scenebrush.canvas.plan import Plan
from scenebrush.canvas.seams import Blocks, Choices, assign
from scenebrush.canvas.sources import Sources

_LOOKED_AT = 40_000  # pixels of a region in the graph cut
_ROUNDS, _FURTHER = 3, 2  # searches for what the one before it left, and the moves that each may add
_RING_WEIGHT = 2.5  # of a pixel's ring cost against seams


def fill_class(draft: Draft, class_id: int, plan: Plan) -> None:
    """Copies the hole's pixels of one class from the visible pixels of that class, as far as there are any."""
    atlas = draft.atlas
    mask = draft.inside & (draft.classes == class_id)
    sources = Sources.of_class(atlas, class_id, plan.rng)
    pixels = np.flatnonzero(mask)
    ring = sample(ring_of(mask, atlas.label_map[0] == class_id, plan.ring), plan.rng)
    judge = Judge(sources, sample(pixels, plan.rng), ring, plan.scale, inner=draft.inner)
    moves = choose_moves(judge, reach=plan.reach, most=plan.offsets)
    if len(moves):
        moves = _completed(judge, moves, pixels, plan)
        draft.soft |= mask
        draft.put(sources, pixels, _assigned(judge, moves, pixels, plan))


def _completed(judge: Judge, moves: np.ndarray, pixels: np.ndarray, plan: Plan) -> np.ndarray:
    """The moves and further ones for pixels that none of them fills: an object stands where all of them lead."""
    for _ in range(_ROUNDS):
        pixels = pixels[~judge.covers(moves, pixels).any(axis=0)]
        if not len(pixels):
            break
        further = choose_moves(replace(judge, samples=sample(pixels, plan.rng)), reach=plan.reach, most=_FURTHER)
        if not len(further):
            break
        moves = np.concatenate([moves, further])
    return moves


def _assigned(judge: Judge, moves: np.ndarray, pixels: np.ndarray, plan: Plan) -> np.ndarray:
    """The flat shift of each pixel, int (P,); 0 where no move has a source."""
    usable = judge.covers(moves, pixels)
    chosen = np.argmax(usable, axis=0)  # the moves come best first
    if len(moves) > 1:
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
