"""The Poisson solver against a dense solve."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse
from scipy.sparse.linalg import spsolve

from scenebrush.canvas.blending import Springs, solve


def random_springs(rng: np.random.Generator, height: int, width: int, *, ties: float = 0.3) -> Springs:
    def weights(*shape: int) -> np.ndarray:
        return rng.choice([1.0, 0.02, 0.0], shape, p=[0.8, 0.15, 0.05]).astype(np.float32)

    anchor = (rng.random((height, width)) < ties).astype(np.float32)
    return Springs(weights(height, width - 1), weights(height - 1, width), anchor)


def matrix_of(springs: Springs) -> sparse.csr_array:
    """The same system, written down spring by spring."""
    height, width = springs.anchor.shape
    index = np.arange(height * width).reshape(height, width)
    pairs = [
        (index[:, :-1], index[:, 1:], springs.right),
        (index[:-1], index[1:], springs.down),
    ]
    matrix = sparse.diags_array(springs.anchor.ravel().astype(float)).tolil()
    for first, second, weights in pairs:
        for p, q, w in zip(first.ravel(), second.ravel(), weights.ravel(), strict=True):
            matrix[p, p] += w
            matrix[q, q] += w
            matrix[p, q] -= w
            matrix[q, p] -= w
    return matrix.tocsr()


@pytest.mark.parametrize("shape", [(3, 4), (16, 16), (23, 31), (9, 70)])
def test_solves_like_a_dense_solver(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    springs = random_springs(rng, *shape)
    springs.anchor[0, 0] = 1
    load = rng.normal(0, 20, (3, *shape)).astype(np.float32)
    matrix = matrix_of(springs)
    matrix = matrix + sparse.diags_array(1e-9 * np.ones(matrix.shape[0]))  # islands without an anchor
    held = _held(springs)
    load *= held
    expected = spsolve(matrix.tocsc(), load.reshape(3, -1).T.astype(float)).T.reshape(3, *shape)
    found = solve(springs, load, np.zeros_like(load), tolerance=1e-4)
    assert np.abs(found - expected)[:, held].max() < 0.3


def _held(springs: Springs) -> np.ndarray:
    """Pixels that are connected to an anchor."""
    held = springs.anchor > 0
    for _ in range(held.size):
        before = held.copy()
        held[:, 1:] |= held[:, :-1] & (springs.right > 0)
        held[:, :-1] |= held[:, 1:] & (springs.right > 0)
        held[1:] |= held[:-1] & (springs.down > 0)
        held[:-1] |= held[1:] & (springs.down > 0)
        if np.array_equal(before, held):
            return held
    return held


def test_the_matrix_is_the_one_written_down() -> None:
    rng = np.random.default_rng(2)
    springs = random_springs(rng, 7, 5)
    u = rng.normal(size=(2, 7, 5)).astype(np.float32)
    expected = (matrix_of(springs) @ u.reshape(2, -1).T).T.reshape(2, 7, 5)
    np.testing.assert_allclose(springs.apply(u), expected, atol=1e-5)
    np.testing.assert_allclose(springs.residual(u, 2 * u), 2 * u - expected, atol=1e-5)


def test_nothing_pulls_nothing_moves() -> None:
    springs = Springs(np.zeros((5, 5), np.float32), np.zeros((4, 6), np.float32), np.zeros((5, 6), np.float32))
    found = solve(springs, np.ones((1, 5, 6), np.float32), np.zeros((1, 5, 6), np.float32))
    assert not found.any()


def test_a_plane_at_the_rim_goes_on_inside() -> None:
    """A membrane between anchors on a plane is the plane (and large grids come to it coarse to fine)."""
    side = 300
    rows, columns = np.mgrid[:side, :side].astype(np.float32)
    plane = 0.1 * rows - 0.2 * columns
    anchor = np.zeros((side, side), np.float32)
    pull = np.zeros((1, side, side), np.float32)
    for ring in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        anchor[ring] = 1000  # held at the plane itself
        pull[0][ring] = 1000 * plane[ring]
    springs = Springs(np.ones((side, side - 1), np.float32), np.ones((side - 1, side), np.float32), anchor)
    found = solve(springs, np.zeros_like(pull), pull, tolerance=0.01)
    assert np.abs(found[0] - plane).max() < 1.5
    assert np.abs(found[0] - plane).mean() < 0.3
