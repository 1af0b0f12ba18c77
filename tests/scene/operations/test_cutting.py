"""Objects cut out of boxes of other photos: what holds whatever the cutter says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scenebrush.errors import EditError, ModelError
from scenebrush.scene import Layout, PhotoFile, Scene, Segment
from scenebrush.scene.files import mixed_instances
from scenebrush.scene.operations.cutting import Corners, cut_out, has_labels, thing_in
from tests.scene.random_scenes import BUILDING, CAR, PERSON, ROAD, SMALL, flat_scene, scenes

quick = settings(max_examples=60, deadline=None)


class Noise:
    """A cutter that marks places at random, inside the box and out; it remembers what it was asked."""

    def __init__(self, seed: int) -> None:
        self.seed, self.asked = seed, list[Corners]()
        self.soft = np.zeros((0, 0))

    def __call__(self, photo: np.ndarray, box: Corners) -> np.ndarray:
        self.asked.append(box)
        self.soft = np.random.default_rng(self.seed).random(photo.shape[:2])
        if self.seed % 3 == 0:  # half of them hang together more
            self.soft = np.sqrt(self.soft)
        return self.soft


def photo_without_labels(height: int = 20, width: int = 30) -> Scene:
    pixels = np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)
    return Scene.without_labels(PhotoFile(pixels))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Scene, Scene, tuple[int, int, int, int], Noise, tuple[int, int]]:
    """A scene, a photo without labels, a box in it, a cutter, and a place in the scene."""
    scene = draw(scenes())
    donor = photo_without_labels(draw(st.integers(1, 24)), draw(st.integers(1, 24)))
    height, width = donor.layout.shape
    box = (draw(st.integers(-3, width - 1)), draw(st.integers(-3, height - 1)))
    sides = draw(st.integers(1, 15)), draw(st.integers(1, 15))
    assume(box[0] + sides[0] > 0 and box[1] + sides[1] > 0)
    at = draw(st.integers(0, scene.layout.shape[1] - 1)), draw(st.integers(0, scene.layout.shape[0] - 1))
    return scene, donor, (*box, *sides), Noise(draw(st.integers(0, 99))), at


def expected_target(
    scene: Scene, donor: Scene, box: tuple[int, int, int, int], noise: Noise, at: tuple[int, int]
) -> np.ndarray:
    """Where the object has to lie, pixel by pixel, bool (H, W)."""
    soft = np.sqrt(noise_of(noise, donor)) if noise.seed % 3 == 0 else noise_of(noise, donor)
    height, width = donor.layout.shape
    marked = [
        (row, column)
        for row in range(max(box[1], 0), min(box[1] + box[3], height))
        for column in range(max(box[0], 0), min(box[0] + box[2], width))
        if soft[row, column] > 0.5
    ]
    target = np.zeros(scene.layout.shape, bool)
    if not marked:
        return target
    rows, columns = zip(*marked, strict=True)
    down = np.rint(at[1] - (min(rows) + max(rows)) / 2)
    right = np.rint(at[0] - (min(columns) + max(columns)) / 2)
    for row, column in marked:
        place = int(row + down), int(column + right)
        if 0 <= place[0] < target.shape[0] and 0 <= place[1] < target.shape[1]:
            target[place] = True
    return target


def noise_of(noise: Noise, donor: Scene) -> np.ndarray:
    return np.random.default_rng(noise.seed).random(donor.layout.shape)


@quick
@given(case=cases(), class_id=st.sampled_from([CAR, PERSON, BUILDING]))
def test_maps_are_true_whatever_the_cutter_says(case, class_id: int) -> None:
    scene, donor, box, noise, at = case
    target = expected_target(*case)
    assume(target.any())
    before = scene.layout
    labels, photo, theirs = before.label_map.copy(), scene.photo.copy(), donor.photo.copy()
    numbers = None if before.instance_map is None else before.instance_map.copy()
    edit = scene.add(class_id, segment=Segment.in_box(donor, box, noise), at=at)

    after = edit.layout
    np.testing.assert_array_equal(edit.carries[0].target, target)
    assert edit.hole[target].all()
    assert (after.label_map[target] == class_id).all()
    np.testing.assert_array_equal(after.label_map[~target], labels[~target])
    assert (after.instance_map is None) == (numbers is None)
    if after.instance_map is not None and numbers is not None:
        new = numbers.max() + 1 if SMALL.by_id[class_id].kind == "thing" else 0
        assert (after.instance_map[target] == new).all()
        np.testing.assert_array_equal(after.instance_map[~target], numbers[~target])
        assert mixed_instances(after.instance_map, after.label_map) == {}
        assert not (SMALL.is_kind(after.label_map, "stuff") & (after.instance_map > 0)).any()
        np.testing.assert_array_equal(before.instance_map, numbers)
    np.testing.assert_array_equal(before.label_map, labels)
    np.testing.assert_array_equal(scene.photo, photo)
    np.testing.assert_array_equal(donor.photo, theirs)


@quick
@given(case=cases())
def test_the_cutter_is_asked_for_a_box_inside_the_photo(case) -> None:
    _, donor, box, noise, _ = case
    try:
        mask = cut_out(donor, box, noise)
    except EditError:
        assume(False)
        raise
    ((x0, y0, x1, y1),) = noise.asked
    height, width = donor.layout.shape
    assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height
    assert (x0, y0) == (max(box[0], 0), max(box[1], 0))
    outside = np.ones((height, width), bool)
    outside[y0:y1, x0:x1] = False
    assert mask.dtype == bool and not mask[outside].any()


def test_an_instance_that_is_covered_wholly_is_gone() -> None:
    donor = photo_without_labels()
    segment = Segment.in_box(donor, (5, 5, 14, 10), lambda photo, box: np.ones(photo.shape[:2]))
    after = flat_scene().add("person", segment=segment, at=(14.5, 14.5)).layout
    assert after.instance_map is not None
    assert set(np.unique(after.instance_map)) == {0, 2} and not (after.label_map == CAR).any()
    assert np.count_nonzero(after.instance_map == 2) == 140


def test_the_strip_under_its_foot_comes_along_as_shadow_and_may_be_left_out() -> None:
    donor = photo_without_labels()
    segment = Segment.in_box(donor, (5, 5, 10, 10), lambda photo, box: np.ones(photo.shape[:2]))
    with_shadow = flat_scene().add("person", segment=segment, at=(40, 20), dilate=0)
    (carry,) = with_shadow.carries
    expected = np.zeros((20, 30), bool)
    expected[15:17, 5:15] = True
    assert carry.shadow is not None
    np.testing.assert_array_equal(carry.shadow, expected)
    assert np.count_nonzero(with_shadow.hole) == 120
    without = flat_scene().add("person", segment=segment, at=(40, 20), dilate=0, shadow=0)
    assert without.carries[0].shadow is None and np.count_nonzero(without.hole) == 100


def test_the_shadow_falls_on_ground_alone() -> None:
    segment = Segment.in_box(photo_without_labels(), (5, 5, 10, 10), lambda photo, box: np.ones(photo.shape[:2]))
    edit = flat_scene(class_id=BUILDING).add("person", segment=segment, at=(40, 20), dilate=0)
    assert np.count_nonzero(edit.hole) == 100


def test_the_class_of_a_photo_without_labels_has_to_be_named() -> None:
    donor = photo_without_labels()
    assert not has_labels(donor.layout) and has_labels(flat_scene().layout)
    segment = Segment.in_box(donor, (5, 5, 10, 10), lambda photo, box: np.ones(photo.shape[:2]))
    with pytest.raises(EditError, match="needs the class"):
        flat_scene().add(segment=segment, at=(20, 20))


def test_the_class_under_a_mask_is_that_of_most_pixels_of_things() -> None:
    labels = np.full((10, 10), ROAD)
    labels[0, :3], labels[1, :2] = CAR, PERSON
    layout = Layout(labels, SMALL)
    assert thing_in(layout, np.ones((10, 10), bool)) == "car"
    assert thing_in(layout, np.arange(100).reshape(10, 10) % 10 < 2) == "car"
    labels[0, :2] = ROAD
    assert thing_in(Layout(labels, SMALL), np.ones((10, 10), bool)) == "person"
    with pytest.raises(EditError, match="no thing"):
        thing_in(layout, np.arange(100).reshape(10, 10) > 50)


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ((30, 1, 4, 4), r"box \[30, 1, 4, 4\] lies outside the photo, which is 30x20"),
        ((1, -9, 4, 4), "lies outside"),
        ((1, 1, 0, 4), r"box \[1, 1, 0, 4\] will not do"),
        ((1, 1, 4, -4), "will not do"),
        ((1, 1, 4), "will not do"),
    ],
)
def test_boxes_that_will_not_do(box: tuple[float, ...], message: str) -> None:
    noise = Noise(1)
    with pytest.raises(EditError, match=message):
        cut_out(photo_without_labels(), box, noise)
    assert noise.asked == []


@pytest.mark.parametrize("value", [0.0, 0.5, float("nan")])
def test_nothing_found(value: float) -> None:
    with pytest.raises(EditError, match=r"no object was found in box \[1, 1, 4, 4\]"):
        cut_out(photo_without_labels(), (1, 1, 4, 4), lambda photo, box: np.full(photo.shape[:2], value))


def test_a_cutter_that_returns_another_size_is_told() -> None:
    with pytest.raises(ModelError, match=r"returned \(4, 4\) for a photo of \(20, 30\)"):
        cut_out(photo_without_labels(), (1, 1, 4, 4), lambda photo, box: np.ones((4, 4)))
