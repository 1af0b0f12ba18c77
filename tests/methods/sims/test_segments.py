"""Segments of a layout: components, instances, what stands in front of others without splitting them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from scenebrush.methods.sims.segments import enlarged, segments_of, thin_ids
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout

CAMVID = LabelSet.load("camvid")
SKY, BUILDING, POLE, ROAD, CAR = (CAMVID.find(name).id for name in ("sky", "building", "pole", "road", "car"))
VOID = next((c.id for c in CAMVID.classes if c.kind == "void"), 255)


def picture(*boxes: tuple[int, int, int, int, int], size: tuple[int, int] = (20, 30)) -> np.ndarray:
    """Returns a label map of sky with boxes (class, x0, y0, x1, y1)."""
    labels = np.full(size, SKY)
    for class_id, x0, y0, x1, y1 in boxes:
        labels[y0:y1, x0:x1] = class_id
    return labels


def of_class(layout: Layout, class_id: int, **options: int) -> list[np.ndarray]:
    return [s.whole_mask(layout.shape) for s in segments_of(layout, **options) if s.class_id == class_id]


def test_a_pole_does_not_split_a_building_and_is_no_part_of_it() -> None:
    labels = picture((BUILDING, 4, 5, 24, 15), (POLE, 12, 0, 14, 20))
    layout = Layout(labels, CAMVID)
    assert [np.array_equal(one, labels == BUILDING) for one in of_class(layout, BUILDING)] == [True]
    assert [np.array_equal(one, labels == POLE) for one in of_class(layout, POLE)] == [True]
    assert len(of_class(layout, SKY)) == 1
    assert thin_ids(CAMVID) == [POLE, CAMVID.find("sign_symbol").id]


def test_what_is_held_together_by_poles_alone_is_cut() -> None:
    labels = picture((BUILDING, 4, 9, 6, 11), (BUILDING, 20, 9, 22, 11), (POLE, 6, 9, 20, 11))  # 8 pixels and 28
    parts = of_class(Layout(labels, CAMVID), BUILDING)
    assert sorted(int(part.sum()) for part in parts) == [4, 4]
    assert np.array_equal(np.logical_or.reduce(parts), labels == BUILDING)
    labels = picture((BUILDING, 0, 9, 6, 11), (BUILDING, 12, 9, 18, 11), (POLE, 6, 9, 12, 11))  # 24 pixels and 12
    assert len(of_class(Layout(labels, CAMVID), BUILDING)) == 1


def test_other_things_do_split() -> None:
    labels = picture((BUILDING, 4, 5, 24, 15), (CAR, 12, 0, 14, 20))
    assert len(of_class(Layout(labels, CAMVID), BUILDING)) == 2
    assert len(of_class(Layout(labels, CAMVID), SKY)) == 2


def test_corners_join() -> None:
    labels = picture((ROAD, 2, 2, 5, 5), (ROAD, 5, 5, 8, 8), (ROAD, 9, 2, 11, 5))
    assert sorted(int(part.sum()) for part in of_class(Layout(labels, CAMVID), ROAD)) == [6, 18]


def test_an_instance_is_one_segment_even_in_two_parts() -> None:
    labels = picture((CAR, 2, 5, 8, 9), (CAR, 8, 5, 14, 9), (CAR, 20, 5, 25, 9), (CAR, 27, 0, 29, 2))
    instances = np.zeros(labels.shape, int)
    instances[5:9, 2:8] = instances[5:9, 20:25] = 7
    instances[5:9, 8:14] = 2
    found = [s for s in segments_of(Layout(labels, CAMVID, instances)) if s.class_id == CAR]
    assert [(s.instance, s.area, s.box) for s in found] == [
        (2, 24, (8, 5, 14, 9)),
        (7, 44, (2, 5, 25, 9)),
        (0, 4, (27, 0, 29, 2)),
    ]
    assert len(of_class(Layout(labels, CAMVID), CAR)) == 3  # without numbers what touches is one


def test_the_unlabelled_is_no_segment_and_the_small_can_be_left_out() -> None:
    labels = picture((VOID, 0, 0, 30, 10), (CAR, 3, 12, 5, 14), (ROAD, 10, 12, 20, 18))
    layout = Layout(labels, CAMVID)
    assert {s.class_id for s in segments_of(layout)} == {SKY, CAR, ROAD}
    assert {s.class_id for s in segments_of(layout, least_area=5)} == {SKY, ROAD}
    assert {s.class_id for s in segments_of(layout, least_area=4)} == {SKY, CAR, ROAD}
    assert segments_of(Layout(np.full((4, 4), VOID), CAMVID)) == []
    assert segments_of(Layout(np.full((4, 4), -1), CAMVID)) == []


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_segments_are_disjoint_and_cover_what_is_labelled(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels = picture(size=(24, 32))
    instances = np.zeros(labels.shape, int)
    for number in range(1, 14):
        y, x, height, width = rng.integers((0, 0, 1, 1), (24, 32, 14, 14))
        labels[y : y + height, x : x + width] = rng.choice([ROAD, CAR, POLE, BUILDING, VOID])
        instances[y : y + height, x : x + width] = number * rng.integers(2)
    instances[labels != CAR] = 0
    layout = Layout(labels, CAMVID, instances if rng.integers(2) else None)
    found = segments_of(layout)
    covered = np.zeros(labels.shape, int)
    for segment in found:
        assert segment.mask.any(0)[[0, -1]].all() and segment.mask.any(1)[[0, -1]].all()  # the box is tight
        assert segment.area == segment.mask.sum()
        whole = segment.whole_mask(labels.shape)
        assert np.array_equal(whole[segment.window], segment.mask)
        assert (labels[whole] == segment.class_id).all()
        covered += whole
    assert np.array_equal(covered, (labels != VOID).astype(int))
    for segment in found:  # no segment is half of a component
        whole = segment.whole_mask(labels.shape)
        own = (labels == segment.class_id) & ((layout.instance_map == 0) if layout.instance_map is not None else True)
        if segment.instance == 0:
            numbers, _ = ndimage.label(own, np.ones((3, 3)))
            assert np.array_equal(whole, np.isin(numbers, np.unique(numbers[whole])))
        else:
            assert np.array_equal(whole, (instances == segment.instance) & (labels == segment.class_id))


def test_a_box_grows_to_both_sides_within_the_picture() -> None:
    assert enlarged((40, 20, 80, 36), (100, 200)) == (35, 18, 85, 38)
    assert enlarged((0, 20, 80, 100), (100, 85)) == (0, 10, 85, 100)
    assert enlarged((3, 3, 4, 4), (9, 9)) == (3, 3, 4, 4)
    assert enlarged((40, 20, 80, 36), (100, 200), 1.0) == (20, 12, 100, 44)
