"""How offsets are judged and chosen, against brute force."""

from __future__ import annotations

import numpy as np

from scenebrush.canvas.atlas import NOWHERE, Atlas
from scenebrush.canvas.offsets import Judge, choose_moves, ring_of, sample
from scenebrush.canvas.sources import Sources


def striped(period: int) -> np.ndarray:
    """A texture that repeats every `period` columns and nowhere else."""
    rng = np.random.default_rng(3)
    tile = rng.integers(0, 256, (96, period, 3), dtype=np.uint8)
    return np.tile(tile, (1, 96 // period + 1, 1))[:, :96]


def judge_of(photo: np.ndarray, labels: np.ndarray, hole: np.ndarray, margin: int = 36, scale: float = 1.0) -> Judge:
    rows, columns = np.nonzero(hole)
    box = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    visible = np.where(hole, NOWHERE, labels)
    atlas = Atlas.cut(photo, visible, np.zeros(hole.shape, np.uint8), tuple(int(v) for v in box), margin)
    inside = np.zeros(atlas.shape, bool)
    inside[rows - atlas.top, columns - atlas.left] = True
    sources = Sources(atlas, atlas.label_map.reshape(-1) == 1)
    rng = np.random.default_rng(0)
    ring = ring_of(inside, atlas.label_map[0] == 1, 4)
    return Judge(sources, sample(np.flatnonzero(inside), rng), sample(ring, rng), scale)


def test_ring_costs_are_the_weighted_mean_difference() -> None:
    rng = np.random.default_rng(4)
    photo = rng.integers(0, 256, (40, 40, 3), dtype=np.uint8)
    labels = np.where(rng.random((40, 40)) < 0.8, 1, 2)
    hole = np.zeros((40, 40), bool)
    hole[15:22, 14:24] = True
    judge = judge_of(photo, labels, hole, 16)
    moves = np.array([[0, 7, -2], [0, -9, 4], [0, 3, 9]])
    found = judge.ring_costs(moves, judge.nearness(judge.samples))
    stride, flat = judge.sources.atlas.stride, judge.sources.atlas.photo.reshape(-1, 3).astype(float)
    for number, (_, dx, dy) in enumerate(moves):
        for m, place in enumerate(judge.samples[:10]):
            total = weights = everything = 0.0
            for known in judge.ring:
                away = (known // stride - place // stride) ** 2 + (known % stride - place % stride) ** 2
                near = 1 / (away + 16)
                everything += near
                source = known + dy * stride + dx
                if judge.sources.usable[source]:
                    total += near * np.abs(flat[source] - flat[known]).mean()
                    weights += near
            expected = total / weights + 0.05 * (abs(dx) + abs(dy))
            if weights >= 0.1 * everything:
                assert abs(found[number, m] - expected) < 1e-2


def test_a_periodic_texture_is_copied_by_its_period() -> None:
    photo = striped(13)
    hole = np.zeros((96, 96), bool)
    hole[40:60, 40:60] = True
    judge = judge_of(photo, np.ones((96, 96), int), hole, scale=2.0)
    moves = choose_moves(judge, reach=30, most=3)
    assert moves[0, 1] % 13 == 0
    assert moves[0, 2] == 0


def test_an_offset_must_find_sources() -> None:
    hole = np.zeros((64, 64), bool)
    hole[20:40, 20:40] = True
    judge = judge_of(np.zeros((64, 64, 3), np.uint8), np.full((64, 64), 2), hole)
    assert len(choose_moves(judge, reach=30, most=4)) == 0


def test_ring_of_is_what_a_brute_force_finds() -> None:
    rng = np.random.default_rng(5)
    mask, visible = np.zeros((30, 40), bool), rng.random((30, 40)) < 0.5
    mask[10:14, 3:9] = True
    expected = [
        r * 40 + c
        for r in range(30)
        for c in range(40)
        if visible[r, c] and mask[max(0, r - 3) : r + 4, max(0, c - 3) : c + 4].any()
    ]
    np.testing.assert_array_equal(ring_of(mask, visible, 3), expected)
