"""The masked autocorrelation against its definition, and periods of textures that have known ones."""

from __future__ import annotations

import numpy as np

from scenebrush.canvas.periods import autocorrelation, periods


def test_autocorrelation_is_pearsons_coefficient_of_what_overlaps() -> None:
    rng = np.random.default_rng(0)
    values, visible = rng.normal(0, 20, (11, 14)) + 90, rng.random((11, 14)) < 0.7
    found = autocorrelation(values, visible)
    assert found.shape == (21, 27)
    for dy, dx in ((0, 0), (2, 3), (-4, 5), (3, -6), (0, 1)):
        pairs = [
            (values[r, c], values[r + dy, c + dx])
            for r, c in np.argwhere(visible)
            if 0 <= r + dy < 11 and 0 <= c + dx < 14 and visible[r + dy, c + dx]
        ]
        expected = np.corrcoef(np.array(pairs).T)[0, 1]
        np.testing.assert_allclose(found[10 + dy, 13 + dx], expected, atol=1e-6)
    assert found[0, 0] == 0  # next to nothing overlaps


def test_the_periods_of_a_texture_are_found_between_pixels() -> None:
    y, x = np.mgrid[:150, :180].astype(float)
    values = 40 * np.cos(2 * np.pi * x / 22.4) ** 9 + 40 * np.cos(2 * np.pi * y / 31.3) ** 9 + 0.4 * x
    values += np.random.default_rng(1).normal(0, 4, values.shape)
    visible = np.ones(values.shape, bool)
    visible[50:100, 60:110] = False
    values[~visible] = -1000
    found = periods(values, visible, 12)
    multiples = np.rint(found / (22.4, 31.3))
    assert np.abs(multiples).max(axis=1).min() >= 1
    np.testing.assert_allclose(found, multiples * (22.4, 31.3), atol=0.6)
    assert {(1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)} <= {(a + 0.0, b + 0.0) for a, b in multiples.tolist()}


def test_noise_has_no_periods() -> None:
    values = np.random.default_rng(2).normal(0, 30, (90, 90))
    assert not len(periods(values, np.ones(values.shape, bool), 10))
