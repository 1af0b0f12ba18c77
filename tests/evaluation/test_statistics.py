from __future__ import annotations

import numpy as np
import pytest

from scenebrush.errors import InputError
from scenebrush.evaluation.statistics import bootstrap_interval, paired_difference, pooled_interval


def test_the_interval_matches_the_normal_one_on_many_values() -> None:
    values = np.random.default_rng(0).normal(3, 2, 2000)
    found = bootstrap_interval(values, np.random.default_rng(1))
    half = 1.96 * values.std(ddof=1) / np.sqrt(2000)
    assert found.mean == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.1 * half)
    assert found.half_width == pytest.approx(half, rel=0.1)
    assert (found.n, found.groups) == (2000, 2000)


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    """300 samples of 40 values: 95% intervals hold the true mean in 91-98% of them."""
    rng = np.random.default_rng(2)
    held = 0
    for _ in range(300):
        found = bootstrap_interval(rng.exponential(1.0, 40), rng, resamples=800)
        held += found.low <= 1.0 <= found.high
    assert 0.88 < held / 300 < 0.985


def test_edits_of_one_photo_count_as_one() -> None:
    """Ten copies of each of 20 values know no more than the 20."""
    values = np.random.default_rng(3).normal(size=20)
    alone = bootstrap_interval(values, np.random.default_rng(0))
    copied = bootstrap_interval(np.repeat(values, 10), np.random.default_rng(0), groups=[i // 10 for i in range(200)])
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high))
    assert (copied.n, copied.groups) == (200, 20)
    naive = bootstrap_interval(np.repeat(values, 10), np.random.default_rng(0))
    assert naive.half_width < 0.5 * copied.half_width


def test_groups_of_unequal_size_weigh_by_their_values() -> None:
    found = bootstrap_interval([1.0, 1.0, 1.0, 5.0], np.random.default_rng(0), groups=["a", "a", "a", "b"])
    assert found.mean == 2.0
    assert (found.low, found.high) == (1.0, 5.0)


def test_pairing_sees_a_small_difference_under_a_large_spread() -> None:
    rng = np.random.default_rng(4)
    first = rng.normal(0, 10, 60)
    second = first + 0.5 + rng.normal(0, 0.5, 60)
    gap = paired_difference(first, second, np.random.default_rng(0))
    assert gap.significant
    assert gap.mean == pytest.approx((first - second).mean())
    assert gap.low < -0.5 < gap.high < 0
    assert gap.below == (first < second).mean()
    assert not paired_difference(first, rng.permutation(first), np.random.default_rng(0)).significant


def test_the_same_seed_gives_the_same_interval() -> None:
    values = np.arange(10.0)
    assert bootstrap_interval(values, np.random.default_rng(5)) == bootstrap_interval(values, np.random.default_rng(5))


def test_wrong_figures_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="at least 1 value"):
        bootstrap_interval([], rng)
    with pytest.raises(InputError, match="1 of 2 figures are not finite"):
        bootstrap_interval([1.0, np.nan], rng)
    with pytest.raises(InputError, match="1 groups for 2 figures"):
        bootstrap_interval([1.0, 2.0], rng, groups=["a"])
    with pytest.raises(InputError, match=r"shapes \(2,\) and \(1,\)"):
        paired_difference([1.0, 2.0], [1.0], rng)


def test_a_pooled_figure_is_of_the_sums_and_its_interval_resamples_whole_photos() -> None:
    counts = np.array([[1, 1], [3, 1], [0, 4], [2, 2]])

    def share(sums: np.ndarray) -> np.ndarray:
        return np.asarray(sums[:, 0] / sums.sum(axis=1))

    found = pooled_interval(counts, share, np.random.default_rng(0), groups=["a", "a", "b", "c"])
    assert found.mean == pytest.approx(6 / 14)
    assert (found.n, found.groups) == (4, 3)
    assert found.low == pytest.approx(0, abs=0.2)
    assert found.low < found.mean < found.high
    same = pooled_interval(counts, share, np.random.default_rng(0), groups=["a"] * 4)
    assert same.low == same.high == pytest.approx(6 / 14), "one photo says nothing of others"
