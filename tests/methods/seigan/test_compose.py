"""Composing and swapping: objects where they should be, all else as it was."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scenebrush.errors import EditError, InputError
from scenebrush.methods.seigan.compose import compose_photos, found, swap_photos, with_opacity, without
from tests.methods.seigan.red import finding_red, photo_with_disc

BOX = (38, 18, 82, 62)
"""Around a disc about (60, 40) with radius 20."""


@pytest.fixture
def red(networks):
    return finding_red(networks)


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    return photo_with_disc((90, 120), (60, 40), 20)[0]


@pytest.fixture(scope="module")
def background() -> np.ndarray:
    """Another size, and green, with grain."""
    return np.random.default_rng(1).integers((20, 100, 20), (40, 160, 40), (100, 160, 3)).astype(np.uint8)


def is_red(picture: np.ndarray) -> np.ndarray:
    values = picture.astype(int)
    found: np.ndarray = (values[..., 0] > 130) & (values[..., 1] < 90)
    return found


def box_of_red(picture: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(is_red(picture).any(1)), np.flatnonzero(is_red(picture).any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def test_sizes_and_kinds(red, photo, background):
    made = compose_photos(red, photo, BOX, background, (80, 50))
    assert made.picture.shape == background.shape and made.picture.dtype == np.uint8
    assert made.target.shape == background.shape[:2] and made.target.dtype == np.float32
    assert made.mask.shape == photo.shape[:2] and made.mask.dtype == np.float32
    assert made.cut_out.shape == (*photo.shape[:2], 4) and made.cut_out.dtype == np.uint8
    assert made.inpainted.shape == photo.shape and made.inpainted.dtype == np.uint8
    assert made.target.min() >= 0 and made.target.max() == 1


@pytest.mark.parametrize("enhance", [True, False])
@pytest.mark.parametrize("scale", [0.5, 1.0, 1.7])
def test_outside_the_target_the_background_is_untouched(red, photo, background, scale, enhance):
    with torch.no_grad():
        red.enhancer.network.to_map.bias.fill_(0.3)
    made = compose_photos(red, photo, BOX, background, (70, 60), scale=scale, enhance=enhance)
    assert np.array_equal(made.picture[made.target == 0], background[made.target == 0])
    assert (made.target > 0).sum() < 1.4 * np.pi * (20 * scale + 2) ** 2


@pytest.mark.parametrize("scale", [0.5, 1.0, 1.5])
def test_its_middle_comes_to_lie_at_the_point(red, photo, background, scale):
    made = compose_photos(red, photo, BOX, background, (70, 45), scale=scale, enhance=False)
    x0, y0, x1, y1 = box_of_red(made.picture)
    assert abs((x0 + x1 - 1) / 2 - 70) <= 1 and abs((y0 + y1 - 1) / 2 - 45) <= 1
    assert abs((x1 - x0) - 41 * scale) <= 3 and abs((y1 - y0) - 41 * scale) <= 3


def test_the_same_as_adding_it_in_an_edit(red, photo, background):
    """`edit` adds a segment of another scene; the object lies on the very same pixels."""
    from scenebrush.scene import operations
    from scenebrush.scene.label_set import LabelSet
    from scenebrush.scene.layout import Layout
    from scenebrush.scene.scene import Scene

    camvid = LabelSet.load("camvid")
    _, solid = found(red, photo, BOX)
    donor = Scene(photo, Layout(np.where(solid, 8, 3), camvid))
    scene = Scene(background, Layout(np.full(background.shape[:2], 3), camvid))
    edit = operations.add(scene, segment=operations.Segment(donor, solid), at=(90, 30), scale=0.8)
    made = compose_photos(red, photo, BOX, background, (90, 30), scale=0.8)
    target = edit.carries[0].target
    assert (made.target[target] > 0).all() and not (made.target > 0.5)[~operations.dilate(target, 2)].any()


def test_an_object_that_sticks_out_is_cut_off(red, photo, background):
    made = compose_photos(red, photo, BOX, background, (0, 0), enhance=False)
    assert is_red(made.picture)[:18, :12].any() and not made.target[23:].any()


def test_the_enhancer_can_be_left_out(red, photo, background):
    with torch.no_grad():
        red.enhancer.network.to_map.bias.fill_(-0.8)
    plain, changed = (compose_photos(red, photo, BOX, background, (70, 45), enhance=e).picture for e in (False, True))
    assert (plain.astype(int) - changed)[45, 70].mean() > 20


@pytest.mark.parametrize("filling", ["canvas", "network"])
def test_the_source_is_left_without_its_object(red, photo, background, filling):
    made = compose_photos(red, photo, BOX, background, (80, 50), filling=filling)
    assert not is_red(made.inpainted).any()
    rows, columns = np.mgrid[:90, :120]
    far = np.hypot(columns - 60, rows - 40) > 24
    assert np.array_equal(made.inpainted[far], photo[far])
    if filling == "canvas":  # of the photo's own grey
        assert np.abs(made.inpainted[40, 60].astype(int) - 102).max() < 12


def test_a_filling_looks_at_nothing_of_the_object(red, photo):
    other, disc = photo.copy(), np.zeros(photo.shape[:2], np.float32)
    disc[20:60, 40:80] = 1
    other[20:60, 40:80] = (0, 255, 255)
    for filling in ("canvas", "network"):
        assert np.array_equal(without(red, photo, disc, filling), without(red, other, disc, filling))


def test_a_cut_out_holds_the_object_and_nothing_of_the_rest(photo):
    mask = np.zeros(photo.shape[:2], np.float32)
    mask[40, 60], mask[40, 61] = 1, 0.5
    cut = with_opacity(photo, mask)
    assert tuple(cut[40, 60]) == (*photo[40, 60], 255) and tuple(cut[40, 61]) == (*photo[40, 61], 128)
    assert np.count_nonzero(cut.any(axis=2)) == 2


def test_specks_are_no_part_of_the_object(red, photo):
    marked = photo.copy()
    marked[19:21, 39:41] = (220, 30, 40)
    mask, solid = found(red, marked, BOX)
    assert solid[40, 60] and not solid[17:23, 37:43].any()
    assert mask[40, 60] == 1 and not mask[17:23, 37:43].any()
    assert (mask >= 0.5)[solid].all()


def test_a_box_without_an_object_is_told(red, background):
    with pytest.raises(EditError, match="no object was found in the box 10,10,40,50"):
        compose_photos(red, background, (10, 10, 50, 60), background, (50, 50))


def test_boxes_and_places_that_will_not_do(red, photo, background):
    with pytest.raises(InputError, match="does not lie inside the photo of 120x90"):
        compose_photos(red, photo, (38, 18, 121, 62), background, (50, 50))
    with pytest.raises(EditError, match="lies outside the picture"):
        compose_photos(red, photo, BOX, background, (400, 50))
    with pytest.raises(EditError, match="scale 0"):
        compose_photos(red, photo, BOX, background, (50, 50), scale=0.0)


def large_and_small() -> tuple[tuple[np.ndarray, np.ndarray], tuple[tuple[int, int, int, int], ...]]:
    """A photo with a disc of radius 20, a larger one with a disc of radius 30, and their boxes."""
    one, two = photo_with_disc((90, 120), (60, 40), 20)[0], photo_with_disc((140, 150), (80, 95), 30)[0]
    return (one, two), ((40, 20, 81, 61), (50, 65, 111, 126))


@pytest.mark.parametrize("filling", ["canvas", "network"])
def test_swapped_objects_take_each_others_place_and_height(red, filling):
    photos, boxes = large_and_small()
    for photo, box, made in zip(photos, boxes, swap_photos(red, photos, boxes, filling=filling), strict=True):
        assert made.picture.shape == photo.shape
        assert np.allclose(box_of_red(made.picture), box, atol=2)
        untouched = (made.target == 0) & (made.inpainted == photo).all(axis=2)
        assert np.array_equal(made.picture[untouched], photo[untouched]) and untouched.mean() > 0.6
        assert made.mask.shape == photo.shape[:2] and made.cut_out.shape[:2] == photo.shape[:2]


def test_a_long_object_in_a_high_place_gets_no_wider_than_the_photo(red):
    long, high = (np.full((90, 120, 3), 100, np.uint8) for _ in range(2))
    long[50:62, 10:110] = high[30:60, 50:70] = (220, 30, 40)
    one, two = swap_photos(red, (long, high), ((10, 50, 110, 62), (50, 30, 70, 60)), enhance=False)
    assert np.allclose(box_of_red(two.picture), (0, 60 - 14, 120, 60), atol=2)
    assert np.allclose(box_of_red(one.picture), (60 - 4, 50, 60 + 4, 62), atol=2)


def test_swapping_twice_brings_the_objects_back(red):
    photos, boxes = large_and_small()
    once = swap_photos(red, photos, boxes, enhance=False)
    twice = swap_photos(red, (once[0].picture, once[1].picture), boxes, enhance=False)
    for photo, made in zip(photos, twice, strict=True):
        assert (is_red(made.picture) != is_red(photo)).mean() < 0.02
        assert np.abs(made.picture.astype(int) - photo).mean() < 8


def test_a_photo_swapped_with_itself_keeps_its_object(red, photo):
    made = swap_photos(red, (photo, photo), (BOX, BOX), enhance=False)
    solid = made[0].mask > 0.9
    assert np.abs(made[0].picture.astype(int) - photo)[solid].mean() < 3
    assert np.array_equal(made[0].picture, made[1].picture)
