"""Reading a split: catalogue against brute force, errors by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenebrush.data import SplitInMemory
from scenebrush.data.split_in_memory import connected_objects
from scenebrush.errors import InputError, LabelError
from scenebrush.scene.label_set import LabelClass, LabelSet

SMALL = LabelSet("small", (LabelClass(0, "ground", (0, 0, 0), "stuff"), LabelClass(1, "cup", (255, 0, 0), "thing")))


def write_pair(folder: Path, label_map: np.ndarray, photo_size: tuple[int, int]) -> Path:
    """Writes a scene folder with one pair and no instance map."""
    classes = [{"id": c.id, "name": c.name, "color": list(c.color), "kind": c.kind} for c in SMALL.classes]
    for name in ("images", "labels"):
        (folder / "train" / name).mkdir(parents=True)
    (folder / "classes.json").write_text(json.dumps({"name": "small", "classes": classes}))
    Image.new("RGB", photo_size, (90, 80, 70)).save(folder / "train" / "images" / "a.png")
    Image.fromarray(label_map.astype(np.uint8)).save(folder / "train" / "labels" / "a.png")
    return folder


def two_cups() -> np.ndarray:
    label_map = np.zeros((30, 40), np.int32)
    label_map[2:12, 3:13] = 1
    label_map[12:20, 13:20] = 1  # touches the first at a corner: 8-connected, so one object
    label_map[22:30, 25:40] = 1
    label_map[0, 39] = 1  # a speck
    return label_map


def test_objects_agree_with_a_brute_force(toy_split: SplitInMemory) -> None:
    expected = {}
    for index, photo in enumerate(toy_split.photos):
        for number in np.unique(photo.instance_map[photo.instance_map > 0]):
            ys, xs = np.nonzero(photo.instance_map == number)
            box = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
            expected[index, int(number)] = (tuple(int(v) for v in box), len(ys), int(photo.label_map[ys[0], xs[0]]))
    assert {(o.photo, o.instance): (o.box, o.area, o.class_id) for o in toy_split.objects} == expected


def test_connected_objects_join_corners_and_drop_specks() -> None:
    instance_map = connected_objects(two_cups(), SMALL)
    assert sorted(np.unique(instance_map).tolist()) == [0, 1, 2]
    assert instance_map[5, 5] == instance_map[15, 15] == 1
    assert instance_map[25, 30] == 2 and instance_map[0, 39] == 0


def test_without_instance_maps_components_are_the_objects(tmp_path: Path) -> None:
    split = SplitInMemory(write_pair(tmp_path, two_cups(), (40, 30)), "train")
    assert [o.box for o in split.objects] == [(3, 2, 20, 20), (25, 22, 40, 30)]
    assert split.thing_table[1] and not split.thing_table[0]


def test_a_photo_of_another_size_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"a\.png is 40x30, its photo 41x30"):
        SplitInMemory(write_pair(tmp_path, two_cups(), (41, 30)), "train")


def test_a_missing_label_map_is_named(tmp_path: Path) -> None:
    folder = write_pair(tmp_path, two_cups(), (40, 30))
    (folder / "train" / "labels" / "a.png").unlink()
    with pytest.raises(InputError, match=r"labels/a\.png is missing"):
        SplitInMemory(folder, "train")


def test_an_empty_split_is_named(tmp_path: Path) -> None:
    folder = write_pair(tmp_path, two_cups(), (40, 30))
    with pytest.raises(InputError, match=r"val/images holds no photos"):
        SplitInMemory(folder, "val")


def test_camvid_is_read(camvid_val: SplitInMemory) -> None:
    split = camvid_val
    assert len(split) == 101 and split.photos[0].size == (480, 360)
    cars = [o for o in split.objects if o.class_id == split.label_set.find("car").id]
    assert cars and all(o.area >= 40 for o in cars)
