"""Training canvases: of each segment what a donor covers, real pixels, elided bands, unknown neighbours."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from scenebrush.canvas.collage import MISSING, boundary_band
from scenebrush.data.split_in_memory import LabelledPhoto, SplitInMemory
from scenebrush.data.toy import write_toy_folder
from scenebrush.methods.sims.config import SimsConfig
from scenebrush.methods.sims.training_canvas import (
    Donor,
    DonorShapes,
    Spoilt,
    classes_with_unknown,
    shown,
    spoil,
)
from scenebrush.scene.label_set import LabelSet

CAMVID = LabelSet.load("camvid")
SKY, ROAD, CAR = (CAMVID.find(name).id for name in ("sky", "road", "car"))
PLAIN = SimsConfig(num_classes=12, least_area=0.002, transfer_share=0.0, label_noise=0.0, donors=20)
SIZE = (96, 128)
WHOLE = (0, 0, 128, 96)


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> SplitInMemory:
    folder = write_toy_folder(tmp_path_factory.mktemp("streets"), 6, "train", size=(128, 96), seed=4)
    return SplitInMemory(folder, "train")


@pytest.fixture(scope="module")
def shapes(streets: SplitInMemory) -> DonorShapes:
    return DonorShapes(streets, PLAIN.least_area)


def spoilt(shapes: DonorShapes, config: SimsConfig, index: int = 0, seed: int = 0) -> Spoilt:
    return spoil(shapes, index, config, np.random.default_rng(seed), WHOLE)


def owner_of(shapes: DonorShapes, one: Spoilt, index: int) -> np.ndarray:
    """Returns the number of the segment at each pixel that is present."""
    owner = np.full(SIZE, MISSING)
    for number, segment in enumerate(shapes.segments[index]):
        owner[segment.whole_mask(SIZE) & one.present] = number
    return owner


def split_of(*label_maps: np.ndarray) -> SplitInMemory:
    """Returns photos of label maps: grey of the class times 20, the photo's number in the red channel."""
    photos = []
    for number, labels in enumerate(label_maps):
        pixels = np.repeat((labels * 20)[..., None], 3, -1).astype(np.uint8)
        pixels[..., 0] = number
        photos.append(LabelledPhoto(str(number), pixels, labels.astype(np.uint8), np.zeros(labels.shape, np.uint8)))
    return SplitInMemory.of(photos, CAMVID)


def test_the_canvas_is_the_photos_own_within_segments_and_within_some_donors(shapes: DonorShapes) -> None:
    for index in range(3):
        one, photo = spoilt(shapes, PLAIN, index), shapes.photos[index]
        assert np.array_equal(one.color, photo.photo)
        assert not one.unknown.any()
        assert 0.3 < one.present.mean() < 1
        assert not (one.elided & ~one.present).any()
        for number, segment in enumerate(shapes.segments[index]):
            kept = one.present & segment.whole_mask(SIZE)
            donors = [
                other.whole_mask(SIZE)
                for at, found in enumerate(shapes.segments)
                for other in found
                if at != index and other.class_id == segment.class_id
            ]
            stencils = [donor & segment.whole_mask(SIZE) for donor in donors]
            assert any(np.array_equal(kept, s) for s in stencils) or not kept.any(), number
        covered = np.logical_or.reduce([s.whole_mask(SIZE) for s in shapes.segments[index]])
        assert not (one.present & ~covered).any()


def test_with_many_donors_the_best_one_stencils() -> None:
    labels = np.full(SIZE, SKY)
    labels[40:60, 30:60] = CAR
    near, far = np.full(SIZE, SKY), np.full(SIZE, SKY)
    near[42:60, 34:64] = CAR
    far[10:20, 100:120] = CAR
    shapes = DonorShapes(split_of(labels, near, far), 0.0)
    one = spoilt(shapes, replace(PLAIN, donors=200))
    assert np.array_equal(one.present & (labels == CAR), (labels == CAR) & (near == CAR))
    best = shapes.best_of(np.random.default_rng(0), Donor(0, 1), 200)
    assert best == Donor(1, 1)


