"""Filling a hole: what is copied comes from its own class, and nothing else changes."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenebrush.canvas import Parts, fill
from scenebrush.errors import InputError
from scenebrush.scene.label_set import LabelClass, LabelSet
from scenebrush.scene.layout import Layout

SKY, GROUND, CAR, VOID = 0, 1, 2, 3
LABELS = LabelSet(
    "test",
    (
        LabelClass(SKY, "sky", (0, 0, 255), "stuff"),
        LabelClass(GROUND, "ground", (90, 90, 90), "stuff"),
        LabelClass(CAR, "car", (255, 0, 0), "thing"),
        LabelClass(VOID, "void", (0, 0, 0), "void"),
    ),
    VOID,
)


def layout(label_map: np.ndarray) -> Layout:
    return Layout(label_map, LABELS)


def box(shape: tuple[int, int], x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[y0:y1, x0:x1] = True
    return mask


def landscape(rng: np.random.Generator, side: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """Sky over ground with a car; the red channel tells the class of each pixel."""
    labels = np.full((side, side), SKY)
    labels[(np.arange(side) + 4 * np.sin(np.arange(side) / 9)[:, None] > side // 2).T] = GROUND
    labels[side // 2 + 6 : side // 2 + 16, 8:24] = CAR
    photo = rng.integers(0, 256, (side, side, 3), dtype=np.uint8)
    photo[..., 0] = np.array([40, 120, 200, 250])[labels] + rng.integers(0, 10, labels.shape)
    return photo, labels


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_only_the_hole_changes_and_copies_have_the_right_class(seed: int, blended: bool) -> None:
    rng = np.random.default_rng(seed)
    photo, labels = landscape(rng)
    x, y, w, h = rng.integers(5, 60), rng.integers(5, 60), rng.integers(1, 30), rng.integers(1, 30)
    hole = box(labels.shape, x, y, x + w, y + h)
    filled = fill(photo, layout(labels), layout(labels), hole, parts=Parts(boundaries=False, blend=blended))
    assert np.array_equal(filled.photo[~hole], photo[~hole])
    assert not filled.copied[~hole].any()
    assert not filled.copied[labels == CAR].any()
    if not blended:
        red = filled.photo[..., 0].astype(int)
        for class_id, code in ((SKY, 40), (GROUND, 120)):
            values = red[filled.copied & (labels == class_id)]
            assert ((values >= code) & (values < code + 10)).all()


def test_a_copied_boundary_stays_near_the_one_that_is_asked_for() -> None:
    photo, labels = landscape(np.random.default_rng(3))
    hole = box(labels.shape, 40, 25, 65, 60)
    filled = fill(photo, layout(labels), layout(labels), hole, parts=Parts(blend=False))
    sky = filled.photo[..., 0] < 80
    wrong = filled.copied & (sky != (labels == SKY))
    rows = np.nonzero(wrong)[0]
    assert wrong.sum() < 0.15 * hole.sum()
    assert not rows.size or (np.abs(rows - 40) < 16).all()


def test_a_periodic_texture_is_restored_exactly() -> None:
    rng = np.random.default_rng(4)
    tile = rng.integers(0, 256, (16, 8, 3), dtype=np.uint8)
    photo = np.tile(tile, (8, 16, 1))
    hole = box((128, 128), 50, 40, 70, 66)
    ground = layout(np.full((128, 128), GROUND))
    filled = fill(photo, ground, ground, hole)
    assert filled.copied[hole].all()
    assert np.abs(filled.photo[hole].astype(int) - photo[hole]).max() <= 1


def test_a_smooth_gradient_is_restored() -> None:
    rows, columns = np.mgrid[:128, :128]
    plane = np.stack([60 + rows * 0.9, 200 - columns * 0.6, 40 + 0.5 * rows + 0.5 * columns], axis=-1)
    noisy = (plane + np.random.default_rng(5).normal(0, 2, plane.shape)).clip(0, 255).astype(np.uint8)
    hole = box((128, 128), 40, 30, 90, 95)
    sky = layout(np.full((128, 128), SKY))
    filled = fill(noisy, sky, sky, hole)
    apart = filled.photo[hole] - plane[hole]
    assert np.abs(apart.mean(axis=0)).max() < 2
    assert np.abs(apart).mean() < 4


def test_blending_takes_on_the_light_of_the_surroundings() -> None:
    """The only source is darker; blended, the copy meets the hole's rim."""
    rng = np.random.default_rng(6)
    texture = np.tile(rng.integers(-12, 12, (8, 8, 1)), (12, 16, 3))[:96, :128]
    photo = (120 + texture).astype(np.uint8)
    photo[:, 64:] = (170 + texture[:, 64:]).astype(np.uint8)
    hole = box((96, 128), 80, 30, 110, 60)
    before = np.full((96, 128), GROUND)
    before[:, 64:] = np.where(hole[:, 64:], GROUND, VOID)
    before[28:62, 78:112] = GROUND
    filled = fill(photo, layout(before), layout(before), hole)
    assert abs(filled.photo[hole].mean() - 170) < 8


