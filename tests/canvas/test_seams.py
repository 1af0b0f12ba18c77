"""The graph cut against trying out everything."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from scenebrush.canvas.seams import Blocks, Choices, Network, assign


def energy(choices: Choices, pixels: np.ndarray, stride: int, labels: np.ndarray) -> float:
    """The cost of a labelling, pixel by pixel."""
    total = 0.0
    for n, label in enumerate(labels):
        dearest = (choices.costs[:, n] * choices.usable[:, n]).max()
        total += choices.costs[label, n] if choices.usable[label, n] else dearest + 60.0
    places = {int(p): n for n, p in enumerate(pixels)}
    for place, n in places.items():
        for other in (place + 1, place + stride):
            m = places.get(other)
            if m is None or labels[n] == labels[m]:
                continue
            for pixel in (n, m):
                a, b = labels[n], labels[m]
                both = choices.usable[a, pixel] and choices.usable[b, pixel]
                apart = np.abs(choices.values[a, pixel].astype(float) - choices.values[b, pixel]).mean()
                total += apart if both else 60.0
    return total


def random_choices(rng: np.random.Generator, kinds: int, count: int) -> Choices:
    values = rng.integers(0, 60, (kinds, count, 3)).astype(np.int16)
    return Choices(values, rng.random((kinds, count)) < 0.9, rng.uniform(0, 30, (kinds, count)).astype(np.float32))


@pytest.mark.parametrize("seed", range(8))
def test_two_offsets_are_cut_at_the_least_cost_there_is(seed: int) -> None:
    rng = np.random.default_rng(seed)
    stride = 20
    pixels = np.array([r * stride + c for r in range(3) for c in range(3)])
    choices = random_choices(rng, 2, 9)
    blocks = Blocks.of(pixels, stride, most=9)
    assert blocks.count == 9
    found = assign(choices, blocks, np.zeros(9, int))
    best = min(energy(choices, pixels, stride, np.array(labels)) for labels in product((0, 1), repeat=9))
    assert energy(choices, pixels, stride, found[blocks.node]) <= best + 2.0  # flow is counted in eighths of a step


def test_no_source_is_never_better_than_a_dear_one() -> None:
    """The second offset looks cheap where it has sources; the first, everywhere at hand, costs more than a gap did."""
    pixels = np.arange(40)
    usable = np.ones((2, 40), bool)
    usable[1, 10:] = False
    costs = np.repeat(np.array([[120.0], [40.0]], np.float32), 40, axis=1)
    choices = Choices(np.full((2, 40, 3), 9, np.int16), usable, costs)
    found = assign(choices, Blocks.of(pixels, 100, most=40), np.zeros(40, int))
    np.testing.assert_array_equal(found, np.arange(40) < 10)


def test_expansion_never_costs_more() -> None:
    rng = np.random.default_rng(9)
    stride = 30
    pixels = np.array([r * stride + c for r in range(8) for c in range(9) if (r, c) != (4, 4)])
    choices = random_choices(rng, 5, len(pixels))
    blocks = Blocks.of(pixels, stride, most=len(pixels))
    start = rng.integers(0, 5, blocks.count)
    found = assign(choices, blocks, start, rounds=3)
    before, after = (energy(choices, pixels, stride, labels[blocks.node]) for labels in (start, found))
    assert after < before


@pytest.mark.parametrize("seed", range(5))
def test_cut_is_the_minimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gain = rng.normal(0, 5, 6)
    one, two = np.array([0, 1, 2, 3, 4, 0, 2]), np.array([1, 2, 3, 4, 5, 3, 5])
    weight = rng.uniform(0, 4, 7)

    def cost(moved: np.ndarray) -> float:
        return float(gain[moved].sum() + weight[~moved[one] & moved[two]].sum())

    best = min(cost(np.array(moved)) for moved in product((False, True), repeat=6))
    assert cost(Network.of(6, one, two).cut(gain, weight)) <= best + 1.0


def test_blocks_cover_the_region_and_find_their_pixels() -> None:
    pixels = np.array([r * 100 + c for r in range(10, 50) for c in range(20, 70)])
    blocks = Blocks.of(pixels, 100, most=50)
    assert blocks.count <= 80
    np.testing.assert_array_equal(blocks.find(pixels), blocks.node)
    some = pixels[(pixels // 100 % 2 == 0) & (pixels % 100 % 2 == 0)]
    coarse = Blocks.of(some, 100, most=50, step=2)
    assert coarse.find(pixels).max() < coarse.count
    assert len(coarse.first)  # neighbours two pixels apart are found
    np.testing.assert_array_equal(coarse.find(some), coarse.node)
