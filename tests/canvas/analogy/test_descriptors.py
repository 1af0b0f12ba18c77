"""Patches as short vectors."""

from __future__ import annotations

import numpy as np
import pytest

from scenebrush.canvas.analogy.descriptors import Projection, patch_rows


def test_a_patch_is_what_lies_around_its_pixel() -> None:
    values = np.arange(20.0).reshape(4, 5)[..., None]
    rows = patch_rows(values, 3)
    assert rows.shape == (20, 9) and rows.dtype == np.float32
    assert rows[7].tolist() == [1, 2, 3, 6, 7, 8, 11, 12, 13]  # (1, 2)
    assert rows[0].tolist() == [0, 0, 1, 0, 0, 1, 5, 5, 6]  # mirrored beyond the rim


def test_colours_stay_apart() -> None:
    values = np.dstack([np.zeros((3, 3)), np.ones((3, 3))])
    assert patch_rows(values, 3)[4].tolist() == [0] * 9 + [1] * 9


def test_a_projection_keeps_distances_as_far_as_its_components_go() -> None:
    rng = np.random.default_rng(0)
    directions = np.linalg.qr(rng.normal(size=(8, 8)))[0][:2]
    rows = rng.normal(size=(500, 2)) * [5, 2] @ directions + 7
    projection = Projection.of(rows, 6)
    assert projection.basis.shape == (8, 2)  # there is nothing in the other directions
    projected = projection(rows)
    assert projected.dtype == np.float32 and np.allclose(projected.mean(0), 0, atol=1e-4)
    between = np.linalg.norm(rows[:50, None] - rows[None, :50], axis=-1)
    assert np.allclose(np.linalg.norm(projected[:50, None] - projected[None, :50], axis=-1), between, atol=1e-3)
    assert Projection.of(rows, 1).basis.shape == (8, 1)
    assert np.allclose(projection.basis.T @ projection.basis, np.eye(2), atol=1e-5)


@pytest.mark.parametrize("rows", [np.ones((1, 5)), np.ones((30, 5)), np.arange(4.0)[:, None]])
def test_rows_that_hardly_vary(rows: np.ndarray) -> None:
    projected = Projection.of(rows, 3)(rows)
    assert projected.shape == (len(rows), 1) and np.isfinite(projected).all()
