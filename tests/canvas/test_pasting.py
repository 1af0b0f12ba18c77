"""Carried objects: their own pixels, their rim, their shadow."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from scenebrush.canvas.pasting import paste, warp
from scenebrush.scene.edit import Carry
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.operations.warping import warped
from scenebrush.scene.scene import Scene

CAMVID = LabelSet.load("camvid")
SIZE = (48, 64)
ROAD, CAR = CAMVID.find("road").id, CAMVID.find("car").id


def make_donor(shape: tuple[int, int] = SIZE, *, dark: bool = False) -> tuple[Scene, np.ndarray]:
    """A bright, speckled car on a grey road; with `dark` the road below it lies in its shadow."""
    rng = np.random.default_rng(4)
    photo = np.full((*shape, 3), 110, np.uint8)
    mask = np.zeros(shape, bool)
    mask[14:30, 10:34] = True
    photo[mask] = rng.integers(170, 255, (np.count_nonzero(mask), 3))
    if dark:
        photo[30:38, 8:36] = 66  # 0.6 of the light
    return Scene(photo, Layout(np.where(mask, CAR, ROAD), CAMVID)), mask


def shift(dx: float, dy: float) -> np.ndarray:
    return np.array([[1, 0, dx], [0, 1, dy]], float)


def carry_by(matrix: np.ndarray, *, shadow: bool = False) -> tuple[Carry, np.ndarray]:
    """A carry within one photo and its hole: the old place, and object, rim and shadow at the new place."""
    donor, mask = make_donor(dark=shadow)
    dark = np.zeros(SIZE, bool)
    dark[30:38, 8:36] = True
    target = warped(mask, matrix, SIZE)
    hole = ndimage.binary_dilation(target | mask, iterations=3)
    if shadow:
        hole |= dark | warped(dark, matrix, SIZE)
    return Carry(donor, mask, matrix, target, dark if shadow else None), hole


EMPTY_ROAD = np.full((*SIZE, 3), 110, np.uint8)


@pytest.mark.parametrize("flip", [False, True])
def test_a_move_by_whole_pixels_keeps_the_inner_pixels_exactly(flip: bool) -> None:
    matrix = np.array([[-1, 0, 66], [0, 1, 7]], float) if flip else shift(21, 7)
    carry, hole = carry_by(matrix)
    photo, _ = paste(EMPTY_ROAD, carry, hole)
    inner = ndimage.binary_erosion(carry.mask, iterations=7)
    rows, columns = np.nonzero(inner)
    moved = 66 - columns if flip else columns + 21
    assert len(rows) > 10
    assert np.array_equal(photo[rows + 7, moved], carry.donor.photo[rows, columns])


@pytest.mark.parametrize("matrix", [shift(3, 2), shift(3.4, -2.7), np.array([[1.7, 0.3, -4], [-0.3, 1.7, 2]])])
def test_nothing_changes_outside_of_the_hole(matrix: np.ndarray) -> None:
    carry, hole = carry_by(matrix, shadow=True)
    rng = np.random.default_rng(1)
    before = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    kept = before.copy()
    photo, shown = paste(before, carry, hole)
    assert np.array_equal(photo[~hole], before[~hole]) and not shown[~hole].any()
    assert np.array_equal(before, kept)
    assert not np.array_equal(photo[carry.target], before[carry.target])


def test_an_object_shows_where_it_lies_and_on_a_narrow_rim() -> None:
    carry, hole = carry_by(shift(12.3, 4))
    _, shown = paste(EMPTY_ROAD, carry, hole)
    assert shown[carry.target].all()
    assert not shown[~ndimage.binary_dilation(carry.target, iterations=2)].any()
    assert shown[ndimage.binary_dilation(carry.target) & ~carry.target].any()


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.5])
def test_shares_and_light_lie_in_their_ranges(scale: float) -> None:
    carry, _ = carry_by(np.array([[scale, 0, 2.3], [0, scale, 1.2]]), shadow=True)
    found = warp(carry, SIZE)
    assert found.alpha.min() >= 0 and found.alpha.max() <= 1
    assert found.shade.min() >= 0.35 - 1e-9 and found.shade.max() <= 1 + 1e-9
    assert found.pixels.min() >= 0 and found.pixels.max() <= 255


def test_the_shadow_comes_along_as_dark_as_it_was() -> None:
    carry, hole = carry_by(shift(14, 5), shadow=True)
    photo, _ = paste(EMPTY_ROAD, carry, hole)
    below = photo[38:40, 28:44]  # the middle of the shadow, moved by (14, 5)
    assert below.mean() == pytest.approx(110 * 0.6, abs=4)
    assert photo[44:, :20].mean() == 110


def test_a_shadow_does_not_come_along_where_none_was_found() -> None:
    carry, hole = carry_by(shift(14, 5), shadow=True)
    photo, _ = paste(EMPTY_ROAD, replace(carry, shadow=None), hole)
    assert photo[38:40, 28:44].mean() == pytest.approx(110, abs=2)


@pytest.mark.parametrize("matrix", [shift(-22, 0), shift(40, 30), shift(20, -20)])
def test_an_object_partly_outside_of_the_photo_is_cut_off(matrix: np.ndarray) -> None:
    carry, hole = carry_by(matrix, shadow=True)
    photo, shown = paste(EMPTY_ROAD, carry, hole)
    assert shown.any() and photo.shape == (*SIZE, 3)
    assert photo[shown & ndimage.binary_erosion(carry.target, iterations=3, border_value=1)].min() > 140


@pytest.mark.parametrize("matrix", [shift(100, 0), shift(0, -200), shift(-34.6, 0)])
def test_an_object_wholly_outside_of_the_photo_changes_nothing(matrix: np.ndarray) -> None:
    carry, _ = carry_by(matrix)
    photo, shown = paste(EMPTY_ROAD, carry, np.ones(SIZE, bool))
    assert np.array_equal(photo, EMPTY_ROAD) and not shown.any()


def test_what_stands_in_front_stays_in_front() -> None:
    carry, hole = carry_by(shift(10, 4))
    front = np.zeros(SIZE, bool)
    front[:, 30:36] = True
    before = EMPTY_ROAD.copy()
    before[front] = 20
    photo, shown = paste(before, replace(carry, target=carry.target & ~front), hole & ~front)
    assert (photo[front] == 20).all() and not shown[front].any()


def test_an_object_from_another_photo_takes_on_its_light() -> None:
    carry, hole = carry_by(shift(14, 5))
    dusk = np.full((*SIZE, 3), 70, np.uint8)
    inner = ndimage.binary_erosion(carry.target, iterations=4)
    assert paste(dusk, carry, hole)[0][inner].mean() < paste(EMPTY_ROAD, carry, hole)[0][inner].mean() - 10
