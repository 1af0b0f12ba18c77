"""Each operation on scenes with a known answer, and what each refuses."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from scenebrush.errors import EditError, LabelError
from scenebrush.scene import Edit, LabelSet, Layout, Scene, Segment
from scenebrush.scene.operations import dilate, find_shadow, ground_ids
from scenebrush.scene.operations.holes import default_rim
from scenebrush.scene.operations.warping import placement, warped
from tests.scene.random_scenes import BUILDING, CAR, PERSON, ROAD, SKY, SMALL, VOID, flat_scene

CAR_POINT = (12, 14)  # on the car of `flat_scene`, x 10-19, y 12-17


def _car(scene: Scene) -> np.ndarray:
    return scene.layout.label_map == CAR


def test_erase_an_object() -> None:
    scene = flat_scene()
    edit = scene.erase(at=CAR_POINT, shadow=0)
    assert (edit.layout.label_map == ROAD).all() and edit.layout.instance_map is not None
    assert not edit.layout.instance_map.any()
    np.testing.assert_array_equal(edit.hole, dilate(_car(scene), 2))


def test_erase_with_a_class_in_its_place() -> None:
    edit = flat_scene().erase(at=CAR_POINT, to="building")
    np.testing.assert_array_equal(edit.layout.label_map == BUILDING, _car(flat_scene()))


def test_erase_dilate_sets_the_rim() -> None:
    edit = flat_scene().erase(at=CAR_POINT, dilate=5, shadow=0)
    np.testing.assert_array_equal(edit.hole, dilate(_car(flat_scene()), 5))
    np.testing.assert_array_equal(flat_scene().erase(at=CAR_POINT, dilate=0, shadow=0).hole, _car(flat_scene()))


def test_erase_gives_unlabelled_seams_a_class() -> None:
    scene = flat_scene()
    labels = scene.layout.label_map.copy()
    labels[dilate(_car(scene), 1) & ~_car(scene)] = VOID
    after = Scene(scene.photo, Layout(labels, SMALL)).erase(at=CAR_POINT)
    assert (after.layout.label_map == ROAD).all()


def test_erase_a_region_does_not_bring_back_the_object_it_cuts() -> None:
    scene = flat_scene()
    region = np.zeros(scene.layout.shape, bool)
    region[10:20, 10:15] = True
    after = scene.erase(mask=region).layout
    assert (after.label_map[region] == ROAD).all() and (after.label_map[12:18, 15:20] == CAR).all()


def test_erase_stuff() -> None:
    scene = flat_scene(class_id=SKY)
    labels = scene.layout.label_map.copy()
    labels[20:] = ROAD
    after = Scene(scene.photo, Layout(labels, SMALL)).erase(at=(30, 30)).layout.label_map
    assert not (after == ROAD).any()


def test_erased_stuff_is_not_refilled_with_its_neighbours_of_the_same_class() -> None:
    labels = np.full((40, 60), SKY)
    labels[20:30, 10:20] = labels[20:30, 22:32] = BUILDING  # two pixels apart: two components
    after = Scene(np.zeros((40, 60, 3), np.uint8), Layout(labels, SMALL)).erase(at=(12, 22)).layout.label_map
    assert (after[20:30, 10:20] == SKY).all() and (after[20:30, 22:32] == BUILDING).all()


def test_erase_takes_unlabelled_pockets_along() -> None:
    scene = flat_scene()
    labels = np.full((40, 60), ROAD)
    labels[5:25, 5:30] = CAR
    labels[12:18, 12:22] = VOID  # too wide for the rim
    edit = Scene(scene.photo, Layout(labels, SMALL)).erase(at=(6, 6))
    assert (edit.layout.label_map == ROAD).all() and edit.hole[5:25, 5:30].all()


def _with_pocket() -> tuple[Scene, np.ndarray]:
    """A car of x 5-29, y 5-24, on road, with unlabelled pixels in its middle; and where the car is, these included."""
    labels, car = np.full((60, 80), ROAD), np.zeros((60, 80), bool)
    car[5:25, 5:30] = True
    labels[car] = CAR
    labels[12:18, 12:22] = VOID  # too wide for the rim
    return Scene(np.zeros((60, 80, 3), np.uint8), Layout(labels, SMALL)), car


def test_unlabelled_pockets_go_where_their_object_goes() -> None:
    scene, car = _with_pocket()
    there = np.roll(car, (20, 40), (0, 1))
    edit = scene.move((6, 6), (40, 20))
    np.testing.assert_array_equal(edit.carries[0].target, there)
    np.testing.assert_array_equal(edit.layout.label_map, np.where(there, CAR, ROAD))
    copied = scene.add(segment=Segment.at(scene, (6, 6)), at=(57, 34))
    np.testing.assert_array_equal(copied.carries[0].target, there)


def test_unlabelled_pockets_become_what_their_object_becomes() -> None:
    scene, car = _with_pocket()
    for edit in (scene.relabel((6, 6), "building"), scene.erase(at=(6, 6), to="building")):
        np.testing.assert_array_equal(edit.layout.label_map, np.where(car, BUILDING, ROAD))
        assert edit.hole[car].all()


def test_the_rim_reaches_into_what_the_object_lay_on() -> None:
    facades = LabelSet.load("street_facades")
    labels, numbers = np.full((40, 60), facades.find("facade").id), np.ones((40, 60), int)
    labels[10:20, 10:20], numbers[10:20, 10:20] = facades.find("window").id, 2
    scene = Scene(np.zeros((40, 60, 3), np.uint8), Layout(labels, facades, numbers))
    edit = scene.erase(at=(12, 12))
    np.testing.assert_array_equal(edit.hole, dilate(numbers == 2, 2))
    assert edit.layout.instance_map is not None and (edit.layout.instance_map == 1).all()
    np.testing.assert_array_equal(
        scene.move((12, 12), (20, 10)).hole,
        dilate(numbers == 2, 2) | dilate(np.roll(numbers == 2, (10, 20), (0, 1)), 2),
    )


def test_rim_grows_with_the_object_and_the_picture() -> None:
    small, large = np.zeros((360, 480), bool), np.zeros((3000, 4000), bool)
    small[:20, :20] = True
    large[:1500, :1500] = True
    assert default_rim(small) == 2 and default_rim(np.ones((360, 480), bool)) == 4 and default_rim(large) == 18


def test_dilate_is_a_disc() -> None:
    mask = np.zeros((9, 9), bool)
    mask[4, 4] = True
    rows, columns = np.mgrid[:9, :9]
    np.testing.assert_array_equal(dilate(mask, 3), (rows - 4) ** 2 + (columns - 4) ** 2 <= 9)


def _street_with_shadow() -> Scene:
    scene = flat_scene(60, 80)
    photo = scene.photo.copy()
    photo[18:20, 8:24] = 40  # dark ground below the car and beside it
    return Scene(photo, scene.layout)


def test_the_shadow_on_the_ground_is_found_and_erased() -> None:
    scene = _street_with_shadow()
    shadow = find_shadow(scene.photo, scene.layout, _car(scene), 0.5)
    assert shadow[18:20, 10:20].all() and shadow[18, 21] and not shadow[25:].any() and not shadow[:14].any()
    assert not (shadow & _car(scene)).any()
    assert (scene.erase(at=CAR_POINT, shadow=0.5).hole & shadow).sum() == shadow.sum()


def test_no_shadow_off_the_ground() -> None:
    scene = flat_scene(class_id=SKY)
    assert not find_shadow(scene.photo, scene.layout, _car(scene), 0.5).any()


def test_ground_by_name() -> None:
    names = {LabelSet.load("cocostuff").by_id[i].name for i in ground_ids(LabelSet.load("cocostuff"))}
    assert {"road", "floor-wood", "grass"} <= names and not {"wall-stone", "ceiling-tile", "sea", "sky-other"} & names


def test_add_in_a_mask_of_the_picture() -> None:
    scene, mask = flat_scene(), np.zeros((40, 60), bool)
    mask[25:30, 40:50] = True
    edit = scene.add("person", mask=mask)
    np.testing.assert_array_equal(edit.layout.label_map == PERSON, mask)
    assert edit.layout.instance_map is not None and (edit.layout.instance_map[mask] == 2).all()
    assert edit.hole[mask].all() and edit.carries == ()


@pytest.mark.parametrize("at", [(30, 20), (30.4, 19.6)])
def test_add_a_small_mask_at_a_point(at: tuple[float, float]) -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[3:8, 10:17] = 255  # 7 wide, 5 high; empty margins do not count
    after = flat_scene().add("car", mask=mask, at=at).layout.label_map
    assert (after[18:23, 27:34] == CAR).all() and np.count_nonzero(after == CAR) == 60 + 35


def test_add_a_polygon_and_a_box() -> None:
    scene = flat_scene()
    box = scene.add("building", box=(30, 5, 10, 4)).layout.label_map
    assert (box[5:9, 30:40] == BUILDING).all() and np.count_nonzero(box == BUILDING) == 40
    moved = scene.add("building", box=(0, 0, 11, 5), at=(35, 7)).layout.label_map
    assert (moved[5:10, 30:41] == BUILDING).all()
    polygon = scene.add("building", polygon=[(30, 20), (40, 20), (40, 30), (30, 30)]).layout.label_map
    assert (polygon[20:31, 30:41] == BUILDING).all() and np.count_nonzero(polygon == BUILDING) == 121
    placed = scene.add("building", polygon=[(0, 0), (10, 0), (10, 10), (0, 10)], at=(35, 25)).layout.label_map
    np.testing.assert_array_equal(placed, polygon)


def test_add_in_front_and_behind() -> None:
    scene = flat_scene()
    front = scene.add("person", box=(15, 10, 10, 10)).layout
    assert (front.label_map[10:20, 15:25] == PERSON).all()
    behind = scene.add("person", box=(15, 10, 10, 10), behind=True).layout
    assert (behind.label_map[12:18, 15:20] == CAR).all() and behind.label_map[11, 16] == PERSON
    for names in ("car", ["car"]):
        named = scene.add("person", box=(15, 10, 10, 10), behind=names).layout
        np.testing.assert_array_equal(named.label_map, behind.label_map)
    with pytest.raises(EditError, match="hidden behind"):
        scene.add("person", box=(12, 13, 3, 3), behind=True)


def test_add_is_cut_off_at_the_edge() -> None:
    after = flat_scene().add("car", box=(55, 35, 20, 20)).layout.label_map
    assert (after[35:, 55:] == CAR).all()


def test_add_a_segment_of_another_scene() -> None:
    scene, donor = flat_scene(class_id=BUILDING), flat_scene(50, 70)
    edit = scene.add(segment=Segment.at(donor, CAR_POINT), at=(40, 30))
    (carry,) = edit.carries
    assert carry.donor is donor and (carry.mask == _car(donor)).all()
    np.testing.assert_array_equal(carry.matrix, [[1, 0, 26], [0, 1, 16]])  # whole pixels: 14.5, 14.5 -> 40, 30
    assert (edit.layout.label_map[28:34, 36:46] == CAR).all() and (edit.hole & carry.target).sum() == 60
    assert edit.layout.instance_map is not None and (edit.layout.instance_map[28:34, 36:46] == 2).all()


def test_a_segment_keeps_its_class_by_name_or_takes_another() -> None:
    camvid = LabelSet.load("camvid")
    scene = Scene(np.zeros((40, 60, 3), np.uint8), Layout(np.full((40, 60), 3), camvid))
    segment = Segment.at(flat_scene(), CAR_POINT)
    assert (scene.add(segment=segment).layout.label_map[12:18, 10:20] == camvid.find("car").id).all()
    assert (scene.add("tree", segment=segment).layout.label_map[12:18, 10:20] == camvid.find("tree").id).all()
    person = Segment(flat_scene(), flat_scene().layout.label_map == CAR)
    object.__setattr__(person, "donor", flat_scene().apply(flat_scene().relabel(CAR_POINT, "person"), scene.photo))
    with pytest.raises(LabelError, match="no class 'person'"):
        scene.add(segment=person)


def test_move() -> None:
    scene = flat_scene()
    edit = scene.move(CAR_POINT, (20, 10), shadow=0)
    expected = np.full((40, 60), ROAD)
    expected[22:28, 30:40] = CAR
    np.testing.assert_array_equal(edit.layout.label_map, expected)
    np.testing.assert_array_equal(edit.layout.instance_map, (expected == CAR).astype(int))
    np.testing.assert_array_equal(edit.hole, dilate(_car(scene), 2) | dilate(expected == CAR, 2))
    (carry,) = edit.carries
    assert carry.donor is scene and (carry.target == (expected == CAR)).all()


def test_move_takes_the_shadow_along() -> None:
    scene = _street_with_shadow()
    edit = scene.move(CAR_POINT, (30, 20))
    (carry,) = edit.carries
    assert carry.shadow is not None and carry.shadow[18:20, 10:20].all()
    rows, columns = np.nonzero(carry.shadow)
    assert edit.hole[rows, columns].all() and edit.hole[rows + 20, columns + 30].all()


def test_resize_keeps_the_foot_on_the_ground() -> None:
    after = flat_scene().resize(CAR_POINT, 2).layout.label_map
    rows, columns = np.nonzero(after == CAR)
    assert rows.max() == 17 and rows.min() == 6 and columns.min() == 5 and columns.max() == 24


def test_resize_in_the_air_keeps_the_middle() -> None:
    after = flat_scene(class_id=SKY).resize(CAR_POINT, (1, 2)).layout.label_map
    rows, columns = np.nonzero(after == CAR)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (9, 20, 10, 19)


def test_flip_and_turn() -> None:
    labels = np.full((40, 60), SKY)
    labels[12:18, 10:20] = CAR
    labels[12:15, 10:15] = SKY  # the upper left is missing
    scene = Scene(np.zeros((40, 60, 3), np.uint8), Layout(labels, SMALL))
    flipped = scene.move((18, 13), flip=True).layout.label_map
    np.testing.assert_array_equal(flipped[12:18, 10:20], labels[12:18, 10:20][:, ::-1])
    turned = scene.move((18, 13), rotate=90).layout.label_map  # counter-clockwise as seen
    expected = np.full_like(labels, SKY)
    expected[10:20, 12:18] = np.rot90(labels[12:18, 10:20])
    np.testing.assert_array_equal(turned, expected)


def test_placement_maps_positions() -> None:
    mask = np.zeros((20, 20), bool)
    mask[4:9, 6:11] = True  # middle (8, 6)
    matrix = placement(mask, (3, 1), 2.0, rotate=90)
    np.testing.assert_allclose(matrix @ [8, 6, 1], [11, 7])
    np.testing.assert_allclose(matrix @ [10, 6, 1], [11, 7 - 4])  # right of the middle turns to above it
    foot = placement(mask, (0, 0), (1, 3), on_foot=True)
    np.testing.assert_allclose(foot @ [8, 8.5, 1], [8, 8.5])


def test_warped_area() -> None:
    mask = np.zeros((40, 40), bool)
    mask[10:20, 10:20] = True
    for scale in (0.5, 1.5, 2.0):
        area = warped(mask, placement(mask, (0, 0), scale, rotate=30), (40, 40)).sum()
        assert area == pytest.approx(100 * scale**2, rel=0.08)


def test_relabel() -> None:
    scene = flat_scene()
    thing = scene.relabel(CAR_POINT, "person").layout
    np.testing.assert_array_equal(thing.label_map == PERSON, _car(scene))
    np.testing.assert_array_equal(thing.instance_map, scene.layout.instance_map)
    stuff = scene.relabel(CAR_POINT, "building").layout
    assert stuff.instance_map is not None and not stuff.instance_map.any()
    back = scene.apply(scene.relabel(CAR_POINT, "building"), scene.photo).relabel(CAR_POINT, "car").layout
    assert back.instance_map is not None and (back.instance_map[12:18, 10:20] == 1).all()


def test_paint_changes_the_region_only() -> None:
    scene, mask = flat_scene(), np.zeros((40, 60), bool)
    mask[30:35, 5:55] = True
    edit = scene.paint("sky", mask)
    np.testing.assert_array_equal(edit.hole, mask)
    np.testing.assert_array_equal(edit.layout.label_map == SKY, mask)


def test_painted_over_objects_go_with_rim_and_shadow() -> None:
    scene = _street_with_shadow()
    edit = scene.paint("road", _car(scene))
    assert (edit.layout.label_map == ROAD).all()
    assert edit.hole[dilate(_car(scene), 2)].all() and edit.hole[18:20, 10:20].all()
    half = _car(scene)
    half[:, 15:] = False
    np.testing.assert_array_equal(scene.paint("road", half).hole, half)


def test_painting_on_grows_the_object() -> None:
    scene, mask = flat_scene(), np.zeros((40, 60), bool)
    mask[12:18, 18:25] = True
    grown = scene.paint("car", mask).layout.instance_map
    assert grown is not None and (grown[12:18, 10:25] == 1).all()
    mask[:, :20] = False
    apart = scene.paint("car", mask).layout.instance_map
    assert apart is not None and (apart[12:18, 20:25] == 2).all()


def test_edits_one_after_another() -> None:
    scene = flat_scene()
    first = scene.move(CAR_POINT, (20, 10))
    second = scene.apply(first, scene.photo).relabel((35, 25), "person")
    assert (second.layout.label_map[22:28, 30:40] == PERSON).all() and (second.layout.label_map == CAR).sum() == 0


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (lambda s: s.erase(), "erase takes one of"),
        (lambda s: s.erase(at=(1, 1), class_="car"), "erase takes one of"),
        (lambda s: s.erase(at=(60, 1)), r"point \(60, 1\) lies outside the picture of 60x40"),
        (lambda s: s.erase(class_="person"), "no 'person' in this scene; it has road, car"),
        (lambda s: s.erase(mask=np.zeros((40, 60))), "mask is empty"),
        (lambda s: s.erase(mask=np.ones((3, 3))), "mask is 3x3, the picture 60x40"),
        (lambda s: s.add("car"), "add takes one of"),
        (lambda s: s.add(box=(1, 1, 2, 2)), "add needs a class"),
        (lambda s: s.add("car", box=(1, 1, 0, 2)), "is empty"),
        (lambda s: s.add("car", box=(100, 1, 5, 5)), "outside the picture"),
        (lambda s: s.add("car", box=(1, 2, 3)), r"give \(x, y, width, height\)"),
        (lambda s: s.add("car", box=(1, 1, 2, 2), scale=2), "go with a segment"),
        (lambda s: s.add("car", polygon=[(1, 1), (2, 2)]), "at least 3 corners"),
        (lambda s: s.add("car", polygon=[(100, 100), (110, 100), (100, 110)]), "outside the picture"),
        (lambda s: s.add("car", mask=np.ones((5, 5)), at=(200, 3)), "outside the picture"),
        (lambda s: s.add("car", mask=np.zeros((5, 5)), at=(20, 3)), "empty"),
        (lambda s: s.add("car", mask=np.ones((2, 5, 5))), r"shape \(H, W\)"),
        (lambda s: s.move(CAR_POINT, (500, 0)), "lies outside the picture"),
        (lambda s: s.move(CAR_POINT, scale=0), "scale 0 will not do"),
        (lambda s: s.move(CAR_POINT, scale=(1, -2)), "will not do"),
        (lambda s: s.resize(CAR_POINT, 1000), "will not do"),
        (lambda s: s.relabel((-1, 0), "car"), "outside the picture"),
        (lambda s: s.paint("car", np.zeros((40, 60), bool)), "empty"),
    ],
)
def test_refused(operation: Callable[[Scene], Edit], message: str) -> None:
    with pytest.raises(EditError, match=message) as caught:
        operation(flat_scene())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "operation",
    [
        lambda s: s.erase(class_="caar"),
        lambda s: s.erase(at=CAR_POINT, to="caar"),
        lambda s: s.add("caar", box=(1, 1, 2, 2)),
        lambda s: s.relabel(CAR_POINT, "caar"),
        lambda s: s.paint("caar", np.ones((40, 60), bool)),
    ],
)
def test_unknown_class(operation: Callable[[Scene], Edit]) -> None:
    with pytest.raises(LabelError, match=r"no class 'caar' \(did you mean 'car'\?\)"):
        operation(flat_scene())


def test_erasing_all_there_is_asks_what_it_becomes() -> None:
    scene = Scene(np.zeros((9, 9, 3), np.uint8), Layout(np.full((9, 9), ROAD), SMALL))
    with pytest.raises(EditError, match=r"to=CLASS"):
        scene.erase(at=(1, 1))
    assert (scene.erase(at=(1, 1), to="sky").layout.label_map == SKY).all()
