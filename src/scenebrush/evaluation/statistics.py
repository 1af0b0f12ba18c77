"""How sure a mean is: bootstrap intervals and paired differences, seeded, by groups where edits share a photo."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from scenebrush.errors import InputError


@dataclass(frozen=True)
class Interval:
    """A mean with its bootstrap interval.

    Args:
        mean: the mean of the n values.
        low: lower end of the interval.
        high: upper end.
        n: how many values.
        groups: how many groups (photos) were resampled; equal to n where values stand alone.
    """

    mean: float
    low: float
    high: float
    n: int
    groups: int

    @property
    def half_width(self) -> float:
        """Half the interval's length: the +- of a table."""
        return (self.high - self.low) / 2


@dataclass(frozen=True)
class Difference(Interval):
    """The mean of first - second, edit by edit, with `below`, the share of edits where first < second."""

    below: float

    @property
    def significant(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.low > 0 or self.high < 0


def bootstrap_interval(
    values: np.ndarray | Sequence[float],
    rng: np.random.Generator,
    *,
    groups: Sequence[Hashable] | None = None,
    level: float = 0.95,
    resamples: int = 4000,
) -> Interval:
    """Returns the mean of values (N,) with its percentile bootstrap interval.

    Args:
        values: one figure per edit, finite.
        rng: draws the resamples.
        groups: which photo each value comes from; whole photos are resampled then, for edits of one
            photo are not independent and would make the interval too narrow.
        level: coverage, in (0, 1).
        resamples: how many means are drawn.

    Raises:
        InputError: no values, a value that is not finite, or groups of another length.
    """
    array = _checked(values, groups)
    sums, counts = _grouped(array, groups)
    draws = _resampled_means(sums, counts, rng, resamples)
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(array.mean()), float(low), float(high), len(array), len(sums))


def paired_difference(
    first: np.ndarray | Sequence[float],
    second: np.ndarray | Sequence[float],
    rng: np.random.Generator,
    *,
    groups: Sequence[Hashable] | None = None,
    level: float = 0.95,
    resamples: int = 4000,
) -> Difference:
    """Returns the mean of first - second, paired edit by edit; arguments and errors as `bootstrap_interval`."""
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.shape != b.shape:
        raise InputError(f"paired figures have shapes {a.shape} and {b.shape}; measure both on the same edits")
    gap = bootstrap_interval(a - b, rng, groups=groups, level=level, resamples=resamples)
    return Difference(gap.mean, gap.low, gap.high, gap.n, gap.groups, below=float((a < b).mean()))


def pooled_interval(
    counts: np.ndarray,
    statistic: Callable[[np.ndarray], np.ndarray],
    rng: np.random.Generator,
    *,
    groups: Sequence[Hashable] | None = None,
    level: float = 0.95,
    resamples: int = 1000,
) -> Interval:
    """Returns a figure of summed counts (mIoU of a confusion matrix, say) with its percentile bootstrap interval.

    Args:
        counts: (N, ...), one array per edit; what is pooled is their sum.
        statistic: turns sums (R, ...) into figures (R,).
        rng, groups, level, resamples: as `bootstrap_interval`.
    """
    flat = counts.reshape(len(counts), -1).astype(np.float64)
    _checked(flat.sum(axis=1), groups)
    order = {group: i for i, group in enumerate(dict.fromkeys(groups or range(len(flat))))}
    index = np.array([order[group] for group in groups or range(len(flat))])
    sums = np.zeros((len(order), flat.shape[1]))
    np.add.at(sums, index, flat)
    drawn = rng.multinomial(len(sums), np.full(len(sums), 1 / len(sums)), resamples)  # (R, groups)
    values = statistic((drawn @ sums).reshape(resamples, *counts.shape[1:]))
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
    whole = float(statistic(flat.sum(axis=0).reshape(1, *counts.shape[1:]))[0])
    return Interval(whole, float(low), float(high), len(counts), len(sums))


def _checked(values: np.ndarray | Sequence[float], groups: Sequence[Hashable] | None) -> np.ndarray:
    array = np.asarray(values, np.float64)
    if array.ndim != 1 or len(array) == 0:
        raise InputError(f"figures have shape {array.shape}; an interval needs at least 1 value, (N,)")
    if not np.isfinite(array).all():
        raise InputError(f"{int((~np.isfinite(array)).sum())} of {len(array)} figures are not finite")
    if groups is not None and len(groups) != len(array):
        raise InputError(f"{len(groups)} groups for {len(array)} figures; give each figure its group")
    return array


def _grouped(values: np.ndarray, groups: Sequence[Hashable] | None) -> tuple[np.ndarray, np.ndarray]:
    """Returns the sum and the count of the values of each group."""
    if groups is None:
        return values, np.ones(len(values))
    order = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    index = np.array([order[group] for group in groups])
    return np.bincount(index, weights=values), np.bincount(index).astype(np.float64)


def _resampled_means(sums: np.ndarray, counts: np.ndarray, rng: np.random.Generator, resamples: int) -> np.ndarray:
    """Returns the means (resamples,) of groups drawn with replacement."""
    index = rng.integers(0, len(sums), (resamples, len(sums)))
    return np.asarray(sums[index].sum(axis=1) / counts[index].sum(axis=1))