def test_no_specks_beyond_the_range_of_the_photo() -> None:
    rng = np.random.default_rng(7)
    labels = np.where(rng.random((96, 96)) < 0.5, SKY, GROUND)  # as ragged as labels can be
    photo = rng.integers(110, 140, (96, 96, 3), dtype=np.uint8)
    hole = box((96, 96), 30, 30, 62, 62)
    filled = fill(photo, layout(labels), layout(labels), hole)
    assert filled.photo[hole].min() > 70 and filled.photo[hole].max() < 180


def test_things_take_the_nearest_pixel_of_their_class() -> None:
    photo, labels = landscape(np.random.default_rng(8))
    hole = box(labels.shape, 20, 46, 40, 56)
    after = labels.copy()
    after[hole] = CAR
    filled = fill(photo, layout(labels), layout(after), hole)
    assert not filled.copied.any()
    assert (filled.photo[hole][:, 0] >= 200).all()


def test_a_class_that_is_nowhere_to_be_seen_takes_any_nearest_pixel() -> None:
    photo = np.full((64, 64, 3), 77, np.uint8)
    hole = box((64, 64), 20, 20, 40, 40)
    before = np.full((64, 64), GROUND)
    after = np.where(hole, SKY, GROUND)
    filled = fill(photo, layout(before), layout(after), hole)
    assert (filled.photo == 77).all() and not filled.copied.any()


def test_unlabelled_pixels_of_the_hole_become_what_surrounds_them() -> None:
    photo, labels = landscape(np.random.default_rng(9))
    hole = box(labels.shape, 30, 4, 50, 24)
    after = np.where(hole, VOID, labels)
    filled = fill(photo, layout(labels), layout(after), hole, parts=Parts(blend=False))
    assert filled.copied[hole].all()
    assert (filled.photo[hole][:, 0] < 50).all()


@pytest.mark.parametrize("everything", [False, True])
def test_empty_and_whole_holes(everything: bool) -> None:
    photo, labels = landscape(np.random.default_rng(10), 48)
    hole = np.full(labels.shape, everything)
    filled = fill(photo, layout(labels), layout(labels), hole)
    assert not filled.copied.any()
    assert filled.photo.shape == photo.shape and filled.photo is not photo


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.booleans(), st.booleans())
def test_what_the_hole_hides_changes_nothing(seed: int, surfaces: bool, large: bool) -> None:
    rng = np.random.default_rng(seed)
    photo, labels = landscape(rng)
    x, y, w, h = (0, 0, 80, 80) if large else (rng.integers(0, 60), rng.integers(0, 60), *rng.integers(1, 40, 2))
    hole = box(labels.shape, x, y, x + w, y + h)
    if large:
        hole[rng.integers(0, 80, 9), rng.integers(0, 80, 9)] = False
    after = np.where(hole, rng.permutation([SKY, GROUND, CAR, VOID])[labels], labels)
    other = photo.copy()
    other[hole] = rng.integers(0, 256, (int(hole.sum()), 3))
    first, second = (fill(p, layout(labels), layout(after), hole, surfaces=surfaces) for p in (photo, other))
    assert np.array_equal(first.photo[hole], second.photo[hole])
    assert np.array_equal(first.copied, second.copied)


def test_where_nothing_is_visible_nothing_is_shown() -> None:
    photo, labels = landscape(np.random.default_rng(10), 48)
    filled = fill(photo, layout(labels), layout(labels), np.ones(labels.shape, bool))
    assert (filled.photo == 128).all()
    unlabelled = np.full(labels.shape, VOID)
    hole = box(labels.shape, 10, 10, 30, 30)
    assert (fill(photo, layout(unlabelled), layout(np.where(hole, SKY, VOID)), hole).photo[hole] == 128).all()


