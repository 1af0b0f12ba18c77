"""Choosing offsets for one region of a hole: judged on samples, greedily, best first."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from scenebrush.canvas.draft import window_around
from scenebrush.canvas.sources import Sources, color_distance

_SAMPLES = 220  # pixels of the region, and of its ring, on which offsets are judged
_LEAST_SHARE = 0.12  # of the pixels still empty that an offset must cover
_UNCOVERED = 40.0  # cost of covering nothing, in colour steps
_UNFILLED = 60.0  # cost of a pixel that no move fills
_ALTERNATIVES, _LEAST_GAIN = 5, 0.5  # further moves at most; what one must gain, in colour steps per pixel
_LENGTH_COST = 0.05  # colour steps for each pixel of an offset's length, at 128
_GOOD = 30.0  # a score below which mirrored sources are not looked at
_FINE_FROM = 1.5  # the scale from which periods along the axes are looked for
_ODD_WEIGHT = 0.5  # of how far a source is lighter or darker than anything on the ring
_RIM_COST = np.float32(30)  # of a source with another class near it, for a pixel that has none near
_LEAST_RING = 20  # pixels on the ring that tell how light a region is
_MIRRORED_COST, _WARPED_COST = 20.0, 1.0  # of a mirrored source, and of one resampled, in colour steps


@dataclass(frozen=True, eq=False)
class Judge:
    """Rates moves (variant, dx, dy) on a sample of a region and of the visible ring around it.

    Args:
        sources: what may be copied.
        samples: (M,) flat indices of the region.
        ring: (K,) flat indices of visible pixels around it.
        expected: int16 (H*W,), the class that a pixel of the region is to have where a source of another
            class is possible but dearer (see `slack`), or None.
        slack: float32 (H*W,), what a source of another class than expected costs there, or None.
        inner: bool (H*W,), true = no other class is near: a source that has one near is dearer there. Or None.
        even: whether a source is dearer that is lighter or darker than anything on the ring.
        scale: the photo's size relative to 128 pixels.
    """

    sources: Sources
    samples: np.ndarray
    ring: np.ndarray
    scale: float
    expected: np.ndarray | None = None
    slack: np.ndarray | None = None
    inner: np.ndarray | None = None
    even: bool = True

    def nearness(self, pixels: np.ndarray) -> np.ndarray:
        """Returns how much each ring sample says about each pixel, float32 (K, P)."""
        stride = self.sources.atlas.stride
        apart_y = np.subtract.outer(self.ring // stride, pixels // stride).astype(np.float32)
        apart_x = np.subtract.outer(self.ring % stride, pixels % stride).astype(np.float32)
        nearness: np.ndarray = 1 / (apart_x**2 + apart_y**2 + np.float32(16 * self.scale))
        return nearness

    def covers(self, moves: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """Returns which pixels have a source, bool (N, P)."""
        covered: np.ndarray = self.sources.usable[pixels + self.sources.atlas.shift(moves)[:, None]]
        return covered

    @cached_property
    def usual(self) -> tuple[float, float]:
        """How light the ring is: what a copy should not be darker, or lighter, than."""
        gray = self.sources.atlas.gray.reshape(-1)[self.ring]
        low, high = np.quantile(gray, (0.05, 0.95))
        slack = 5 + 0.2 * (high - low)
        return low - slack, high + slack

    def source_costs(self, moves: np.ndarray, pixels: np.ndarray) -> np.ndarray:
        """Returns what each pixel's source costs by itself, float32 (N, P): what is near it, a wrong class."""
        atlas = self.sources.atlas
        places = pixels + atlas.shift(moves)[:, None]
        costs: np.ndarray = atlas.dear.reshape(-1)[places].astype(np.float32)
        if self.even and self.expected is None and self.ring.size >= _LEAST_RING:
            low, high = self.usual
            gray = atlas.gray.reshape(-1)[places].astype(np.float32)
            costs += _ODD_WEIGHT * np.maximum(np.maximum(low - gray, gray - high), 0)
        if self.inner is not None:
            costs += _RIM_COST * (atlas.rim.reshape(-1)[places] & self.inner[pixels])
        if self.expected is not None and self.slack is not None:
            costs += self.slack[pixels] * (atlas.label_map.reshape(-1)[places] != self.expected[pixels])
        return costs

    def ring_costs(self, moves: np.ndarray, nearness: np.ndarray) -> np.ndarray:
        """Returns what each move costs each pixel by what it would put on the ring, float32 (N, P)."""
        if not self.ring.size:
            return np.repeat(self._move_costs(moves), nearness.shape[1], axis=1)
        places = self.ring + self.sources.atlas.shift(moves)[:, None]
        valid = self.sources.usable[places].astype(np.float32)  # (N, K)
        apart = color_distance(self.sources.colors(places), self.sources.colors(self.ring))
        weight = valid @ nearness
        costs: np.ndarray = ((apart * valid) @ nearness) / np.maximum(weight, 1e-9)
        costs[weight < 0.1 * nearness.sum(axis=0)] = _UNCOVERED  # it says next to nothing
        costs += self._move_costs(moves)
        return costs

    def explains(self, moves: np.ndarray) -> float:
        """Returns how far off the ring some moves are where each pixel takes the best of them, in colour steps."""
        if not len(moves):
            return _UNFILLED
        costs = self.ring_costs(moves, self.nearness(self.samples))
        return float(np.where(self.covers(moves, self.samples), costs, _UNFILLED).min(axis=0).mean())

    def costs(self, moves: np.ndarray, nearness: np.ndarray) -> np.ndarray:
        """Returns what each move costs each of the samples, float32 (N, M)."""
        costs: np.ndarray = self.ring_costs(moves, nearness) + self.source_costs(moves, self.samples)
        return costs

    def _move_costs(self, moves: np.ndarray) -> np.ndarray:
        length = np.abs(moves[:, 1:]).sum(axis=1) * (_LENGTH_COST / self.scale)
        own = [_MIRRORED_COST * v.mirrored + _WARPED_COST * (v.warp is not None) for v in self.sources.atlas.variants]
        costs: np.ndarray = (length + np.array(own)[moves[:, 0]]).astype(np.float32)[:, None]
        return costs


