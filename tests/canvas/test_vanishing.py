"""Straight edges, vanishing points and the homography that undoes a perspective, on grids with known answers."""

from __future__ import annotations

import numpy as np
import pytest

from scenebrush.canvas.vanishing import Segments, rectification, segments


def grid_lines(view: np.ndarray, rng: np.random.Generator, noise: float) -> Segments:
    """Edges of a grid (steps of 20, 200 wide) as `view` (3, 3) shows it, each end off by some noise."""
    ends = []
    for a in range(-100, 101, 20):
        for b in range(-100, 100, 20):
            ends += [((a, b), (a, b + 16)), ((b, a), (b + 16, a))]
    points = np.array(ends, float).reshape(-1, 2)
    shown = np.concatenate([points, np.ones((len(points), 1))], 1) @ view.T
    shown = (shown[:, :2] / shown[:, 2:] + rng.normal(0, noise, (len(points), 2))).reshape(-1, 2, 2)
    apart = shown[:, 1] - shown[:, 0]
    lengths = np.linalg.norm(apart, axis=1)
    order = np.argsort(-lengths)
    return Segments(shown.mean(axis=1)[order], (apart / lengths[:, None])[order], lengths[order])


VIEWS = [
    np.array([[0.9, 0.1, 160], [-0.1, 0.8, 120], [0.0, 0.0, 1]]),
    np.array([[1.0, 0.0, 160], [0.2, 0.9, 120], [1.5e-3, 0.0, 1]]),
    np.array([[0.8, 0.1, 150], [-0.3, 1.0, 130], [-2e-3, 8e-4, 1]]),
]


@pytest.mark.parametrize("view", VIEWS)
def test_a_rectified_grid_has_equal_steps_along_the_axes(view: np.ndarray) -> None:
    edges = grid_lines(view, np.random.default_rng(0), noise=0.2)
    middle = (float(view[0, 2]), float(view[1, 2]))
    upright = rectification(edges, middle, 120.0)
    assert upright is not None
    whole = upright @ view  # from the grid to the rectified plane: each axis on itself, and no perspective
    whole /= whole[2, 2]
    assert np.abs(whole[2, :2]).max() < 5e-5
    assert np.abs(whole[[0, 1], [1, 0]]).max() < 0.02 * np.abs(whole[[0, 1], [0, 1]]).min()
    np.testing.assert_allclose(upright @ [*middle, 1], [0, 0, (upright @ [*middle, 1])[2]], atol=1e-9)


def test_lengths_are_kept_in_the_middle() -> None:
    upright = rectification(grid_lines(VIEWS[1], np.random.default_rng(1), 0.1), (160.0, 120.0), 120.0)
    assert upright is not None

    def flat(x: float, y: float) -> np.ndarray:
        point = upright @ [x, y, 1.0]
        return point[:2] / point[2]

    along = np.linalg.norm(flat(160, 121) - flat(160, 119)) / 2
    assert abs(along - 1) < 0.05


def test_edges_in_all_directions_show_no_plane() -> None:
    rng = np.random.default_rng(2)
    angles = rng.uniform(0, np.pi, 200)
    edges = Segments(rng.uniform(0, 300, (200, 2)), np.stack([np.cos(angles), np.sin(angles)], 1), np.full(200, 14.0))
    assert rectification(edges, (150.0, 150.0), 150.0) is None


def test_one_direction_only_or_too_few_edges_are_no_plane() -> None:
    rng = np.random.default_rng(3)
    level = Segments(rng.uniform(0, 300, (60, 2)), np.tile([1.0, 0.0], (60, 1)), np.full(60, 30.0))
    assert rectification(level, (150.0, 150.0), 150.0) is None
    assert rectification(Segments(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros(0)), (0.0, 0.0), 1.0) is None


@pytest.mark.parametrize("angle", [0.0, 12.0, 45.0, 80.0])
def test_the_edges_of_a_turned_bar_are_found(angle: float) -> None:
    y, x = np.mgrid[:160, :160].astype(float)
    turn = np.deg2rad(angle)
    along = (x - 80) * np.cos(turn) + (y - 80) * np.sin(turn)
    across = -(x - 80) * np.sin(turn) + (y - 80) * np.cos(turn)
    bar = 200.0 * ((np.abs(along) < 50) & (np.abs(across) < 8))
    found = segments(bar, np.ones(bar.shape, bool))
    assert abs(found.lengths[0] - 100) < 15
    assert abs(found.directions[0] @ [-np.sin(turn), np.cos(turn)]) < 0.03
    middles = (found.centers[:2] - 80) @ [-np.sin(turn), np.cos(turn)]
    np.testing.assert_allclose(np.abs(middles), 8, atol=1.5)


def test_what_is_not_visible_has_no_edges() -> None:
    picture = np.zeros((80, 80))
    picture[:, 40:] = 200.0
    visible = np.ones(picture.shape, bool)
    visible[:, 38:44] = False
    assert not len(segments(picture, visible).lengths)
