"""Edit scripts: what they do, and every mistake with its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scenebrush.errors import EditError, InputError
from scenebrush.scene import Scene, parse_script, read_script, write_instance_map, write_label_map, write_photo
from tests.scene.random_scenes import BUILDING, CAR, PERSON, ROAD, SKY, SMALL, flat_scene


def _write(folder: Path, *edits: dict[str, Any]) -> Path:
    path = folder / "edits.json"
    path.write_text(json.dumps({"edits": list(edits)}))
    return path


def _run(path: Path, scene: Scene) -> Scene:
    for edit in read_script(path, SMALL):
        scene = scene.apply(edit(scene), scene.photo)
    return scene


def _mask(path: Path, rows: slice, columns: slice, shape: tuple[int, int] = (40, 60)) -> None:
    mask = np.zeros(shape, np.uint8)
    mask[rows, columns] = 255
    Image.fromarray(mask).save(path)


def _same(found: Scene, expected: Scene) -> None:
    np.testing.assert_array_equal(found.layout.label_map, expected.layout.label_map)
    np.testing.assert_array_equal(found.layout.instance_map, expected.layout.instance_map)


def test_the_operations_of_a_script_are_the_operations(tmp_path: Path) -> None:
    _mask(tmp_path / "m.png", slice(2, 6), slice(3, 9), (10, 12))
    _mask(tmp_path / "sky.png", slice(0, 5), slice(0, 60))
    path = _write(
        tmp_path,
        {"op": "move", "at": [12, 14], "by": [20, 10], "scale": 1.2, "flip": False},
        {"op": "add", "class": "person", "mask": "m.png", "at": [10, 30]},
        {"op": "add", "class": "building", "polygon": [[40, 2], [55, 2], [55, 12]]},
        {"op": "add", "class": 2, "box": [1, 5, 6, 7], "behind": True},
        {"op": "resize", "at": [10, 30], "scale": [1.5, 1]},
        {"op": "relabel", "at": [35, 25], "to": "person"},
        {"op": "paint", "class": "sky", "mask": "sky.png"},
        {"op": "erase", "at": [10, 30], "to": "road"},
    )
    expected = flat_scene()
    mask = np.ones((4, 6), bool)
    sky = np.zeros((40, 60), bool)
    sky[:5] = True
    for step in (
        lambda s: s.move((12, 14), (20, 10), scale=1.2),
        lambda s: s.add("person", mask=mask, at=(10, 30)),
        lambda s: s.add("building", polygon=[(40, 2), (55, 2), (55, 12)]),
        lambda s: s.add("building", box=(1, 5, 6, 7), behind=True),
        lambda s: s.resize((10, 30), (1.5, 1)),
        lambda s: s.relabel((35, 25), "person"),
        lambda s: s.paint("sky", sky),
        lambda s: s.erase(at=(10, 30), to="road"),
    ):
        expected = expected.apply(step(expected), expected.photo)
    found = _run(path, flat_scene())
    _same(found, expected)
    assert {SKY, BUILDING, ROAD, PERSON} == set(np.unique(found.layout.label_map))


def test_erase_by_class_and_by_mask(tmp_path: Path) -> None:
    assert not (_run(_write(tmp_path, {"op": "erase", "class": "car"}), flat_scene()).layout.label_map == CAR).any()
    _mask(tmp_path / "m.png", slice(10, 20), slice(5, 15))
    after = _run(_write(tmp_path, {"op": "erase", "mask": "m.png"}), flat_scene()).layout.label_map
    assert np.count_nonzero(after == CAR) == 30


def test_paint_with_a_box_and_a_small_mask(tmp_path: Path) -> None:
    _mask(tmp_path / "m.png", slice(0, 3), slice(0, 3), (3, 3))
    path = _write(
        tmp_path,
        {"op": "paint", "class": "sky", "box": [30, 0, 10, 5]},
        {"op": "paint", "class": "building", "mask": "m.png", "at": [50, 20]},
        {"op": "paint", "class": "building", "polygon": [[30, 30], [34, 30], [34, 34], [30, 34]]},
    )
    after = _run(path, flat_scene()).layout.label_map
    assert np.count_nonzero(after == SKY) == 50 and (after[19:22, 49:52] == BUILDING).all()
    assert (after[30:35, 30:35] == BUILDING).all()


@pytest.mark.parametrize("named", [True, False])
def test_add_from_another_photo(tmp_path: Path, named: bool) -> None:
    donor = flat_scene()
    write_photo(tmp_path / "other.jpg", donor.photo)
    labels = "l.png" if named else "other.labels.png"
    write_label_map(tmp_path / labels, donor.layout.label_map, SMALL)
    assert donor.layout.instance_map is not None
    write_instance_map(tmp_path / "i.png", donor.layout.instance_map)
    step = {"op": "add", "from": "other.jpg", "pick": [12, 14], "at": [40, 30], "flip": True}
    path = _write(tmp_path, step | ({"labels": labels, "instances": "i.png"} if named else {}))
    (edit,) = read_script(path, SMALL)
    made = edit(flat_scene(class_id=BUILDING))
    assert (made.layout.label_map[28:34, 36:46] == CAR).all() and made.carries[0].matrix[0, 0] == -1


def test_add_from_another_photo_by_mask_and_label_set(tmp_path: Path) -> None:
    write_photo(tmp_path / "other.png", flat_scene().photo)
    (tmp_path / "small.json").write_text(SMALL.to_json())
    write_label_map(tmp_path / "l.png", flat_scene().layout.label_map, SMALL)
    _mask(tmp_path / "m.png", slice(12, 18), slice(10, 20))
    step = {"op": "add", "from": "other.png", "labels": "l.png", "label_set": "small.json", "mask": "m.png"}
    (edit,) = read_script(_write(tmp_path, {**step, "class": "person"}), SMALL)
    assert (edit(flat_scene()).layout.label_map[12:18, 10:20] == PERSON).all()


def _left_half(photo: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """A cutter: the left half of a box, softly fading to its right."""
    mask = np.zeros(photo.shape[:2], np.float32)
    x0, y0, x1, y1 = box
    mask[y0:y1, x0:x1] = np.linspace(1, 0, x1 - x0)
    return mask


def _other_photo(folder: Path, *, labels: bool = False) -> Scene:
    donor = flat_scene()
    write_photo(folder / "other.png", donor.photo)
    if labels:
        write_label_map(folder / "l.png", donor.layout.label_map, SMALL)
    return donor


def test_add_out_of_a_box_of_a_photo_without_labels(tmp_path: Path) -> None:
    _other_photo(tmp_path)
    step = {"op": "add", "from": "other.png", "box": [20, 4, 8, 6], "class": "person", "at": [41.5, 22.5]}
    (edit,) = read_script(_write(tmp_path, step), SMALL, cutter=_left_half)
    made = edit(flat_scene())
    assert made.layout.instance_map is not None
    expected = np.zeros((40, 60), bool)
    expected[20:26, 40:44] = True  # 4 columns of 8, around (41.5, 22.5)
    np.testing.assert_array_equal(made.layout.label_map == PERSON, expected)
    np.testing.assert_array_equal(made.layout.instance_map == 2, expected)


def test_what_is_cut_out_is_scaled_and_flipped(tmp_path: Path) -> None:
    _other_photo(tmp_path)
    step = {"op": "add", "from": "other.png", "box": [20, 4, 8, 6], "class": "person", "at": [40, 20]}
    (edit,) = read_script(_write(tmp_path, step | {"scale": 2, "flip": True}), SMALL, cutter=_left_half)
    made = edit(flat_scene())
    assert np.count_nonzero(made.layout.label_map == PERSON) == pytest.approx(4 * 24, rel=0.1)
    assert made.carries[0].matrix[0, 0] == -2


def test_the_class_of_what_is_cut_out_is_read_from_labels(tmp_path: Path) -> None:
    _other_photo(tmp_path, labels=True)
    step = {"op": "add", "from": "other.png", "labels": "l.png", "box": [5, 8, 30, 12], "at": [40, 30]}
    named, read = read_script(_write(tmp_path, step | {"class": "person"}, step), SMALL, cutter=_left_half)
    assert (named(flat_scene(class_id=BUILDING)).layout.label_map == PERSON).any()
    made = read(flat_scene(class_id=BUILDING)).layout.label_map  # more road than car lies under the mask
    assert np.count_nonzero(made == CAR) == pytest.approx(60 + 12 * 15, abs=12) and not (made == ROAD).any()


@pytest.mark.parametrize("labels", [None, "l.png", "other.labels.png"])
def test_a_mask_on_another_photo_needs_labels_only_for_the_class(tmp_path: Path, labels: str | None) -> None:
    donor = _other_photo(tmp_path)
    _mask(tmp_path / "m.png", slice(12, 18), slice(10, 20))
    if labels is not None:
        write_label_map(tmp_path / labels, donor.layout.label_map, SMALL)
    step = {"op": "add", "from": "other.png", "mask": "m.png", "class": "person", "at": [40, 30]}
    (edit,) = read_script(_write(tmp_path, step | ({"labels": "l.png"} if labels == "l.png" else {})), SMALL)
    made = edit(flat_scene())
    assert np.count_nonzero(made.layout.label_map == PERSON) == 60
    assert (made.carries[0].donor.layout.label_set == SMALL) == (labels is not None)
    if labels is None:
        with pytest.raises(InputError, match=r"edits\[0\]: .*other\.labels\.png does not exist"):
            read_script(_write(tmp_path, {n: v for n, v in step.items() if n != "class"}), SMALL)
        with pytest.raises(InputError, match=r"edits\[0\]: .*other\.labels\.png does not exist"):
            read_script(_write(tmp_path, step | {"instances": "i.png"}), SMALL)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"class": None}, r"edits\[0\]: 'class' is missing: without 'labels'"),
        ({"class": "persn"}, r"edits\[0\]: unknown class 'persn' \(did you mean 'person'\?\)"),
        ({"from": "no.png"}, r"edits\[0\]: .*no\.png does not exist"),
        ({"box": [60, 4, 8, 6]}, r"edits\[0\]: box \[60, 4, 8, 6\] lies outside .*other\.png, which is 60x40"),
        ({"box": [-8, 4, 8, 6]}, r"edits\[0\]: box \[-8, 4, 8, 6\] lies outside"),
        ({"box": [20, 4, 8, 0]}, r"edits\[0\]\.box\[3\]: .*greater than 0"),
        ({"box": [20, 4, 8, 0.2]}, r"edits\[0\]: box \[20, 4, 8, 0\.2\] will not do"),
        ({"label_set": "camvid"}, r"edits\[0\]: only with 'labels': 'label_set'"),
        ({"instances": "i.png"}, r"edits\[0\]: only with 'labels': 'instances'"),
        ({"pick": [21, 5]}, r"edits\[0\]: give exactly one of 'pick', 'mask', 'box'"),
        ({"polygon": [[1, 1], [2, 1], [2, 2]]}, r"edits\[0\]: 'polygon' does not go with 'from'"),
        ({"labels": "l.png", "class": None, "box": [30, 0, 8, 6]}, r"edits\[0\]: the label map has no thing"),
    ],
)
def test_mistakes_in_cutting_out_are_named(tmp_path: Path, fields: dict[str, Any], message: str) -> None:
    _other_photo(tmp_path, labels=True)
    step = {"op": "add", "from": "other.png", "box": [20, 4, 8, 6], "class": "person", "at": [40, 20]} | fields
    path = _write(tmp_path, {name: value for name, value in step.items() if value is not None})
    with pytest.raises(InputError, match=rf"edits\.json: {message}") as caught:
        read_script(path, SMALL, cutter=_left_half)
    assert "\n" not in str(caught.value)


def test_a_box_in_which_nothing_is_found_and_no_cutter_are_named(tmp_path: Path) -> None:
    _other_photo(tmp_path)
    path = _write(tmp_path, {"op": "add", "from": "other.png", "box": [20, 4, 8, 6], "class": "person"})
    with pytest.raises(InputError, match=r"edits\[0\]: no object was found in box \[20, 4, 8, 6\] of .*other\.png"):
        read_script(path, SMALL, cutter=lambda photo, box: np.full(photo.shape[:2], 0.4))
    with pytest.raises(InputError, match=r"edits\[0\]: 'from' with 'box' needs a model"):
        read_script(path, SMALL)


def test_what_is_cut_out_and_put_outside_the_picture_is_named(tmp_path: Path) -> None:
    _other_photo(tmp_path)
    step = {"op": "add", "from": "other.png", "box": [20, 4, 8, 6], "class": "person", "at": [400, 20]}
    (edit,) = read_script(_write(tmp_path, step), SMALL, cutter=_left_half)
    with pytest.raises(EditError, match=r"edits\[0\]: the object lies outside the picture of 60x40"):
        edit(flat_scene())


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"op": "erase", "class": "caar"}, r"edits\[1\]: unknown class 'caar' \(did you mean 'car'\?\)"),
        ({"op": "eras", "at": [1, 1]}, r"edits\[1\]: unknown op 'eras' \(did you mean 'erase'\?\)"),
        ({"at": [1, 1]}, r'edits\[1\]: has no "op"'),
        ({"op": "erase"}, r"edits\[1\]: give exactly one of 'at', 'class', 'mask'"),
        ({"op": "erase", "at": [1, 1], "class": "car"}, r"edits\[1\]: give exactly one of"),
        ({"op": "erase", "at": [1]}, r"edits\[1\]: 'at\[1\]' is missing; 'at' is \[1\]"),
        ({"op": "erase", "at": ["a", 1]}, r"edits\[1\]\.at\[0\]: input should be a valid number"),
        ({"op": "erase", "at": [float("nan"), 1]}, r"edits\[1\]\.at\[0\]: input should be a finite number"),
        ({"op": "erase", "at": [1, 1], "dilate": -1}, r"edits\[1\]\.dilate: .*greater than or equal to 0"),
        ({"op": "erase", "mask": "no.png"}, r"edits\[1\]: .*no\.png does not exist"),
        ({"op": "add", "class": "car"}, r"edits\[1\]: give exactly one of 'mask', 'polygon', 'box'"),
        ({"op": "add", "box": [1, 1, 2, 2]}, r"edits\[1\]: 'class' is missing"),
        ({"op": "add", "class": "car", "polygon": [[1, 1]]}, r"edits\[1\]\.polygon: .*at least 3"),
        ({"op": "add", "class": "car", "box": [1, 1, 0, 2]}, r"edits\[1\]\.box\[2\]: .*greater than 0"),
        ({"op": "add", "class": "car", "box": [1, 1, 2, 2], "scale": 2}, r"edits\[1\]: only with 'from': 'scale'"),
        ({"op": "add", "from": "x.jpg"}, r"edits\[1\]: 'from' needs 'pick'"),
        ({"op": "add", "from": "x.jpg", "pick": [1, 1]}, r"edits\[1\]: .*x\.jpg does not exist"),
        (
            {"op": "move", "at": [1, 1], "by": [1, 1], "scal": 2},
            r"edits\[1\]: unknown field 'scal' \(did you mean 'scale'",
        ),
        ({"op": "move", "at": [1, 1], "scale": 0}, r"edits\[1\]\.scale: give a factor above 0"),
        ({"op": "resize", "at": [1, 1]}, r"edits\[1\]: 'scale' is missing"),
        ({"op": "resize", "at": [1, 1], "scale": 2, "behind": "car"}, r"edits\[1\]\.behind: give true, .* 'car'\)"),
        ({"op": "erase", "at": "1,1"}, r"edits\[1\]\.at: input should be a valid list \(found '1,1'\)"),
        (
            {"op": "relabel", "at": [1, 1], "to": "bilding"},
            r"edits\[1\]: unknown class 'bilding' \(did you mean 'building'",
        ),
        ({"op": "paint", "class": "sky"}, r"edits\[1\]: give exactly one of"),
        ("erase", r"edits\[1\]: expected an object"),
    ],
)
def test_mistakes_are_named_with_their_place(tmp_path: Path, edit: Any, message: str) -> None:
    path = _write(tmp_path, {"op": "erase", "class": "car"}, edit)
    with pytest.raises(InputError, match=rf"edits\.json: {message}") as caught:
        read_script(path, SMALL)
    assert "\n" not in str(caught.value)


def test_every_mistake_is_named(tmp_path: Path) -> None:
    path = _write(tmp_path, {"op": "erase", "class": "caar"}, {"op": "relabel", "at": [1, 1], "to": "bus"})
    with pytest.raises(InputError, match=r"edits\[0\]: .*; edits\[1\]: "):
        read_script(path, SMALL)


def test_an_edit_that_does_not_fit_the_scene_says_which(tmp_path: Path) -> None:
    path = _write(tmp_path, {"op": "erase", "at": [1, 1], "to": "sky"}, {"op": "erase", "at": [600, 1]})
    first, second = read_script(path, SMALL)
    first(flat_scene())
    with pytest.raises(EditError, match=r"edits\.json: edits\[1\]: point \(600, 1\) lies outside"):
        second(flat_scene())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON"),
        ("3", "expected an object"),
        ('{"edit": []}', "'edits' is missing; unknown field 'edit'"),
        ('{"edits": 5}', "edits: input should be a valid list"),
    ],
)
def test_no_script(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "e.json").write_text(text)
    with pytest.raises(InputError, match=message):
        read_script(tmp_path / "e.json", SMALL)
    with pytest.raises(InputError, match=r"none\.json does not exist"):
        read_script(tmp_path / "none.json", SMALL)


def test_a_bare_list_will_do() -> None:
    (edit,) = parse_script([{"op": "erase", "class": "car"}], SMALL, name="--erase")
    assert edit.place == "--erase: edits[0]" and edit.step.op == "erase"