def ring_of(mask: np.ndarray, visible: np.ndarray, width: int) -> np.ndarray:
    """Returns the flat indices of the visible pixels, bool (H, W), at most `width` from a region, bool (H, W)."""
    window = window_around(mask, width)
    near = ndimage.maximum_filter(mask[window].view(np.uint8), 2 * width + 1) > 0
    y, x = np.nonzero(near & visible[window])
    ring: np.ndarray = (y + window[0].start) * mask.shape[1] + x + window[1].start
    return ring


def sample(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns some of the pixels, in order; all if they are few."""
    if pixels.size <= _SAMPLES:
        return pixels
    return pixels[np.sort(rng.integers(0, pixels.size, _SAMPLES))]


def choose_moves(judge: Judge, *, reach: int, most: int) -> np.ndarray:
    """Returns the moves chosen, int (N, 3): at most `most` that cover the region, the best first, and a few more."""
    nearness = judge.nearness(judge.samples)
    moves, hits, costs = _rated(judge, nearness, _grid(judge.scale, reach, np.array([0])))
    variants = np.array([k for k, variant in enumerate(judge.sources.atlas.variants) if variant.mirrored], int)
    if len(variants) and not (len(moves) and _scores(hits, costs, np.ones(hits.shape[1], bool)).min() < _GOOD):
        mirrored = _rated(judge, nearness, _grid(judge.scale, reach, variants))
        moves, hits, costs = (np.concatenate(parts) for parts in zip((moves, hits, costs), mirrored, strict=True))
    chosen: list[np.ndarray] = []
    empty = np.ones(len(judge.samples), bool)
    while len(moves) and len(chosen) < most and empty.any():
        scores = _scores(hits, costs, empty)
        best = int(np.argmin(scores))
        if not np.isfinite(scores[best]):
            break
        chosen.append(_refined(judge, moves[best], float(scores[best]), empty, nearness, reach))
        empty &= ~judge.covers(chosen[-1][None], judge.samples)[0]
    if chosen:
        chosen += _alternatives(judge, moves, np.where(hits, costs, _UNFILLED), nearness, np.array(chosen))
    return np.array(chosen, int).reshape(-1, 3)


def _alternatives(
    judge: Judge, moves: np.ndarray, costs: np.ndarray, nearness: np.ndarray, chosen: np.ndarray
) -> list[np.ndarray]:
    """Further moves that suit some of the samples much better than those chosen: the cut is to have a choice."""
    covered = judge.covers(chosen, judge.samples)
    least = np.where(covered, judge.costs(chosen, nearness), _UNFILLED).min(axis=0)
    further: list[np.ndarray] = []
    for _ in range(_ALTERNATIVES):
        gains = np.maximum(least - costs, 0).mean(axis=1)
        best = int(np.argmax(gains))
        if gains[best] < _LEAST_GAIN:
            break
        further.append(moves[best])
        least = np.minimum(least, costs[best])
    return further


def _scores(hits: np.ndarray, costs: np.ndarray, empty: np.ndarray) -> np.ndarray:
    """What each move costs, float (N,): on the empty samples that it covers, and for those that it does not."""
    useful = hits & empty
    count = useful.sum(axis=1)
    share = count / empty.sum()
    scores: np.ndarray = (costs * useful).sum(axis=1) / np.maximum(count, 1) + _UNCOVERED * (1 - share)
    scores[share < _LEAST_SHARE] = np.inf
    return scores


def _refined(
    judge: Judge, move: np.ndarray, score: float, empty: np.ndarray, nearness: np.ndarray, reach: int
) -> np.ndarray:
    """A better move in the neighbourhood, if there is one: steps of 4, 2 and 1 pixels."""
    for step in (4, 2, 1):
        around = move + step * _NEIGHBOURS
        around[:, 1:] = np.clip(around[:, 1:], -reach, reach)
        scores = _scores(judge.covers(around, judge.samples), judge.costs(around, nearness), empty)
        best = int(np.argmin(scores))
        if scores[best] < score:
            move, score = around[best], float(scores[best])
    return move


_NEIGHBOURS = np.array([(0, x, y) for y in (-1, 0, 1) for x in (-1, 0, 1) if x or y])


def _rated(judge: Judge, nearness: np.ndarray, moves: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The moves that cover something: (N, 3), what they cover (N, M) and cost (N, M)."""
    hits = judge.covers(moves, judge.samples)
    some = hits.mean(axis=1) >= 0.03
    return moves[some], hits[some], judge.costs(moves[some], nearness)


def _grid(scale: float, reach: int, variants: np.ndarray) -> np.ndarray:
    """Offsets every few pixels; in larger pictures finer ones along the axes: what people build repeats there."""
    step = max(4, round(8 * scale**0.3))
    line = np.arange(-(reach // step), reach // step + 1) * step
    grid = np.stack(np.meshgrid(variants, line, line, indexing="ij"), axis=-1).reshape(-1, 3)
    if scale >= _FINE_FROM and 0 in variants:
        fine = step // 4
        axis = np.arange(-(reach // fine), reach // fine + 1) * fine
        along = np.stack([np.zeros_like(axis), axis, np.zeros_like(axis)], axis=-1)[axis % step != 0]
        grid = np.concatenate([grid, along, along[:, [0, 2, 1]]])
    return grid[np.any(grid != 0, axis=1)]
