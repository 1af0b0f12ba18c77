"""Colour transfer between the surroundings of an object in two photos."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import color

from scenebrush.canvas.color import fitted

RNG = np.random.default_rng(0)
GREY = RNG.integers(90, 140, (400, 3), dtype=np.uint8)
OBJECT = RNG.uniform(60, 180, (20, 30, 3))


def lightness(pixels: np.ndarray) -> np.ndarray:
    return color.rgb2lab(pixels / 255)[..., 0]


def test_equal_surroundings_change_nothing() -> None:
    assert np.allclose(fitted(OBJECT, GREY, GREY), OBJECT, atol=0.5)


def test_a_darker_place_makes_an_object_darker_by_the_share_asked_for() -> None:
    theirs, ours = np.full((100, 3), 120, np.uint8), np.full((100, 3), 96, np.uint8)
    apart = lightness(theirs[:1]).item() - lightness(ours[:1]).item()
    flat = np.full((5, 5, 3), 120.0)
    for strength in (0.0, 0.5, 1.0):
        darker = lightness(flat) - lightness(fitted(flat, theirs, ours, strength=strength))
        assert np.allclose(darker, strength * apart, atol=0.3)


def test_in_the_dark_bright_things_lose_more_and_colours_pale_with_them() -> None:
    day, night = np.full((100, 3), 130, np.uint8), np.full((100, 3), 60, np.uint8)
    coat, shoes, red = (np.full((5, 5, 3), shade, float) for shade in ([235] * 3, [70] * 3, [200, 60, 50]))
    lost = [lightness(p).mean() - lightness(fitted(p, day, night)).mean() for p in (coat, shoes)]
    assert lost[0] > 1.5 * lost[1] > 0
    before, after = (np.hypot(*color.rgb2lab(p / 255)[0, 0, 1:]) for p in (red, fitted(red, day, night)))
    assert after < 0.85 * before


def test_as_one_lamp_would_do_it() -> None:
    """All of a scene under half the light: at full strength an object of it comes out as it would look there."""
    brick = OBJECT * [1.2, 0.8, 0.6]
    linear = ((brick / 255 + 0.055) / 1.055) ** 2.4
    dimmed = (1.055 * (0.5 * linear) ** (1 / 2.4) - 0.055) * 255
    found = fitted(brick, brick.reshape(-1, 3), dimmed.reshape(-1, 3), strength=1.0)
    assert np.abs(found - dimmed).mean() < 1.5
    assert np.abs(brick - dimmed).mean() > 25


def test_light_is_limited_so_that_an_object_stays_what_it_is() -> None:
    black, white = np.zeros((100, 3), np.uint8), np.full((100, 3), 255, np.uint8)
    flat = np.full((5, 5, 3), 120.0)
    before = lightness(flat) + 16
    for theirs, ours, factor in ((black, white, 1.3), (white, black, 0.5)):
        assert np.allclose((lightness(fitted(flat, theirs, ours, strength=1.0)) + 16) / before, factor, atol=0.01)


def test_too_little_to_go_by_changes_nothing() -> None:
    assert fitted(OBJECT, GREY[:15], GREY) is OBJECT
    assert fitted(OBJECT, GREY, GREY[:0]) is OBJECT


@pytest.mark.parametrize("shade", [(0, 0, 90), (255, 255, 0), (0, 60, 0)])
def test_colours_at_the_edge_of_the_gamut_stay_in_range_without_a_warning(shade: tuple[int, int, int]) -> None:
    black, white = np.zeros((100, 3), np.uint8), np.full((100, 3), 255, np.uint8)
    for theirs, ours in ((black, white), (white, black)):
        found = fitted(np.full((4, 4, 3), shade, float), theirs, ours, strength=1.0)
        assert found.min() >= 0 and found.max() <= 255
