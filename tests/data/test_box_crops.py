"""Crops from boxes: what they hold, that no mask gets through, that they depend on (seed, index) alone."""

from __future__ import annotations

import numpy as np
import pytest

from scenebrush.data.box_crops import (
    BoxCrops,
    BoxedObject,
    BoxedPhoto,
    MeasuringCrops,
    box_plane,
    boxed_photos,
    fits,
    made_up_shape,
    object_window,
)
from scenebrush.data.split_in_memory import LabelledPhoto, SplitInMemory
from scenebrush.errors import InputError, LabelError
from scenebrush.scene.label_set import LabelSet

CAMVID = LabelSet.load("camvid")
CAR, ROAD = (next(c.id for c in CAMVID.classes if c.name == name) for name in ("car", "road"))
RED = np.array([250, 10, 10], np.uint8)


def photo_with(*objects: tuple[int, int, int, int], round_: bool = True, number: int = 0) -> LabelledPhoto:
    """A noisy grey photo of 160x120 with a red disc (or, not round, its filled box) for each box; discs are cars."""
    rng = np.random.default_rng(number)
    pixels = rng.integers(90, 140, (120, 160, 3)).astype(np.uint8)
    labels, instances = np.full((120, 160), ROAD, np.uint8), np.zeros((120, 160), np.uint8)
    y, x = np.mgrid[:120, :160] + 0.5
    for count, (x0, y0, x1, y1) in enumerate(objects, 1):
        inside = np.hypot((x - (x0 + x1) / 2) * 2 / (x1 - x0), (y - (y0 + y1) / 2) * 2 / (y1 - y0)) <= 1
        pixels[inside] = RED
        shown = inside if round_ else (x > x0) & (x < x1) & (y > y0) & (y < y1)
        labels[shown], instances[shown] = CAR, count
    return LabelledPhoto(f"p{number}", pixels, labels, instances)


BOXES = [((20, 30, 60, 70), (100, 40, 140, 80)), ((60, 60, 110, 100),), ()]


def split(*, round_: bool = True) -> SplitInMemory:
    photos = [photo_with(*boxes, round_=round_, number=i) for i, boxes in enumerate(BOXES)]
    return SplitInMemory.of(photos, CAMVID)


def pairs(photos: SplitInMemory, count: int = 12, **settings):
    crops = BoxCrops(boxed_photos(photos, ["car"]), size=48, **settings)
    return [crops[i] for i in range(count)]


def same(a, b) -> bool:
    planes = [(p.object.photo, p.object.box, p.background, p.shape) for p in (a, b)]
    return all(np.array_equal(x, y) for x, y in zip(*planes, strict=True))


def test_no_mask_gets_through():
    """With every object's mask replaced by its filled box the stream is the same, bit for bit."""
    with_masks, with_boxes = split(), split(round_=False)
    assert any(
        (a.instance_map != b.instance_map).any() for a, b in zip(with_masks.photos, with_boxes.photos, strict=True)
    )
    for one, other in zip(pairs(with_masks, color_jitter=0.1), pairs(with_boxes, color_jitter=0.1), strict=True):
        assert same(one, other)


def test_a_pair_depends_on_seed_and_index_alone():
    forwards, crops = pairs(split(), seed=3), BoxCrops(boxed_photos(split(), ["car"]), size=48, seed=3)
    for index in (7, 2, 11):
        assert same(crops[index], forwards[index])
    assert not same(forwards[0], pairs(split(), 1, seed=4)[0])


