"""Augmentation: one transform for photo and maps, exact where nothing is drawn, and what each setting promises."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.interpolate import RBFInterpolator

from scenebrush.data.augmentation import Augmentation, Warp, draw_warp
from scenebrush.errors import InputError

STILL = Augmentation(zoom=0, flip=0, bend=0)
ALL = Augmentation(turn=5, shift=0.1)
SIZES = st.tuples(st.integers(2, 40), st.integers(2, 40))


def rng(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def picture_of(shape: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*shape, 3), np.uint8)


def grid_of(shape: tuple[int, int]) -> np.ndarray:
    return np.stack(np.mgrid[: shape[0], : shape[1]]).astype(np.float32)


@settings(max_examples=30, deadline=None)
@given(SIZES, st.integers(0, 999))
def test_without_strength_nothing_changes_bit_for_bit(shape: tuple[int, int], seed: int) -> None:
    warp = draw_warp(shape, ALL, 0.0, rng(seed))
    photo = picture_of(shape, seed)
    assert warp.is_identity
    assert (warp.coordinates == grid_of(shape)).all()
    for given_picture in (photo, photo.astype(np.float32) / 255):
        for nearest in (False, True):
            assert (warp.picture(given_picture, nearest=nearest) == given_picture).all()
    assert (warp.labels(photo[..., 0].astype(np.int32)) == photo[..., 0]).all()


@settings(max_examples=60, deadline=None)
@given(SIZES, st.integers(0, 9999), st.floats(0, 1))
def test_labels_never_get_new_values_and_pictures_never_leave_their_range(
    shape: tuple[int, int], seed: int, strength: float
) -> None:
    warp = draw_warp(shape, ALL, strength, rng(seed))
    labels = np.random.default_rng(seed).choice([0, 7, 70000], shape).astype(np.int32)
    warped = warp.labels(labels)
    assert warped.dtype == labels.dtype
    assert set(np.unique(warped)) <= set(np.unique(labels))
    photo = picture_of(shape, seed)
    out = warp.picture(photo)
    assert out.dtype == np.uint8
    assert (out.min(axis=(0, 1)) >= photo.min(axis=(0, 1))).all()
    assert (out.max(axis=(0, 1)) <= photo.max(axis=(0, 1))).all()


@settings(max_examples=30, deadline=None)
@given(SIZES, st.integers(0, 9999), st.floats(0, 1))
def test_equal_seeds_draw_equal_warps_and_photo_and_map_move_alike(
    shape: tuple[int, int], seed: int, strength: float
) -> None:
    warp, again = (draw_warp(shape, ALL, strength, rng(seed)) for _ in range(2))
    assert (warp.coordinates == again.coordinates).all()
    labels = np.arange(shape[0] * shape[1]).reshape(shape)
    as_picture = warp.picture(labels[..., None].astype(np.float64), nearest=True)
    assert (as_picture[..., 0] == warp.labels(labels)).all()


def test_a_flip_mirrors_and_flipping_twice_is_nothing() -> None:
    warp = draw_warp((9, 14), replace(STILL, flip=1), 1.0, rng(0))
    photo = picture_of((9, 14))
    assert not warp.is_identity
    assert (warp.picture(photo) == photo[:, ::-1]).all()
    assert (warp.picture(warp.picture(photo)) == photo).all()
    assert (warp.labels(warp.labels(photo[..., 0])) == photo[..., 0]).all()


@pytest.mark.parametrize("strength", [0.3, 1.0])
def test_probabilities_ranges_and_shifts_grow_with_the_strength(strength: float) -> None:
    """1,500 draws: flips and bends as often as said, zooms uniform in [1, 1 + .2 f]."""
    shape = (11, 21)
    flips = [draw_warp(shape, replace(STILL, flip=0.5), strength, rng(s)).coordinates[1, 0, 0] > 0 for s in range(1500)]
    assert np.mean(flips) == pytest.approx(0.5 * strength, abs=0.045)
    zooms = [
        np.ptp(draw_warp(shape, replace(STILL, zoom=0.2), strength, rng(s)).coordinates[1]) / 20 for s in range(1500)
    ]
    factors = 1 / np.array(zooms)
    assert factors.min() >= 1
    assert factors.max() <= 1 + 0.2 * strength + 1e-6
    assert factors.mean() == pytest.approx(1 + 0.1 * strength, abs=0.01)
    bends = [draw_warp(shape, replace(STILL, bend=0.5), strength, rng(s)) for s in range(1500)]
    assert np.mean([not w.is_identity for w in bends]) == pytest.approx(0.5, abs=0.045)
    farthest = max(np.abs(w.coordinates - grid_of(shape))[:, 5, 10].max() for w in bends)  # the middle control point
    assert 0.9 * 0.02 * 21 * strength < farthest <= 0.02 * 21 * strength + 1e-5


def test_zoom_is_about_the_middle_and_as_scipy_samples_it() -> None:
    warp = draw_warp((21, 31), replace(STILL, zoom=1), 1.0, rng(3))
    assert warp.coordinates[:, 10, 15] == pytest.approx([10, 15], abs=1e-5)
    photo = picture_of((21, 31)).astype(np.float64)
    expected = [ndimage.map_coordinates(photo[..., c], warp.coordinates, order=1) for c in range(3)]
    assert warp.picture(photo) == pytest.approx(np.stack(expected, axis=-1))
    by_hand = Warp(np.stack([np.full((1, 2), 0.25, np.float32), np.array([[0, 0.5]], np.float32)]))
    with pytest.raises(InputError, match=r"this warp is for arrays \(1, 2, 'C'\); got \(2, 2, 1\)"):
        by_hand.picture(np.zeros((2, 2, 1)))


def test_the_bend_is_a_thin_plate_spline_with_fixed_corners() -> None:
    """Against scipy's: the same moves of the same control points bend every pixel the same way."""
    shape, size = (24, 40), np.array([23.0, 39.0])
    warp = draw_warp(shape, replace(STILL, bend=1, bend_shift=0.1), 0.5, rng(5))
    moved = warp.coordinates - grid_of(shape)
    draws = rng(5)
    draws.uniform(size=3), draws.uniform(-1, 1, size=3)
    moves = draws.uniform(-1, 1, (9, 2)) * 0.1 * 0.5 * 40
    inner = [(r, c) for r in (0.25, 0.5, 0.75) for c in (0.25, 0.5, 0.75)]
    points = np.array(inner + [(0, 0), (0, 1), (1, 0), (1, 1)]) * size
    reference = RBFInterpolator(points, np.concatenate([moves, np.zeros((4, 2))]), kernel="thin_plate_spline")
    expected = reference(grid_of(shape).reshape(2, -1).T).T.reshape(2, *shape)
    inside = ((grid_of(shape) + expected >= 0) & (grid_of(shape) + expected <= size[:, None, None])).all(axis=0)
    assert inside.mean() > 0.8
    assert moved[:, inside] == pytest.approx(expected[:, inside], abs=1e-3)
    assert moved[:, [0, 0, -1, -1], [0, -1, 0, -1]] == pytest.approx(0, abs=1e-3)
    assert np.abs(moves).max() > 1


