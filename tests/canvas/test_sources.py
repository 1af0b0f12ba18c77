"""Trends and dear sources."""

from __future__ import annotations

import numpy as np

from scenebrush.canvas.sources import Trend, color_distance, dear_sources


def test_a_plane_is_a_trend() -> None:
    rng = np.random.default_rng(0)
    rows, columns = rng.uniform(0, 100, 400), rng.uniform(0, 150, 400)
    colors = np.stack([50 + rows, 200 - 0.5 * rows - 0.3 * columns, np.full(400, 90.0)], axis=1)
    trend = Trend.fit(rows, columns, (colors + rng.normal(0, 1, colors.shape)).astype(np.float32))
    assert trend is not None
    assert np.abs(trend.at(rows, columns) - colors).mean() < 1.5


def test_texture_has_no_trend() -> None:
    rng = np.random.default_rng(1)
    rows, columns = rng.uniform(0, 100, 400), rng.uniform(0, 100, 400)
    assert Trend.fit(rows, columns, rng.uniform(0, 255, (400, 3)).astype(np.float32)) is None
    assert Trend.fit(rows[:5], columns[:5], np.zeros((5, 3), np.float32)) is None


def test_a_trend_does_not_run_away_outside_of_what_is_known() -> None:
    rng = np.random.default_rng(2)
    rows, columns = rng.uniform(0, 50, 400), rng.uniform(0, 50, 400)
    colors = np.repeat((0.04 * rows**2)[:, None], 3, axis=1)
    trend = Trend.fit(rows, columns, colors.astype(np.float32))
    assert trend is not None
    assert trend.at(np.array([400.0]), np.array([25.0])).max() < 130


def test_sources_beside_and_below_things_are_dearer() -> None:
    things = np.zeros((60, 60), bool)
    things[20:25, 28:32] = True
    dear = dear_sources(things, 1.0)
    assert dear[24, 33] == dear[18, 30] == dear[22, 30] > dear[29, 30] > 0
    assert dear[12, 30] == dear[40, 30] == dear[22, 40] == 0


def test_color_distance_is_the_mean_over_channels() -> None:
    rng = np.random.default_rng(3)
    a, b = rng.integers(-200, 200, (2, 7, 5, 3)).astype(np.int16)
    np.testing.assert_allclose(color_distance(a, b), np.abs(a - b).mean(axis=-1), rtol=1e-5)
