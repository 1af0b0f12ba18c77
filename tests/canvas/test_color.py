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
    flat = np.full((5, 5, 3), 130.0)
    for strength in (0.0, 0.5, 1.0):
        darker = lightness(flat) - lightness(fitted(flat, theirs, ours, strength=strength))
        assert np.allclose(darker, strength * apart, atol=0.3)


def test_a_shift_is_limited_so_that_an_object_stays_what_it_is() -> None:
    black, white = np.zeros((100, 3), np.uint8), np.full((100, 3), 255, np.uint8)
    flat = np.full((5, 5, 3), 120.0)
    assert np.allclose(lightness(fitted(flat, black, white, strength=1.0)) - lightness(flat), 18, atol=0.5)


def test_too_little_to_go_by_changes_nothing() -> None:
    assert fitted(OBJECT, GREY[:15], GREY) is OBJECT
    assert fitted(OBJECT, GREY, GREY[:0]) is OBJECT


@pytest.mark.parametrize("shade", [(0, 0, 90), (255, 255, 0), (0, 60, 0)])
def test_colours_at_the_edge_of_the_gamut_stay_in_range_without_a_warning(shade: tuple[int, int, int]) -> None:
    black, white = np.zeros((100, 3), np.uint8), np.full((100, 3), 255, np.uint8)
    for theirs, ours in ((black, white), (white, black)):
        found = fitted(np.full((4, 4, 3), shade, float), theirs, ours, strength=1.0)
        assert found.min() >= 0 and found.max() <= 255
