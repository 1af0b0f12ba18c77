"""The whole canvas of an edit: what is copied, what is carried, what is left to draw."""

from __future__ import annotations

import numpy as np
import pytest

from scenebrush.canvas import compose
from scenebrush.canvas.composing import _without
from scenebrush.data.toy import ToyWorld
from scenebrush.scene.edit import Edit
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene


@pytest.fixture(scope="module")
def scene() -> Scene:
    return ToyWorld(3, (160, 112)).scene()


@pytest.fixture(scope="module")
def car(scene: Scene) -> np.ndarray:
    """The largest object, bool (H, W)."""
    instances = scene.layout.instance_map
    assert instances is not None
    masks = [instances == number for number in np.unique(instances[instances > 0])]
    return max(masks, key=np.count_nonzero)


def point(mask: np.ndarray) -> tuple[int, int]:
    rows, columns = np.nonzero(mask)
    middle = len(rows) // 2
    return int(columns[middle]), int(rows[middle])


def test_erasing_leaves_the_rest_alone_and_carries_nothing(scene: Scene, car: np.ndarray) -> None:
    edit = scene.erase(at=point(car))
    canvas = compose(scene, edit)
    assert np.array_equal(canvas.photo[~edit.hole], scene.photo[~edit.hole])
    assert not canvas.carried.any()
    assert canvas.copied.any() and not canvas.copied[~edit.hole].any()


def test_moving_shows_the_object_at_its_new_place_only(scene: Scene, car: np.ndarray) -> None:
    edit = scene.move(point(car), by=(-25, 2))
    canvas = compose(scene, edit)
    target = edit.carries[0].target
    assert canvas.carried[target].all() and not canvas.carried[~edit.hole].any()
    assert not (canvas.carried & canvas.copied).any()
    assert np.array_equal(canvas.photo[~edit.hole], scene.photo[~edit.hole])
    rows, columns = np.nonzero(target & np.roll(car, (2, -25), (0, 1)))
    apart = np.abs(canvas.photo[rows, columns].astype(int) - scene.photo[rows - 2, columns + 25])
    assert np.median(apart) <= 1


def test_no_edit_no_change(scene: Scene) -> None:
    nothing = np.zeros(scene.layout.shape, bool)
    canvas = compose(scene, Edit(nothing, scene.layout))
    assert np.array_equal(canvas.photo, scene.photo)
    assert not canvas.copied.any() and not canvas.carried.any()


def test_what_the_hole_hides_changes_nothing(scene: Scene, car: np.ndarray) -> None:
    """Not when something is erased, nor when an object beside the hole lends its look to one inside of it."""
    rows, columns = np.nonzero(car)
    beside = np.zeros_like(car)  # as large as the car, next to it, and reaching into what lies around it
    shift = int(np.ptp(columns)) + 2
    shift = shift if columns.max() + shift < car.shape[1] else -shift
    inside = (columns + shift >= 0) & (columns + shift < car.shape[1])
    beside[rows[inside], columns[inside] + shift] = True
    asked = np.where(beside, scene.layout.label_map[car][0], scene.layout.label_map)
    for edit in (scene.erase(at=point(car)), Edit(beside & ~car, Layout(asked, scene.layout.label_set))):
        photo = scene.photo.copy()
        photo[edit.hole] = np.random.default_rng(1).integers(0, 256, (int(edit.hole.sum()), 3))
        first, second = (compose(one, edit, lend=True) for one in (scene, Scene(photo, scene.layout)))
        assert np.array_equal(first.photo[edit.hole], second.photo[edit.hole])
        assert np.array_equal(first.copied, second.copied)


def test_behind_a_carried_object_lies_the_nearest_stuff(scene: Scene) -> None:
    road, sky, car = (scene.layout.label_set.find(name).id for name in ("road", "sky", "car"))
    label_map = np.full((8, 8), sky)
    label_map[4:] = road
    carried = np.zeros((8, 8), bool)
    carried[3:7, 2:6] = True
    label_map[carried] = car
    behind = _without(Layout(label_map, scene.layout.label_set), carried).label_map
    assert set(np.unique(behind)) == {road, sky}
    assert behind[6, 3] == road and behind[3, 3] == sky


def test_where_all_is_things_the_layout_stays(scene: Scene) -> None:
    car = scene.layout.label_set.find("car").id
    layout = Layout(np.full((8, 8), car), scene.layout.label_set)
    assert _without(layout, np.ones((8, 8), bool)) is layout
