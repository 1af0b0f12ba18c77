"""Label sets: the shipped ones, users' own, and names that do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scenebrush.errors import LabelError
from scenebrush.scene import LabelSet, shipped_label_sets

COUNTS = {
    "ade20k": 151,  # 150 and unlabelled
    "camvid": 12,
    "celebamask": 19,
    "cityscapes": 34,
    "cityscapes_train": 20,  # 19 and unlabelled
    "coco_things": 81,  # 80 and unlabelled
    "cocostuff": 183,  # 182 and unlabelled
    "nyuv2": 40,
    "street_facades": 11,
}


def test_all_are_shipped() -> None:
    assert shipped_label_sets() == sorted(COUNTS)


@pytest.mark.parametrize("name", COUNTS)
def test_shipped_set_holds_together(name: str) -> None:
    label_set = LabelSet.load(name)
    assert label_set.name == name and len(label_set.classes) == COUNTS[name]
    assert len(set(label_set.ids)) == len({c.name for c in label_set.classes}) == COUNTS[name]
    assert label_set.ignore_id is None or label_set.by_id[label_set.ignore_id].kind == "void"
    assert {c.kind for c in label_set.classes} <= {"thing", "stuff", "void"}
    assert label_set.of_kind("thing") and (label_set.of_kind("stuff") or name == "coco_things")
    assert all(len(c.color) == 3 and all(0 <= v <= 255 for v in c.color) for c in label_set.classes)


@pytest.mark.parametrize(
    ("name", "class_name", "class_id"),
    [
        ("cityscapes", "road", 7),
        ("cityscapes", "bicycle", 33),
        ("cityscapes_train", "car", 13),
        ("camvid", "bicyclist", 10),
        ("ade20k", "wall", 1),
        ("ade20k", "flag", 150),
        ("cocostuff", "person", 0),
        ("cocostuff", "wood", 181),
        ("celebamask", "hair", 13),
        ("celebamask", "cloth", 18),
    ],
)
def test_known_ids(name: str, class_name: str, class_id: int) -> None:
    assert LabelSet.load(name).find(class_name).id == class_id


def test_train_ids_have_the_names_and_colours_of_cityscapes() -> None:
    full = LabelSet.load("cityscapes")
    for c in LabelSet.load("cityscapes_train").classes[:-1]:
        assert full.find(c.name).color == c.color and full.find(c.name).kind == c.kind


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("camvid", "camvid"),
        ("nyuv2", "nyuv2"),
        ("street_facades", "street_facades"),
        ("coco_things", "coco_things"),
        ("cocostuff", "coco_stuff_samples"),
    ],
)
def test_same_ids_as_the_data(name: str, folder: str, shared: Path) -> None:
    data = LabelSet.load(shared / "data" / folder / "classes.json")
    assert [(c.id, c.name, c.color) for c in data.classes] == [
        (c.id, c.name, c.color) for c in LabelSet.load(name).classes
    ]


def test_unknown_set_and_class_get_the_nearest_name() -> None:
    with pytest.raises(LabelError, match="did you mean 'cityscapes'"):
        LabelSet.load("citiscapes")
    with pytest.raises(LabelError, match="did you mean 'car'"):
        LabelSet.load("camvid").find("caar")
    with pytest.raises(LabelError, match=r"nowhere\.json does not exist"):
        LabelSet.load("nowhere.json")


def test_file_round_trip(tmp_path: Path) -> None:
    label_set = LabelSet.load("camvid")
    (tmp_path / "mine.json").write_text(label_set.to_json())
    assert LabelSet.load(tmp_path / "mine.json") == label_set


@pytest.mark.parametrize("content", ["{", "[]", '{"name": "x"}', '{"name": "x", "classes": [{"id": "a"}]}'])
def test_broken_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "bad.json").write_text(content)
    with pytest.raises(LabelError, match=r"bad\.json is no label set"):
        LabelSet.load(tmp_path / "bad.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "stuf"}, "kind"),
        ({"color": [1, 2]}, "colo"),
        ({"color": [1, 2, 300]}, "colo"),
        ({"id": 1}, "id 1"),
        ({"id": -1}, "id"),
        ({"name": "b"}, "'b'"),
    ],
)
def test_classes_that_do_not_hold_together(tmp_path: Path, change: dict[str, object], message: str) -> None:
    first = {"id": 0, "name": "a", "color": [0, 0, 0], "kind": "stuff", **change}
    classes = [first, {"id": 1, "name": "b", "color": [9, 9, 9], "kind": "thing"}]
    (tmp_path / "bad.json").write_text(json.dumps({"name": "x", "ignore_id": None, "classes": classes}))
    with pytest.raises(LabelError, match=message):
        LabelSet.load(tmp_path / "bad.json")


@pytest.mark.parametrize("ignore_id", [77, "a"])
def test_an_unlabelled_id_that_no_class_has(tmp_path: Path, ignore_id: object) -> None:
    classes = [{"id": 0, "name": "a", "color": [0, 0, 0], "kind": "void"}]
    (tmp_path / "bad.json").write_text(json.dumps({"name": "x", "ignore_id": ignore_id, "classes": classes}))
    with pytest.raises(LabelError, match=r"bad\.json: ignore_id is .* no class's id"):
        LabelSet.load(tmp_path / "bad.json")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LabelError, match=r"bad\.json is no label set"):
        LabelSet.load(tmp_path / "bad.json")


def test_names_are_read_as_utf_8(tmp_path: Path) -> None:
    text = LabelSet.load("camvid").to_json().replace('"sky"', '"cïel"')
    (tmp_path / "mine.json").write_bytes(text.encode())
    assert LabelSet.load(tmp_path / "mine.json").find("cïel").id == 0


def test_colors_and_kinds() -> None:
    label_set = LabelSet.load("camvid")
    np.testing.assert_array_equal(label_set.colors([8, 0]), [[64, 0, 128], [128, 128, 128]])
    np.testing.assert_array_equal(
        label_set.is_kind(np.array([[8, 3], [11, 9]]), "thing"), [[True, False], [False, True]]
    )