def test_what_leaves_the_picture_comes_back_mirrored() -> None:
    warp = draw_warp((40, 60), replace(STILL, shift=0.4), 1.0, rng(1))
    rows, columns = warp.coordinates[0, :, 0], warp.coordinates[1, 0]
    assert min(rows.min(), columns.min()) >= 0
    assert rows.max() <= 39
    assert columns.max() <= 59
    for along, last in ((rows, 39), (columns, 59)):
        steps = np.diff(along)
        assert np.abs(steps).max() <= 1 + 1e-4
        turns = np.flatnonzero(np.abs(np.diff(np.sign(steps))) == 2)
        assert len(turns) == 1, "it runs to the border and back"
        assert along[turns[0] + 1] == pytest.approx(0, abs=1) or along[turns[0] + 1] == pytest.approx(last, abs=1)


def test_a_turn_is_a_rotation_about_the_middle() -> None:
    """A pixel 10 to the right of the middle comes from where a rotation by the drawn angle puts it."""
    draws = rng(2)
    draws.uniform(size=3)
    angle = np.radians(90 * draws.uniform(-1, 1))
    warp = draw_warp((31, 31), replace(STILL, turn=90), 1.0, rng(2))
    offset = np.array([0.0, 10.0])
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    assert warp.coordinates[:, 15, 25] == pytest.approx(15 + rotation @ offset, abs=1e-4)


def test_settings_do_not_disturb_each_other() -> None:
    """The flip that a seed draws stays the same when the bend is switched off."""
    with_bend = [draw_warp((10, 20), replace(ALL, turn=0, shift=0), 1.0, rng(s)) for s in range(30)]
    without = [draw_warp((10, 20), replace(STILL, flip=0.5), 1.0, rng(s)) for s in range(30)]
    flipped = [[w.coordinates[1, 5, 0] > w.coordinates[1, 5, -1] for w in warps] for warps in (with_bend, without)]
    assert flipped[0] == flipped[1]
    assert any(flipped[0])
    assert not all(flipped[0])


def test_wrong_settings_are_named() -> None:
    with pytest.raises(InputError, match=r"augmentation: flip is 1\.5; give a share from 0 to 1"):
        Augmentation(flip=1.5)
    with pytest.raises(InputError, match="turn is -5"):
        Augmentation(turn=-5)
    with pytest.raises(InputError, match="control is 0"):
        Augmentation(control=0)
    with pytest.raises(InputError, match="strength is 2"):
        draw_warp((4, 4), STILL, 2.0, rng(0))
    with pytest.raises(InputError, match="no pixels"):
        draw_warp((0, 4), STILL, 1.0, rng(0))


def test_a_pair_of_the_usual_size_takes_milliseconds() -> None:
    photo, labels = picture_of((170, 256)), np.zeros((170, 256), np.int32)
    bent = replace(Augmentation(), bend=1)
    draw_warp((170, 256), bent, 1.0, rng(0))  # the spline of this size is worked out once
    times = []
    for seed in range(7):
        start = time.perf_counter()
        warp = draw_warp((170, 256), bent, 1.0, rng(seed))
        warp.picture(photo), warp.labels(labels)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.06