def test_no_photo_is_its_own_donor(shapes: DonorShapes) -> None:
    rng = np.random.default_rng(0)
    for photo, found in enumerate(shapes.segments):
        for number, segment in enumerate(found):
            donor = shapes.best_of(rng, Donor(photo, number), 30)
            if donor is not None:
                assert donor.photo != photo
                assert shapes.segments[donor.photo][donor.segment].class_id == segment.class_id
    alone = DonorShapes(split_of(np.full(SIZE, SKY), np.full(SIZE, ROAD)), 0.0)
    assert alone.best_of(rng, Donor(0, 0), 30) is None
    assert not spoilt(alone, PLAIN).present.any()  # nobody to stencil with: left to the network


def test_donors_of_another_size_are_stretched() -> None:
    small = np.full((48, 64), SKY)
    small[24:] = ROAD
    large = np.full(SIZE, SKY)
    large[40:] = ROAD
    one = spoilt(DonorShapes(split_of(large, small), 0.0), PLAIN)
    wanted = np.ones(SIZE, bool)
    wanted[40:48] = False  # road, where the small photo's sky still is
    assert np.array_equal(one.present, wanted)


def test_elided_is_the_share_asked_for_of_the_band(shapes: DonorShapes) -> None:
    for share in (0.0, 0.3, 1.0):
        config = replace(PLAIN, elision_share=share)
        one = spoilt(shapes, config)
        band = boundary_band(owner_of(shapes, one, 0), config.elision_band * SIZE[0]) & one.present
        assert band.sum() > 500 and not (one.elided & ~band).any()
        assert one.elided.sum() / band.sum() == pytest.approx(share, abs=0.06)


def test_transferred_colours_are_a_segments_own_affair(shapes: DonorShapes) -> None:
    one, photo = spoilt(shapes, replace(PLAIN, transfer_share=1.0)), shapes.photos[0]
    changed = (one.color != photo.photo).any(-1)
    covered = np.logical_or.reduce([s.whole_mask(SIZE) for s in shapes.segments[0]])
    assert changed[covered].mean() > 0.5
    assert not changed[~covered].any()
    some = spoilt(shapes, replace(PLAIN, transfer_share=0.4), seed=3)
    whole = [(some.color != photo.photo).any(-1)[s.whole_mask(SIZE)].any() for s in shapes.segments[0]]
    assert any(whole) and not all(whole)


def test_transferred_colours_are_the_donors() -> None:
    labels = np.full(SIZE, ROAD)
    split = split_of(labels, labels)
    rng = np.random.default_rng(0)
    split.photos[0].photo[:] = rng.normal((80, 90, 100), 10, (*SIZE, 3)).clip(0, 255)
    split.photos[1].photo[:] = rng.normal((150, 60, 120), (5, 20, 10), (*SIZE, 3)).clip(0, 255)
    one = spoilt(DonorShapes(split, 0.0), replace(PLAIN, transfer_share=1.0))
    pixels, wanted = one.color.reshape(-1, 3), split.photos[1].photo.reshape(-1, 3)
    assert pixels.mean(0) == pytest.approx(wanted.mean(0), abs=2)
    assert pixels.std(0) == pytest.approx(wanted.std(0), abs=2)


def test_label_noise_makes_neighbours_unknown_never_the_segment_itself() -> None:
    labels = np.full(SIZE, CAMVID.find("void").id)
    labels[20:70, 30:100] = CAR
    other = np.where(np.roll(labels, 5, 1) == CAR, CAR, labels)
    shapes = DonorShapes(split_of(labels, other), 0.0)
    one = spoilt(shapes, replace(PLAIN, label_noise=2.5))
    assert not one.unknown[labels == CAR].any()
    jutting = (other == CAR) & (labels != CAR)
    assert np.array_equal(one.unknown, jutting)  # the turned mask is cut off at its box, which is all car
    assert not spoilt(shapes, PLAIN).unknown.any()


