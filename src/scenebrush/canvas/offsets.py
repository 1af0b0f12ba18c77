"""Choosing offsets for one class in a hole: judged on samples, greedily, best first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from scenebrush.canvas.atlas import Atlas

_SAMPLES = 220  # pixels of the region, and of its ring, on which offsets are judged
_LEAST_SHARE = 0.12  # of the pixels still empty that an offset must cover
_UNCOVERED = 40.0  # cost of covering nothing, in colour steps


@dataclass(frozen=True, eq=False)
class Region:
    """The pixels of one class in the hole and the visible ring of that class around them (flat atlas indices)."""

    class_id: int
    pixels: np.ndarray
    ring: np.ndarray

    @classmethod
    def of(cls, atlas: Atlas, mask: np.ndarray, class_id: int, ring: int) -> Region:
        """Returns the region of a bool (H, W) of the atlas, with a ring `ring` pixels wide."""
        near = ndimage.maximum_filter(mask.view(np.uint8), 2 * ring + 1) > 0
        return cls(class_id, np.flatnonzero(mask), np.flatnonzero(near & (atlas.label_map == class_id)))


def choose_offsets(
    atlas: Atlas,
    region: Region,
    shifts: np.ndarray,
    *,
    reach: int,
    max_offsets: int,
    scale: float,
    rng: np.random.Generator,
) -> None:
    """Writes the chosen flat shifts of the region's pixels into `shifts`, int32 (H, W); 0 = none found."""
    judge = _Judge.of(atlas, region, scale, rng)
    grid = _grid(reach, max(4, round(8 * scale**0.3)))
    hits, costs = judge.rate(grid)
    keep = hits.mean(axis=1) >= 0.02
    grid, hits, costs = grid[keep], hits[keep], costs[keep]
    flat, empty = shifts.reshape(-1), np.ones(len(judge.samples), bool)
    rest = region.pixels
    for _ in range(max_offsets if len(grid) else 0):
        if not empty.any() or not rest.size:
            break
        scores, share = judge.score(grid, hits, costs, empty)
        scores[share < _LEAST_SHARE] = np.inf
        best = int(np.argmin(scores))
        if not np.isfinite(scores[best]):
            break
        offset = judge.refine(grid[best], float(scores[best]), empty, reach)
        shift = int(offset[1] * atlas.stride + offset[0])
        covered = atlas.label_map.reshape(-1)[rest + shift] == region.class_id
        flat[rest[covered]] = shift
        rest = rest[~covered]
        empty &= ~(atlas.label_map.reshape(-1)[judge.samples + shift] == region.class_id)


def _grid(reach: int, step: int) -> np.ndarray:
    line = np.arange(-(reach // step), reach // step + 1) * step
    grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
    return grid[np.any(grid != 0, axis=1)]


@dataclass(frozen=True, eq=False)
class _Judge:
    """Rates offsets (dx, dy) on a sample of a region and of its ring."""

    atlas: Atlas
    class_id: int
    samples: np.ndarray  # (M,) flat indices of the region
    ring: np.ndarray  # (K,) flat indices of the ring
    nearness: np.ndarray  # (K, M), how much a ring pixel says about a pixel of the region
    distance_cost: float

    @classmethod
    def of(cls, atlas: Atlas, region: Region, scale: float, rng: np.random.Generator) -> _Judge:
        samples, ring = (_sample(part, rng) for part in (region.pixels, region.ring))
        apart_y = np.subtract.outer(ring // atlas.stride, samples // atlas.stride).astype(np.float32)
        apart_x = np.subtract.outer(ring % atlas.stride, samples % atlas.stride).astype(np.float32)
        nearness = 1 / (apart_x**2 + apart_y**2 + np.float32(16 * scale))
        return cls(atlas, region.class_id, samples, ring, nearness, 0.05 / scale)

    def rate(self, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns per offset and sample whether it has a source, bool (N, M), and its ring cost, float32 (N, M)."""
        shifts = (offsets[:, 1] * self.atlas.stride + offsets[:, 0])[:, None]
        labels, photo = self.atlas.label_map.reshape(-1), self.atlas.photo.reshape(-1, 3)
        hits = labels[self.samples + shifts] == self.class_id  # (N, M)
        if not self.ring.size:
            return hits, np.zeros(hits.shape, np.float32)
        valid = (labels[self.ring + shifts] == self.class_id).astype(np.float32)  # (N, K)
        there = photo[self.ring].astype(np.int16)
        apart = np.abs(photo[self.ring + shifts] - there).sum(axis=-1, dtype=np.float32) / 3
        weight = valid @ self.nearness
        costs = ((apart * valid) @ self.nearness) / np.maximum(weight, 1e-9)
        unseen = weight < 0.1 * self.nearness.sum(axis=0)
        return hits, np.where(unseen, np.float32(_UNCOVERED), costs)

    def score(
        self, offsets: np.ndarray, hits: np.ndarray, costs: np.ndarray, empty: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns per offset its cost and the share of the empty samples that it covers, float (N,)."""
        useful = hits & empty
        count = useful.sum(axis=1)
        share = count / empty.sum()
        ring_cost = (costs * useful).sum(axis=1) / np.maximum(count, 1)
        return ring_cost + _UNCOVERED * (1 - share) + self.distance_cost * np.abs(offsets).sum(axis=1), share

    def refine(self, offset: np.ndarray, score: float, empty: np.ndarray, reach: int) -> np.ndarray:
        """Returns a better offset in the neighbourhood, if there is one: steps of 4, 2 and 1 pixels."""
        for step in (4, 2, 1):
            around = np.clip(offset + step * _NEIGHBOURS, -reach, reach)
            hits, costs = self.rate(around)
            scores, _ = self.score(around, hits, costs, empty)
            best = int(np.argmin(scores))
            if scores[best] < score:
                offset, score = around[best], float(scores[best])
        return offset


_NEIGHBOURS = np.array([(x, y) for y in (-1, 0, 1) for x in (-1, 0, 1) if x or y])


def _sample(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    if pixels.size <= _SAMPLES:
        return pixels
    return pixels[np.sort(rng.integers(0, pixels.size, _SAMPLES))]