def test_the_box_holds_the_object_and_the_background_none():
    for pair in pairs(split()):
        red = (pair.object.photo[..., 0] > 200) & (pair.object.photo[..., 1] < 60)
        rows, columns = np.flatnonzero(pair.object.box.any(1)), np.flatnonzero(pair.object.box.any(0))
        inside = np.zeros_like(red)
        inside[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
        assert np.array_equal(inside, pair.object.box)  # a filled rectangle
        assert red[pair.object.box].mean() == pytest.approx(np.pi / 4, abs=0.08)
        assert not (pair.background[..., 0] > 200).any()
        assert pair.object.photo.shape == pair.background.shape == (48, 48, 3)


def test_no_background_overlaps_a_box_of_the_chosen_classes():
    crops = BoxCrops(boxed_photos(split(), ["car"]), size=48)
    rng = np.random.default_rng(0)
    for photo, boxed in crops.objects * 8:
        place, other = crops._background(rng, photo.size, object_window(boxed.box, photo.size, 1.6))
        covered = np.zeros(other.photo.shape[:2], bool)
        for one in other.boxes:
            covered[one.box[1] : one.box[3], one.box[0] : one.box[2]] = True
        assert not covered[place[1] : place[3], place[0] : place[2]].any()


def test_made_up_shapes_lie_inside_the_box_and_differ():
    box = np.zeros((40, 40), bool)
    box[5:30, 10:22] = True
    shapes = [made_up_shape(np.random.default_rng(i), box) for i in range(20)]
    assert all(not (s & ~box).any() and 0.2 < s.sum() / box.sum() < 1 for s in shapes)
    assert len({s.tobytes() for s in shapes}) == 20


def test_a_window_is_moved_into_the_photo():
    assert object_window((0, 0, 40, 20), (160, 120), 1.5) == (0, 0, 60, 60)
    assert object_window((100, 80, 160, 120), (160, 120), 1.5) == (70, 30, 160, 120)
    assert object_window((10, 10, 110, 30), (160, 120), 1.6) == (0, 0, 120, 120)  # no larger than the photo


def test_the_plane_of_a_box_by_hand():
    plane = box_plane((14, 12, 18, 20), (10, 10, 20, 20), 5)  # two photo pixels a pixel: x 2 to 4, y 1 to 5
    expected = np.zeros((5, 5), bool)
    expected[1:5, 2:4] = True
    assert np.array_equal(plane, expected)
    assert box_plane((14, 14, 15, 15), (10, 10, 20, 20), 2).sum() == 1  # never empty


def test_objects_that_are_too_small_or_fill_the_photo_are_left_out():
    assert fits((0, 0, 24, 40), (160, 120), 24)
    assert not fits((0, 0, 23, 40), (160, 120), 24)
    assert not fits((0, 0, 110, 40), (160, 120), 24)
    with pytest.raises(InputError, match="none of 3 objects has sides of 60 pixels"):
        BoxCrops(boxed_photos(split(), ["car"]), least_side=60)


def test_a_photo_full_of_objects_has_no_background():
    photo = BoxedPhoto("full", np.zeros((100, 100, 3), np.uint8), (BoxedObject((0, 0, 100, 100), 1),) * 2)
    narrow = BoxedPhoto("narrow", photo.photo, (BoxedObject((30, 30, 60, 60), 1), BoxedObject((0, 0, 100, 100), 1)))
    with pytest.raises(InputError, match="hardly any photo has room"):
        BoxCrops([photo, narrow], size=32)[0]


def test_an_unknown_class_gets_the_nearest():
    with pytest.raises(LabelError, match=r"no class 'carr' \(did you mean 'car'\?\)"):
        boxed_photos(split(), ["carr"])


def test_what_is_no_instance_has_a_box_too():
    photo = photo_with((20, 30, 60, 70))
    photo.label_map[90:110, 100:130] = CAR  # a crowd
    (boxed,) = boxed_photos(SplitInMemory.of([photo], CAMVID), ["car"])
    assert {b.box for b in boxed.boxes} == {(20, 30, 60, 70), (100, 90, 130, 110)}


def test_things_are_what_is_learned_where_no_class_is_named():
    (boxed, *_) = boxed_photos(split())
    assert [b.class_id for b in boxed.boxes] == [CAR, CAR]


def test_measuring_crops_have_true_masks():
    crops = MeasuringCrops(split(), ["car"], size=48)
    assert len(crops) == 3
    for i in range(3):
        measured = crops[i]
        red = (measured.crop.photo[..., 0] > 200) & (measured.crop.photo[..., 1] < 60)
        assert (red == measured.mask).mean() > 0.95 and not (measured.mask & ~measured.crop.box).any()