def test_label_noise_stays_near_what_is_there(shapes: DonorShapes) -> None:
    one = spoilt(shapes, replace(PLAIN, label_noise=2.5))
    assert 0 < one.unknown.mean() < 0.5


def test_the_same_draws_give_the_same_canvas(shapes: DonorShapes) -> None:
    config = replace(PLAIN, transfer_share=0.5, label_noise=2.5)
    one, again, other = (spoilt(shapes, config, seed=seed) for seed in (5, 5, 6))
    assert all(np.array_equal(a, b) for a, b in zip(vars(one).values(), vars(again).values(), strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(vars(one).values(), vars(other).values(), strict=True))
    assert not np.may_share_memory(one.color, shapes.photos[0].photo)


def test_only_the_part_looked_at_is_made(shapes: DonorShapes) -> None:
    part = spoil(shapes, 0, PLAIN, np.random.default_rng(0), (0, 60, 128, 96))
    away = [s for s in shapes.segments[0] if s.box[3] <= 60]
    assert away
    assert not any((part.present & s.whole_mask(SIZE)).any() for s in away)
    assert part.present[60:].mean() > 0.3


def test_a_cut_is_the_same_part_of_everything(shapes: DonorShapes) -> None:
    one = spoilt(shapes, replace(PLAIN, label_noise=2.5))
    box = (32, 16, 96, 64)
    cut, flipped = one.cut(box, (64, 48)), one.cut(box, (64, 48), flip=True)
    for name, plane in vars(one).items():
        assert np.array_equal(getattr(cut, name), plane[16:64, 32:96]), name
        assert np.array_equal(getattr(flipped, name), getattr(cut, name)[:, ::-1]), name
    half = one.cut(box, (32, 24))
    assert half.color.shape == (24, 32, 3)
    assert half.present.shape == half.elided.shape == half.unknown.shape == (24, 32)
    assert np.array_equal(half.present, one.present[17:64:2, 33:96:2])


def test_what_the_network_is_shown() -> None:
    color = np.full((2, 3, 3), 70, np.uint8)
    present = np.array([[True, True, False], [True, False, False]])
    elided = np.array([[True, False, True], [False, False, False]])
    canvas, seen = shown(color, present, elided, white=True)
    assert np.array_equal(canvas[..., 0], [[255, 70, 0], [70, 0, 0]]) and np.array_equal(seen, present)
    canvas, seen = shown(color, present, elided, white=False)
    assert np.array_equal(canvas[..., 0], [[0, 70, 0], [70, 0, 0]])
    assert np.array_equal(seen, [[False, True, False], [True, False, False]])


def test_unknown_and_unlabelled_are_one_class_more() -> None:
    labels, unknown = np.array([[0, 3, 255]]), np.array([[True, False, False]])
    assert classes_with_unknown(labels, unknown, 12).tolist() == [[12, 3, 12]]


def test_small_segments_are_left_out(streets: SplitInMemory) -> None:
    few = DonorShapes(streets, 0.05)
    assert all(s.area >= 0.05 * SIZE[0] * SIZE[1] for found in few.segments for s in found)
    assert sum(map(len, few.segments)) < sum(len(found) for found in DonorShapes(streets, 0.0).segments)
    none = DonorShapes(streets, 1.0)
    assert not any(none.segments) and not spoilt(none, PLAIN).present.any()


def test_the_band_is_no_wider_than_asked(shapes: DonorShapes) -> None:
    config = replace(PLAIN, elision_share=1.0, elision_band=3 / SIZE[0])
    one = spoilt(shapes, config)
    owner = owner_of(shapes, one, 0)
    inner = np.ones(SIZE, bool)
    for number in np.unique(owner):
        inner &= ~((owner == number) & ~ndimage.binary_erosion(owner == number, np.ones((7, 7)), border_value=1))
    assert not (one.elided & inner).any()
