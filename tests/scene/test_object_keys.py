"""Objects by class and number: who is where, who is new, what a preview shows."""

from __future__ import annotations

import numpy as np
import pytest

from scenebrush.errors import EditError
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.object_keys import added_key, key_at, mask_of, object_keys, preview_box
from scenebrush.scene.objects import numbered

SKY, ROAD, CAR, WALKER = 0, 3, 8, 9


@pytest.fixture
def layout() -> Layout:
    labels = np.full((6, 8), ROAD)
    labels[:2] = SKY
    labels[3, 1:3] = labels[3, 5:7] = CAR
    labels[5, 0] = WALKER
    return Layout(labels, LabelSet.load("camvid"))


def test_things_get_numbers_and_stuff_none(layout: Layout) -> None:
    found = numbered(layout)
    assert object_keys(found) == {(SKY, 0), (ROAD, 0), (CAR, 1), (CAR, 2), (WALKER, 3)}
    assert key_at(found, (6, 3)) == (CAR, 2) and mask_of(found, (CAR, 2)).sum() == 2


def test_numbers_that_are_there_stay(layout: Layout) -> None:
    numbers = np.zeros((6, 8), int)
    numbers[3, 5:7] = 7
    found = numbered(Layout(layout.label_map, layout.label_set, numbers))
    assert object_keys(found) == {(SKY, 0), (ROAD, 0), (CAR, 7), (CAR, 8), (WALKER, 9)}
    assert numbered(found) is found


def test_what_was_added_is_found(layout: Layout) -> None:
    before = numbered(layout)
    labels, numbers = before.label_map.copy(), before.instance_map.copy()
    labels[5, 3:6], numbers[5, 3:6] = CAR, 4
    after = Layout(labels, layout.label_set, numbers)
    assert added_key(before, after, "car") == (CAR, 4)
    with pytest.raises(EditError, match="'road' already; give that another style"):
        added_key(before, after, "road")


def test_a_preview_is_as_large_as_asked_and_inside() -> None:
    mask = np.zeros((50, 80), bool)
    mask[2:6, 60:70] = True
    assert preview_box(mask, 20) == (55, 0, 20, 20)
    assert preview_box(mask, 64) == (16, 0, 64, 50)
    assert preview_box(mask, 1) == (60, 2, 10, 4)
