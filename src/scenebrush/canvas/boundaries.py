"""Boundaries between two classes in a hole, copied as boundaries: a kerb, a shore, the ragged rim of a bush.

Filled class by class, a boundary is as clean as a knife's cut. Here a band along it is filled once more, from
places where the same two classes meet in the same way: a pixel may take the other class, dearly so the
farther it lies from the boundary that is wanted. The graph cut keeps what was there where that looks better.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from scenebrush.canvas.draft import Draft, window_around
from scenebrush.canvas.offsets import Judge, choose_moves, ring_of, sample
from scenebrush.canvas.plan import Plan
from scenebrush.canvas.seams import Blocks, Choices, assign
from scenebrush.canvas.sources import Sources

_SHELL = 2  # pixels around the band that stay as they are: what the band is cut against
_MISTAKE = 8.0  # colour steps for a pixel of the other class, per pixel off the boundary
_KEEP = 20.0  # colour steps for leaving a pixel at the boundary as it is
_LEAST = 6  # neighbouring pairs that make a boundary
_RING_WEIGHT = 0.3  # of a pixel's ring cost against seams; a copied boundary is nearly always the better one


def fill_boundaries(draft: Draft, plan: Plan) -> None:
    """Copies a band along every boundary between two copied classes in the hole."""
    window = window_around(draft.inside, 1)
    wanted = np.full(draft.classes.shape, np.int16(-1))
    wanted[window] = np.where(draft.copied[window], draft.classes[window], -1)
    for first, second in _meetings(wanted[window]):
        _fill_boundary(draft, wanted, first, second, plan)


def _meetings(wanted: np.ndarray) -> list[tuple[int, int]]:
    """The pairs of classes that meet, as (a, b) with a < b, the commonest first."""
    pairs = []
    for p, q in ((wanted[:, :-1], wanted[:, 1:]), (wanted[:-1], wanted[1:])):
        meet = (p != q) & (p >= 0) & (q >= 0)
        pairs.append(np.sort(np.stack([p[meet], q[meet]], axis=1), axis=1))
    found, counts = np.unique(np.concatenate(pairs), axis=0, return_counts=True)
    order = np.argsort(-counts)
    return [(int(a), int(b)) for (a, b), n in zip(found[order], counts[order], strict=True) if n >= _LEAST]


def _fill_boundary(draft: Draft, wanted: np.ndarray, first: int, second: int, plan: Plan) -> None:
    atlas = draft.atlas
    window = window_around(draft.inside, 1)
    near = np.zeros(wanted.shape, np.float32)  # 1 at the boundary, 0 a band's width off
    near[window] = _nearness(wanted[window], first, second, plan.band)
    slack = np.zeros(wanted.shape, np.float32)
    slack[window] = _MISTAKE * plan.band * (1 - near[window])
    mask = np.zeros(near.shape, bool)
    mask[window] = near[window] > 0
    sources = Sources(atlas, ((atlas.label_map == first) | (atlas.label_map == second)).reshape(-1))
    ring = ring_of(mask, sources.usable[: mask.size].reshape(mask.shape), plan.ring)
    judge = Judge(
        sources,
        sample(np.flatnonzero(mask), plan.rng),
        sample(ring, plan.rng),
        plan.scale,
        wanted.reshape(-1),
        slack.reshape(-1),
    )
    moves = choose_moves(judge, reach=plan.reach, most=4)
    if len(moves):
        draft.put(sources, *_cut_in(draft, judge, moves, near, mask, plan))


def _nearness(wanted: np.ndarray, first: int, second: int, band: int) -> np.ndarray:
    """How near each pixel of two classes lies to their boundary, float32: 1 = at it, 0 = `band` pixels off or more."""
    one, two = wanted == first, wanted == second
    edge = np.zeros(wanted.shape, bool)
    edge[:, :-1] |= (one[:, :-1] & two[:, 1:]) | (two[:, :-1] & one[:, 1:])
    edge[:-1] |= (one[:-1] & two[1:]) | (two[:-1] & one[1:])
    near, window = np.zeros(wanted.shape, np.float32), window_around(edge, band + 1)
    one, two = one[window], two[window]
    distance = np.where(one, ndimage.distance_transform_edt(~two), ndimage.distance_transform_edt(~one))
    near[window] = np.maximum(1 - distance / band, 0) * (one | two)
    return near


def _cut_in(
    draft: Draft, judge: Judge, moves: np.ndarray, near: np.ndarray, mask: np.ndarray, plan: Plan
) -> tuple[np.ndarray, np.ndarray]:
    """The pixels of the band and its shell, and their shifts; 0 = stays as it is."""
    pixels = ring_of(mask, draft.copied, _SHELL)
    within = near.reshape(-1)[pixels] > 0
    sources, shifts = judge.sources, judge.sources.atlas.shift(moves)
    usable = judge.covers(moves, pixels) & within
    blocks = Blocks.of(pixels, sources.atlas.stride, plan.blocks)
    ring_costs = judge.ring_costs(moves, judge.nearness(blocks.centers))
    costs = _RING_WEIGHT * ring_costs[:, blocks.node] + judge.source_costs(moves, pixels)
    # on a large photo a boundary that is too clean shows more
    keep = np.float32(_KEEP * min(plan.scale, 5.0) ** 0.25) * near.reshape(-1)[pixels]
    colors = draft.values.reshape(-1, 3)[pixels][None], sources.colors(pixels + shifts[:, None])
    choices = Choices(
        np.concatenate(colors),
        np.concatenate([np.ones((1, len(pixels)), bool), usable]),
        np.concatenate([keep[None], costs]),
    )
    chosen = assign(choices, blocks, np.zeros(blocks.count, int))[blocks.node]
    taken = choices.usable[chosen, np.arange(len(pixels))]
    return pixels, np.where(taken, np.concatenate([[0], shifts])[chosen], 0)
