"""NYU Depth v2's labelled .mat, drawn by the toy world."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import io

from scenebrush.data.check import check_folder
from scenebrush.data.convert import convert
from scenebrush.errors import InputError
from scenebrush.scene import SceneFolder

BED, LAMP, WALL = 1, 2, 3  # of the .mat's own classes, 0 = unlabelled
NAMES = ("bed", "floor lamp", "wall")


@pytest.fixture
def h5py() -> Any:
    return pytest.importorskip("h5py")


def _room(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Photo (480, 640, 3) with a white border, labels and instances (480, 640)."""
    rng = np.random.default_rng(seed)
    photo = np.full((480, 640, 3), 255, np.uint8)
    photo[45:470, 40:600] = rng.integers(0, 200, (425, 560, 3))
    labels, instances = np.full((480, 640), WALL, np.uint16), np.ones((480, 640), np.uint8)
    labels[100:200, 100:200], labels[250:300, 100:200], instances[250:300, 100:200] = BED, BED, 2
    labels[150:260, 300:320] = LAMP  # its number 1 is not that of the bed
    labels[300:310], instances[300:310] = 0, 0
    return photo, labels, instances


@pytest.fixture
def source(tmp_path: Path, h5py: Any) -> Path:
    """3 rooms as MATLAB 7.3 writes them: HDF5, the last axis first."""
    folder = tmp_path / "nyu"
    folder.mkdir()
    rooms = [_room(k) for k in range(3)]
    with h5py.File(folder / "nyu_depth_v2_labeled.mat", "w") as file:
        file["images"] = np.stack([photo.transpose(2, 1, 0) for photo, _, _ in rooms])
        file["labels"] = np.stack([labels.T for _, labels, _ in rooms])
        file["instances"] = np.stack([numbers.T for _, _, numbers in rooms])
        names = [file.create_dataset(f"n{k}", data=np.array([[ord(c)] for c in n])) for k, n in enumerate(NAMES)]
        file["names"] = np.array([[name.ref for name in names]], h5py.ref_dtype)
    return folder


def _mapping(source: Path) -> None:
    io.savemat(source / "classMapping40.mat", {"mapClass": np.array([[4, 35, 1]], np.uint8)})  # bed, lamp, wall


def test_894_classes_become_40(source: Path, tmp_path: Path) -> None:
    _mapping(source)
    io.savemat(source / "splits.mat", {"trainNdxs": np.array([[1], [3]]), "testNdxs": np.array([[2]])})
    report = convert(source, tmp_path / "scenes")
    assert report.ok and report.scenes == {"train": 2, "test": 1} and report.label_set == "nyuv2"
    folder = SceneFolder.open(tmp_path / "scenes")
    assert folder.stems("test") == ["0002"]
    photo, labels, _ = _room(1)
    scene = folder.scene("test", "0002")
    np.testing.assert_array_equal(scene.photo, photo[45:470, 40:600])
    expected = np.array([39, 3, 34, 0])[labels[45:470, 40:600]]  # unlabelled, bed, lamp, wall
    np.testing.assert_array_equal(scene.layout.label_map, expected)
    assert scene.layout.instance_map is not None
    found = scene.layout.instance_map[55:, 60:]
    assert len({found[0, 0], found[150, 0], found[50, 200], 0}) == 4  # two beds, a lamp, and no wall
    assert len(np.unique(scene.layout.instance_map)) == 4 and check_folder(folder.path).ok


def test_without_the_mapping_its_own_classes_stay(source: Path, tmp_path: Path) -> None:
    report = convert(source, tmp_path / "scenes", workers=2)
    assert report.ok and report.label_set == "nyuv2_894" and report.scenes == {"train": 3}
    folder = SceneFolder.open(tmp_path / "scenes")
    assert [c.name for c in folder.label_set.classes] == ["unlabelled", "bed", "floor_lamp", "wall"]
    assert folder.label_set.find("wall").kind == "stuff" and folder.label_set.ignore_id == 0
    np.testing.assert_array_equal(folder.scene("train", "0001").layout.label_map, _room(0)[1][45:470, 40:600])


def test_the_mat_itself_may_be_given(source: Path, tmp_path: Path) -> None:
    assert convert(source / "nyu_depth_v2_labeled.mat", tmp_path / "scenes", first=1).scenes == {"train": 1}


def test_a_class_that_the_mapping_has_not_is_named(source: Path, tmp_path: Path) -> None:
    io.savemat(source / "classMapping40.mat", {"mapClass": np.array([[4, 35]], np.uint8)})
    report = convert(source, tmp_path / "scenes")
    assert {(f.kind, f.value) for f in report.errors} == {("unknown id", WALL)} and len(report.errors) == 3


def test_one_bad_room_in_the_file_does_not_hide_the_others(source: Path, tmp_path: Path, h5py: Any) -> None:
    _mapping(source)
    with h5py.File(source / "nyu_depth_v2_labeled.mat", "r+") as file:
        file["labels"][1, 300, 200] = 77
    report = convert(source, tmp_path / "scenes")
    assert [(f.value, f.pixels) for f in report.errors] == [(77, 1)]
    assert report.made == {"new": 2} and report.scenes == {"train": 2}


def test_broken_files_are_one_line(source: Path, tmp_path: Path) -> None:
    (source / "classMapping40.mat").write_text("nothing")
    with pytest.raises(InputError, match=r"classMapping40\.mat has no variable 'mapClass'"):
        convert(source, tmp_path / "scenes")
    (source / "nyu_depth_v2_labeled.mat").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"is no MATLAB 7\.3 file"):
        convert(source, tmp_path / "others")


def test_h5py_missing_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nyu").mkdir()
    (tmp_path / "nyu" / "nyu_depth_v2_labeled.mat").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(InputError, match=r"pip install 'scenebrush\[nyuv2\]'"):
        convert(tmp_path / "nyu", tmp_path / "scenes")
