"""Scene folders: written, found again, and faults."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scenebrush.errors import InputError
from scenebrush.scene import LabelSet, SceneFolder, read_photo, write_instance_map, write_photo
from tests.scene.random_scenes import SMALL, flat_scene


@pytest.fixture
def folder(tmp_path: Path) -> SceneFolder:
    made = SceneFolder.create(tmp_path / "scenes", SMALL)
    made.write("train", "b", flat_scene())
    made.write("train", "a", flat_scene(instances=False), suffix=".jpg")
    made.write("test", "c", flat_scene(20, 30))
    return made


def test_round_trip(folder: SceneFolder) -> None:
    again = SceneFolder.open(folder.path)
    assert again.label_set == SMALL and again.splits == ["test", "train"] and again.stems("train") == ["a", "b"]
    scene = again.scene("train", "b")
    np.testing.assert_array_equal(scene.photo, flat_scene().photo)
    np.testing.assert_array_equal(scene.layout.label_map, flat_scene().layout.label_map)
    np.testing.assert_array_equal(scene.layout.instance_map, flat_scene().layout.instance_map)
    assert again.scene("train", "a").layout.instance_map is None
    files = again.files("train", "a")
    assert files.photo.name == "a.jpg" and files.labels.name == "a.png" and files.instances is None
    assert [(f.split, f.stem) for f in again.iterate()] == [("test", "c"), ("train", "a"), ("train", "b")]
    assert [f.stem for f in again.iterate("train")] == ["a", "b"]
    np.testing.assert_array_equal(again.layout(files).label_map, again.load(files).layout.label_map)


def test_derived_instances_are_used_where_there_are_no_true_ones(folder: SceneFolder) -> None:
    derived = folder.path / "train" / "instances_derived"
    derived.mkdir()
    numbers = (flat_scene().layout.label_map == 4) * 5
    for stem in ("a", "b"):
        write_instance_map(derived / f"{stem}.png", numbers)
    assert folder.files("train", "b").instances == folder.path / "train" / "instances" / "b.png"
    np.testing.assert_array_equal(folder.scene("train", "a").layout.instance_map, numbers)


def test_metadata_of_the_photo_is_kept(folder: SceneFolder, tmp_path: Path) -> None:
    write_photo(tmp_path / "p.jpg", flat_scene().photo)
    like = read_photo(tmp_path / "p.jpg")
    files = folder.write("train", "d", flat_scene(), like=like, suffix=".jpg")
    assert read_photo(files.photo).jpeg["qtables"] == like.jpeg["qtables"]


def test_copy_byte_for_byte(folder: SceneFolder, tmp_path: Path) -> None:
    other = SceneFolder.create(tmp_path / "other", SMALL)
    source = folder.files("train", "b")
    copied = other.copy_into(source, "val")
    assert copied.instances is not None and source.instances is not None
    for a, b in ((source.photo, copied.photo), (source.labels, copied.labels), (source.instances, copied.instances)):
        assert a.read_bytes() == b.read_bytes()
    assert other.stems("val") == ["b"]


def test_create_on_an_existing_folder(folder: SceneFolder) -> None:
    assert SceneFolder.create(folder.path, SMALL).stems("train") == ["a", "b"]
    with pytest.raises(InputError, match="other classes than 'camvid'"):
        SceneFolder.create(folder.path, LabelSet.load("camvid"))


def test_faults(folder: SceneFolder, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere does not exist"):
        SceneFolder.open(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"has no classes\.json"):
        SceneFolder.open(tmp_path)
    with pytest.raises(InputError, match=r"no split 'trian' \(did you mean 'train'\?\); it has test, train"):
        folder.stems("trian")
    with pytest.raises(InputError, match="has no photo 'z'"):
        folder.files("train", "z")
    (folder.path / "train" / "labels" / "b.png").unlink()
    with pytest.raises(InputError, match=r"b\.png does not exist"):
        folder.scene("train", "b")
