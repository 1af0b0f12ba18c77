from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import linalg

from scenebrush.errors import InputError
from scenebrush.evaluation.fid import fid, frechet_distance, kid, polynomial_kernel, unbiased_mmd


def test_one_dimension_by_hand() -> None:
    """(m1 - m2)^2 + (s1 - s2)^2: means 1 and 4, deviations 2 and 5 give 9 + 9."""
    assert frechet_distance(np.array([1.0]), np.array([[4.0]]), np.array([4.0]), np.array([[25.0]])) == pytest.approx(
        18
    )


def test_diagonal_gaussians_by_hand() -> None:
    """Each axis alone: (0 + (1 - 3)^2) + (3^2 + (2 - 2)^2) = 13."""
    found = frechet_distance(np.zeros(2), np.diag([1.0, 4.0]), np.array([0.0, 3.0]), np.diag([9.0, 4.0]))
    assert found == pytest.approx(13)


def test_covariances_that_do_not_commute_by_hand() -> None:
    """C1 = diag(1, 4), C2 = [[2, 1], [1, 2]]: C1 C2 has trace 10 and determinant 12, so
    tr sqrt = sqrt(10 + 2 sqrt 12) and the distance is 5 + 4 - 2 sqrt(10 + 2 sqrt 12)."""
    found = frechet_distance(np.zeros(2), np.diag([1.0, 4.0]), np.zeros(2), np.array([[2.0, 1.0], [1.0, 2.0]]))
    assert found == pytest.approx(9 - 2 * np.sqrt(10 + 2 * np.sqrt(12)))


@pytest.mark.parametrize(("n", "m"), [(300, 200), (20, 31), (20, 200)])  # 24 features: more, fewer, mixed
def test_features_equal_scipys_matrix_root(n: int, m: int) -> None:
    rng = np.random.default_rng(n)
    x = rng.normal(size=(n, 24)) @ rng.normal(size=(24, 24))
    y = rng.normal(size=(m, 24)) + 0.3
    cx, cy = np.cov(x.T), np.cov(y.T)
    root = np.real(linalg.sqrtm(cx @ cy + 0j)) if min(n, m) > 24 else None
    # With few pictures sqrtm meets singular matrices; the eigenvalues of C1 C2 are the same sum.
    overlap = np.trace(root) if root is not None else np.sqrt(np.maximum(linalg.eigvals(cx @ cy).real, 0)).sum()
    expected = ((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(cx) + np.trace(cy) - 2 * overlap
    found = fid(x, y)
    assert found.value == pytest.approx(expected, rel=1e-5)
    assert (found.n_first, found.n_second) == (n, m)


def test_both_ways_of_the_trace_agree() -> None:
    """23 pictures of 24 features go the short way; the D x D way must say the same."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(23, 24)), rng.normal(size=(23, 24)) * 2
    slow = frechet_distance(x.mean(0), np.cov(x.T), y.mean(0), np.cov(y.T))
    assert fid(x, y).value == pytest.approx(slow, rel=1e-6)


def test_a_set_against_itself_is_0() -> None:
    x = np.random.default_rng(0).normal(size=(40, 64))
    assert fid(x, x).value < 1e-9
    assert fid(x, x[::-1]).value < 1e-9


def test_the_kernel_and_mmd_equal_a_brute_force() -> None:
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(5, 3)), rng.normal(size=(6, 3))

    def k(a: np.ndarray, b: np.ndarray) -> float:
        return float((sum(p * q for p, q in zip(a, b, strict=True)) / 3 + 1) ** 3)

    own_x = np.mean([k(a, b) for a, b in itertools.permutations(x, 2)])
    own_y = np.mean([k(a, b) for a, b in itertools.permutations(y, 2)])
    cross = np.mean([k(a, b) for a, b in itertools.product(x, y)])
    found = unbiased_mmd(polynomial_kernel(x, x), polynomial_kernel(y, y), polynomial_kernel(x, y))
    assert found == pytest.approx(own_x + own_y - 2 * cross)


def test_kid_is_unbiased_seeded_and_sees_a_shift() -> None:
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(120, 8)), rng.normal(size=(120, 8))
    same = kid(x, y, np.random.default_rng(0), subset_size=50)
    assert same == kid(x, y, np.random.default_rng(0), subset_size=50)
    assert same.subset_size == 50
    assert abs(same.value) < 2 * same.deviation
    assert kid(x, y + 1, np.random.default_rng(0)).value > 10 * abs(same.value)


def test_paired_sets_never_meet_themselves() -> None:
    """Truth against itself: unpaired, shared pictures push the estimate below 0; paired, it is 0 on average."""
    rng = np.random.default_rng(4)
    x = rng.normal(size=(60, 8)) * 2
    shared = kid(x, x, np.random.default_rng(0), subset_size=55)
    apart = kid(x, x, np.random.default_rng(0), paired=True, subsets=400)
    assert shared.value < -0.1
    assert abs(apart.value) < 4 * apart.deviation / np.sqrt(400) + 0.02
    assert apart.subset_size == 30


def test_wrong_features_are_refused() -> None:
    x = np.zeros((5, 3))
    with pytest.raises(InputError, match="N >= 2"):
        fid(x[:1], x)
    with pytest.raises(InputError, match="3 and 2 channels"):
        fid(x, x[:, :2])
    with pytest.raises(InputError, match="5 and 4; each picture needs its partner"):
        kid(x, x[:4], np.random.default_rng(0), paired=True)