def test_the_same_every_time() -> None:
    photo, labels = landscape(np.random.default_rng(11))
    hole = box(labels.shape, 30, 30, 60, 60)
    first, second = (fill(photo, layout(labels), layout(labels), hole).photo for _ in range(2))
    assert np.array_equal(first, second)


def test_a_sloppy_rim_of_an_object_is_not_copied() -> None:
    """Red pixels of a car spill over its label; the ground beside it is there to be copied instead."""
    rng = np.random.default_rng(12)
    photo = rng.integers(90, 110, (128, 128, 3), dtype=np.uint8)
    labels = np.full((128, 128), GROUND)
    labels[50:70, 10:40] = CAR
    photo[49:71, 9:41] = (250, 0, 0)
    hole = box(labels.shape, 55, 50, 90, 80)
    filled = fill(photo, layout(labels), layout(labels), hole)
    assert filled.photo[hole][:, 0].max() < 150


def test_a_pale_fringe_is_not_smeared_over_what_lies_below() -> None:
    """Bushes under a bright lake, their tops labelled a few pixels too high: copies of that fringe stay local."""
    rng = np.random.default_rng(16)
    columns = np.arange(256)
    top = (90 - 25 * np.cos(columns / 40)).astype(int)
    rows = np.arange(200)[:, None]
    labels = np.where(rows >= top, GROUND, SKY)
    light = np.where(rows >= top + 5, 70.0, 220.0)
    grain = np.repeat(np.repeat(rng.normal(0, 25, (100, 128)), 2, axis=0), 2, axis=1) * (rows >= top + 5)
    photo = np.repeat((light + grain).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    hole = box(labels.shape, 150, 30, 256, 200)
    filled = fill(photo, layout(labels), layout(labels), hole)
    depth = rows - top
    inside = hole & (depth > 14)
    means = [filled.photo[inside & (columns >= c) & (columns < c + 16)].mean() for c in range(150, 250, 16)]
    assert np.abs(np.array(means) - 70).max() < 16


def test_where_objects_stand_in_all_sources_further_ones_are_found() -> None:
    """A lake full of boats: every offset leads to some of them, and no pixel is left to its nearest neighbour."""
    rng = np.random.default_rng(1)
    photo = rng.integers(120, 140, (200, 320, 3), dtype=np.uint8)
    labels = np.full((200, 320), GROUND)
    for x, y in rng.integers(0, (300, 180), (90, 2)):
        labels[y : y + 20, x : x + 20] = CAR
    hole = box(labels.shape, 150, 40, 280, 170)
    labels[hole] = GROUND
    assert fill(photo, layout(labels), layout(labels), hole).copied[hole].all()


def test_sizes_must_fit() -> None:
    photo, labels = landscape(np.random.default_rng(13), 48)
    with pytest.raises(InputError, match="differ in size"):
        fill(photo[:40], layout(labels), layout(labels), np.zeros((48, 48), bool))


def test_time_grows_no_faster_than_the_hole() -> None:
    """Sixteen times the pixels in well under forty times the time (side by side, so that a busy machine cancels)."""

    def seconds(side: int) -> float:
        photo, labels = landscape(np.random.default_rng(14), side)
        hole = box(labels.shape, side // 3, side // 3, 2 * side // 3, 2 * side // 3)
        start = time.process_time()
        fill(photo, layout(labels), layout(labels), hole)
        return time.process_time() - start

    seconds(128)
    small = min(seconds(128) for _ in range(3))
    assert seconds(512) < 40 * small


def test_a_surface_runs_on_where_its_number_is_seen_outside() -> None:
    """A facade (a thing) behind a window that goes; without numbers, or asked not to, things are not copied."""
    rng = np.random.default_rng(15)
    photo = rng.integers(100, 130, (96, 96, 3), dtype=np.uint8)
    hole = box((96, 96), 40, 40, 60, 60)
    photo[hole] = 255
    cars = np.full((96, 96), CAR)
    numbered = Layout(cars, LABELS, np.full((96, 96), 7))
    assert fill(photo, numbered, numbered, hole, surfaces=True).copied[hole].all()
    assert not fill(photo, numbered, numbered, hole).copied.any()
    assert not fill(photo, layout(cars), layout(cars), hole, surfaces=True).copied.any()
    another = Layout(cars, LABELS, np.where(hole, 8, 7))
    assert not fill(photo, numbered, another, hole, surfaces=True).copied.any()
