"""What holds for every operation on every scene."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from scenebrush.errors import EditError
from scenebrush.scene import Edit, Layout, Scene, Segment, object_at
from scenebrush.scene.files import mixed_instances
from tests.scene.random_scenes import CAR, SMALL, flat_scene, scenes, thing_point

quick = settings(max_examples=25, deadline=None)
picks = st.integers(0, 2000)
steps = st.tuples(st.integers(-12, 12), st.integers(-12, 12))


def _mask(scene: Scene, pick: int) -> np.ndarray:
    height, width = scene.layout.shape
    mask = np.zeros((height, width), bool)
    row, column = pick % height, (pick // 7) % width
    mask[row : row + 1 + pick % 9, column : column + 1 + pick % 5] = True
    return mask


OPERATIONS: dict[str, Callable[[Scene, int], Edit]] = {
    "erase an object": lambda s, k: s.erase(at=thing_point(s, k)),
    "erase a class": lambda s, k: s.erase(class_=int(s.layout.label_map.max())),
    "erase a region": lambda s, k: s.erase(mask=_mask(s, k)),
    "erase to a class": lambda s, k: s.erase(at=thing_point(s, k), to="road"),
    "add a mask": lambda s, k: s.add("car", mask=_mask(s, k)),
    "add stuff": lambda s, k: s.add("building", mask=_mask(s, k)),
    "add a box behind": lambda s, k: s.add("person", box=(k % 20 - 3, k % 13 - 3, 7, 9), behind=True),
    "add a polygon": lambda s, k: s.add("car", polygon=[(1, 1), (6, 2), (3 + k % 5, 7)]),
    "add a segment": lambda s, k: s.add(segment=Segment.at(s, thing_point(s, k)), at=(k % 8, k % 7), scale=1.5),
    "move": lambda s, k: s.move(thing_point(s, k), (k % 9 - 4, k % 7 - 3)),
    "turn and flip": lambda s, k: s.move(thing_point(s, k), (1, 0), rotate=k % 90, flip=True, scale=(1.2, 0.8)),
    "move behind": lambda s, k: s.move(thing_point(s, k), (k % 9 - 4, 0), behind=True),
    "resize": lambda s, k: s.resize(thing_point(s, k), (1.5, 1)),
    "relabel": lambda s, k: s.relabel(thing_point(s, k), "person"),
    "relabel to stuff": lambda s, k: s.relabel(thing_point(s, k), "building"),
    "relabel stuff": lambda s, k: s.relabel((0, 0), "car"),
    "paint stuff": lambda s, k: s.paint("road", _mask(s, k)),
    "paint a thing": lambda s, k: s.paint("car", _mask(s, k)),
}


def _edited(name: str, scene: Scene, pick: int) -> Edit:
    try:
        return OPERATIONS[name](scene, pick)
    except EditError:
        assume(False)  # for instance moved out of the picture
        raise


@pytest.mark.parametrize("name", OPERATIONS)
@quick
@given(scene=scenes(), pick=picks)
def test_outside_the_hole_nothing_changes(name: str, scene: Scene, pick: int) -> None:
    edit = _edited(name, scene, pick)
    outside = ~edit.hole
    assert edit.hole.dtype == bool and edit.hole.shape == scene.layout.shape
    np.testing.assert_array_equal(edit.layout.label_map[outside], scene.layout.label_map[outside])
    if scene.layout.instance_map is not None:
        assert edit.layout.instance_map is not None
        np.testing.assert_array_equal(edit.layout.instance_map[outside], scene.layout.instance_map[outside])
    for carry in edit.carries:
        assert carry.target.any() and not (carry.target & outside).any()


@pytest.mark.parametrize("name", OPERATIONS)
@quick
@given(scene=scenes(), pick=picks)
def test_maps_never_disagree(name: str, scene: Scene, pick: int) -> None:
    layout = _edited(name, scene, pick).layout
    assert (layout.instance_map is None) == (scene.layout.instance_map is None)
    assert set(np.unique(layout.label_map)) <= set(SMALL.ids)
    if layout.instance_map is not None:
        assert mixed_instances(layout.instance_map, layout.label_map) == {}
        assert not (SMALL.is_kind(layout.label_map, "stuff") & (layout.instance_map > 0)).any()


@pytest.mark.parametrize("name", OPERATIONS)
@quick
@given(scene=scenes(), pick=picks)
def test_pure(name: str, scene: Scene, pick: int) -> None:
    labels, photo = scene.layout.label_map.copy(), scene.photo.copy()
    numbers = None if scene.layout.instance_map is None else scene.layout.instance_map.copy()
    first, second = _edited(name, scene, pick), _edited(name, scene, pick)
    np.testing.assert_array_equal(first.hole, second.hole)
    np.testing.assert_array_equal(first.layout.label_map, second.layout.label_map)
    np.testing.assert_array_equal(scene.layout.label_map, labels)
    np.testing.assert_array_equal(scene.photo, photo)
    if numbers is not None:
        np.testing.assert_array_equal(scene.layout.instance_map, numbers)


@quick
@given(scene=scenes(), pick=picks)
def test_after_erase_no_pixel_of_the_object_is_left(scene: Scene, pick: int) -> None:
    at = thing_point(scene, pick)
    found = object_at(scene.layout, at)
    edit = scene.erase(at=at)
    assert edit.hole[found.mask].all()
    assert not (edit.layout.label_map[found.mask] == found.class_id).any()
    if found.instance:
        assert edit.layout.instance_map is not None
        assert not (edit.layout.instance_map == found.instance).any()


@quick
@given(scene=scenes(), pick=picks)
def test_erase_touches_no_other_object(scene: Scene, pick: int) -> None:
    """...but one that surrounds it, which is left to its own test."""
    found = object_at(scene.layout, thing_point(scene, pick))
    edit = scene.erase(at=thing_point(scene, pick))
    thing = SMALL.is_kind(scene.layout.label_map, "thing")
    ring = ndimage.binary_dilation(found.mask, np.ones((3, 3)), iterations=4) & ~found.mask
    others = thing & ~found.mask
    assume(np.count_nonzero(others & ring) <= 0.4 * np.count_nonzero(ring))
    assert not (edit.hole & others).any()


@quick
@given(scene=scenes())
def test_after_erasing_a_class_none_of_it_is_left(scene: Scene) -> None:
    class_id = int(scene.layout.label_map.max())
    after = scene.erase(class_=class_id).layout.label_map
    assert not (after == class_id).any()


@quick
@given(scene=scenes(void=False), pick=picks, by=steps)
def test_there_and_back_restores_the_object(scene: Scene, pick: int, by: tuple[int, int]) -> None:
    """...and everything but what it covered at its other place."""
    at = thing_point(scene, pick)
    found = object_at(scene.layout, at)
    there = ndimage.shift(found.mask.astype(int), (by[1], by[0]), order=0) > 0
    assume(np.count_nonzero(there) == np.count_nonzero(found.mask))  # wholly inside
    thing = SMALL.is_kind(scene.layout.label_map, "thing")
    assume(not (ndimage.binary_dilation(there, np.ones((3, 3))) & thing & ~found.mask).any())  # covers, touches none
    away = scene.move(at, by)
    back = scene.apply(away, scene.photo).move((at[0] + by[0], at[1] + by[1]), (-by[0], -by[1]))
    untouched = ~there | found.mask
    np.testing.assert_array_equal(back.layout.label_map[untouched], scene.layout.label_map[untouched])
    if scene.layout.instance_map is not None:
        np.testing.assert_array_equal(back.layout.instance_map, scene.layout.instance_map)


@quick
@given(by=st.tuples(st.integers(-10, 40), st.integers(-12, 22)), instances=st.booleans())
def test_there_and_back_on_one_ground_restores_everything(by: tuple[int, int], instances: bool) -> None:
    scene = flat_scene(instances=instances)
    away = scene.move((12, 14), by)
    back = scene.apply(away, scene.photo).move((12 + by[0], 14 + by[1]), (-by[0], -by[1]))
    np.testing.assert_array_equal(back.layout.label_map, scene.layout.label_map)


@quick
@given(scene=scenes(), pick=picks)
def test_a_move_that_changes_nothing_has_no_hole(scene: Scene, pick: int) -> None:
    edit = scene.move(thing_point(scene, pick), (0, 0))
    assert not edit.hole.any() and edit.layout is scene.layout


@quick
@given(scene=scenes(), pick=picks)
def test_carried_pixels_are_where_the_matrix_says(scene: Scene, pick: int) -> None:
    at, by = thing_point(scene, pick), (pick % 5 - 2, pick % 3 - 1)
    assume(by != (0, 0))
    try:
        (carry,) = scene.move(at, by).carries
    except EditError:
        assume(False)
        raise
    rows, columns = np.nonzero(carry.target)
    sources = np.stack([columns - by[0], rows - by[1]])
    assert carry.mask[sources[1], sources[0]].all()
    mapped = carry.matrix @ np.vstack([sources, np.ones(len(rows))])
    np.testing.assert_allclose(mapped, np.stack([columns, rows]), atol=1e-9)


def test_erasing_one_of_two_touching_instances_leaves_the_other() -> None:
    scene = flat_scene()
    assert scene.layout.instance_map is not None
    labels, numbers = scene.layout.label_map.copy(), scene.layout.instance_map.copy()
    labels[12:18, 20:30], numbers[12:18, 20:30] = CAR, 2
    both = Scene(scene.photo, Layout(labels, SMALL, numbers))
    after = both.erase(at=(12, 14)).layout
    assert (after.label_map[12:18, 20:30] == CAR).all() and after.instance_map is not None
    assert (after.instance_map[12:18, 20:30] == 2).all()
