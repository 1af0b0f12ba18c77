"""Objects at points and of classes, against a flood fill written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from scenebrush.errors import EditError, LabelError
from scenebrush.scene import Layout, object_at, objects_of
from scenebrush.scene.objects import bounding_box, connected_objects, new_instance, things_within
from tests.scene.random_scenes import CAR, PERSON, ROAD, SMALL


def _flood(labels: np.ndarray, numbers: np.ndarray, row: int, column: int) -> np.ndarray:
    """The 8-connected pixels with the start's class and no instance."""
    found, open_ = np.zeros(labels.shape, bool), [(row, column)]
    while open_:
        r, c = open_.pop()
        inside = 0 <= r < labels.shape[0] and 0 <= c < labels.shape[1]
        if not inside or found[r, c] or labels[r, c] != labels[row, column] or numbers[r, c]:
            continue
        found[r, c] = True
        open_ += [(r + i, c + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return found


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), with_instances=st.booleans())
def test_object_at_is_the_flood_fill(seed: int, with_instances: bool) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.choice([ROAD, CAR], (9, 11))
    numbers = (
        np.where((labels == CAR) & (rng.random((9, 11)) < 0.3), 1, 0) if with_instances else np.zeros((9, 11), int)
    )
    layout = Layout(labels, SMALL, numbers if with_instances else None)
    row, column = int(rng.integers(9)), int(rng.integers(11))
    found = object_at(layout, (column, row))
    assert found.class_id == labels[row, column] and found.instance == numbers[row, column]
    expected = numbers == 1 if numbers[row, column] else _flood(labels, numbers, row, column)
    np.testing.assert_array_equal(found.mask, expected)


def test_objects_of_a_class_and_things_within_cover_it_once() -> None:
    labels = np.full((10, 12), ROAD)
    labels[1:3, 1:3] = labels[3:5, 3:5] = CAR  # touch at a corner: one component
    labels[7:9, 1:9] = CAR
    numbers = np.zeros_like(labels)
    numbers[7:9, 1:5], numbers[7:9, 5:9] = 4, 2
    layout = Layout(labels, SMALL, numbers)
    found = list(objects_of(layout, "car"))
    assert [(o.instance, int(o.mask.sum())) for o in found] == [(2, 8), (4, 8), (0, 8)]
    assert found[0].box == (5, 7, 4, 2)
    within = list(things_within(layout, np.ones_like(labels, bool)))
    np.testing.assert_array_equal(sum(m.astype(int) for m in within), labels == CAR)
    assert len(within) == 3
    assert list(objects_of(layout, "person")) == []
    with pytest.raises(LabelError, match="did you mean 'person'"):
        next(objects_of(layout, "pirson"))


@pytest.mark.parametrize("at", [(1,), (1, 2, 3), "1,2", (float("nan"), 1), (1, float("inf"))])
def test_what_is_no_point(at: object) -> None:
    with pytest.raises(EditError, match=r"point .* will not do; give \(x, y\), two numbers"):
        object_at(Layout(np.zeros((10, 12), int), SMALL), at)  # type: ignore[arg-type]


@pytest.mark.parametrize("at", [(12, 0), (-1, 0), (0, 10), (0, -0.5)])
def test_point_outside(at: tuple[float, float]) -> None:
    with pytest.raises(EditError, match=r"lies outside the picture of 12x10; x goes from 0 to 11, y from 0 to 9"):
        object_at(Layout(np.full((10, 12), ROAD), SMALL), at)


def test_bounding_box_and_new_instance() -> None:
    mask = np.zeros((6, 7), bool)
    mask[2:5, 3] = True
    assert bounding_box(mask) == (3, 2, 1, 3)
    with pytest.raises(EditError, match="empty"):
        bounding_box(np.zeros((3, 3), bool))
    labels = np.full((2, 2), PERSON)
    assert new_instance(Layout(labels, SMALL)) == 0
    assert new_instance(Layout(labels, SMALL, np.array([[0, 7], [3, 3]]))) == 8


def _connected_class_by_class(label_map: np.ndarray, least: int) -> np.ndarray:
    """The definition: each thing class labelled by itself, each component looked at by itself."""
    instance_map, count = np.zeros(label_map.shape, np.int32), 0
    for class_id in SMALL.of_kind("thing"):
        components, number = ndimage.label(label_map == class_id, np.ones((3, 3)))
        for component in range(1, number + 1):
            if (components == component).sum() >= least:
                count += 1
                instance_map[components == component] = count
    return instance_map


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), least=st.integers(1, 9), smooth=st.integers(1, 3))
def test_connected_objects_are_those_of_each_class_by_itself(seed: int, least: int, smooth: int) -> None:
    ids = [c.id for c in SMALL.classes]
    label_map = ndimage.median_filter(np.random.default_rng(seed).choice(ids, (17, 23)), smooth)
    found = connected_objects(label_map, SMALL, least=least)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, _connected_class_by_class(label_map, least))


def test_a_picture_without_things_has_no_objects() -> None:
    assert not connected_objects(np.full((5, 6), ROAD), SMALL).any()
