"""Checking scene folders: every kind of fault, found in one pass."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenebrush.data.check import CheckReport, Finding, check_folder
from scenebrush.errors import InputError
from scenebrush.scene import LabelSet, Layout, Scene, SceneFolder

CAMVID = LabelSet.load("camvid")
CAR, PERSON = 8, 9


def _scene(seed: int = 0) -> Scene:
    labels = np.arange(12).repeat(40).reshape(12, 40)
    photo = np.random.default_rng(seed).integers(0, 256, (12, 40, 3), np.uint8)
    return Scene(photo, Layout(labels, CAMVID, (labels == CAR) * 1))


@pytest.fixture
def folder(tmp_path: Path) -> SceneFolder:
    made = SceneFolder.create(tmp_path / "scenes", CAMVID)
    for number, stem in enumerate(("a", "b", "c")):
        made.write("train", stem, _scene(number))
    return made


def _labels(folder: SceneFolder, stem: str = "b") -> Path:
    return folder.path / "train" / "labels" / f"{stem}.png"


def _only(report: CheckReport, kind: str) -> Finding:
    (found,) = report.findings
    assert found.kind == kind, found
    return found


def test_a_good_folder_has_no_findings(folder: SceneFolder) -> None:
    told: list[tuple[int, int]] = []
    report = check_folder(folder.path, report=lambda done, total: told.append((done, total)))
    assert report.ok and report.findings == [] and report.scenes == {"train": 3}
    assert told == [(1, 3), (2, 3), (3, 3)]


def test_unknown_id(folder: SceneFolder) -> None:
    ids = _scene().layout.label_map.astype(np.uint16).copy()
    ids[0, :17] = 300
    ids[1, :3] = 77
    Image.fromarray(ids).save(_labels(folder))
    report = check_folder(folder.path)
    assert [(f.kind, f.value, f.pixels, f.severity) for f in report.findings] == [
        ("unknown id", 300, 17, "error"),
        ("unknown id", 77, 3, "error"),
    ]
    assert str(report.findings[0]).startswith("train/labels/b.png: id 300 in 17 pixels") and not report.ok


def test_16_bit_wrap(folder: SceneFolder) -> None:
    ids = _scene().layout.label_map.astype(np.int16)
    ids[0, :9] = -1
    Image.fromarray(ids.view(np.uint16)).save(_labels(folder))
    found = _only(check_folder(folder.path), "16-bit wrap")
    assert found.value == 65535 and found.pixels == 9 and "is -1 wrapped" in found.message


def test_255_is_no_fault_where_there_is_an_unlabelled_class(folder: SceneFolder) -> None:
    ids = _scene().layout.label_map.astype(np.uint8).copy()
    ids[11] = 255
    Image.fromarray(ids).save(_labels(folder))
    assert check_folder(folder.path).findings == []


def test_sizes_differ(folder: SceneFolder) -> None:
    Image.fromarray(_scene().layout.label_map[:6].astype(np.uint8)).save(_labels(folder))
    labels, instances = check_folder(folder.path).findings
    assert labels.kind == instances.kind == "sizes differ"
    assert "is 40x6, its photo 40x12" in labels.message and labels.value == "40x6"
    assert instances.file.parent.name == "instances"


@pytest.mark.parametrize("name", ["images", "labels", "instances"])
@pytest.mark.parametrize("content", ["cut", "text", "nothing"])
def test_unreadable(folder: SceneFolder, name: str, content: str) -> None:
    path = folder.path / "train" / name / "b.png"
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[: len(whole) - 30], "text": b"hello", "nothing": b""}[content])
    found = _only(check_folder(folder.path), "unreadable")
    assert found.file == Path("train") / name / "b.png" and found.mend


def test_too_large(folder: SceneFolder) -> None:
    kinds = [f.kind for f in check_folder(folder.path, max_megapixels=0.0001).findings]
    assert kinds == ["too large"] * 9


def test_mode(folder: SceneFolder) -> None:
    _labels(folder).unlink()
    Image.fromarray(_scene().layout.label_map.astype(np.uint8)).save(_labels(folder).with_suffix(".jpg"))
    (folder.path / "train" / "instances" / "b.png").unlink()
    found = _only(check_folder(folder.path), "mode")
    assert found.value == "JPEG" and found.file.name == "b.jpg"


def test_modes_of_photo_and_instances(folder: SceneFolder) -> None:
    Image.new("L", (40, 12)).save(folder.path / "train" / "images" / "b.png")
    Image.new("RGB", (40, 12)).save(folder.path / "train" / "instances" / "c.png")
    Image.new("LA", (40, 12)).save(_labels(folder, "a"))
    found = [(f.file.parent.name, f.file.stem, f.kind, f.severity) for f in check_folder(folder.path).findings]
    assert found == [
        ("labels", "a", "mode", "error"),
        ("images", "b", "mode", "warning"),
        ("instances", "c", "mode", "error"),
    ]


def test_missing_partners(folder: SceneFolder) -> None:
    _labels(folder, "a").unlink()
    (folder.path / "train" / "images" / "b.png").unlink()
    report = check_folder(folder.path)
    assert [(str(f.file), f.kind) for f in report.findings] == [
        ("train/images/a.png", "missing partner"),
        ("train/instances/a.png", "missing partner"),
        ("train/labels/b.png", "missing partner"),
    ]
    assert report.scenes == {"train": 2}


def test_duplicate_stem_and_duplicate_photo(folder: SceneFolder) -> None:
    images = folder.path / "train" / "images"
    (images / "b.jpg").write_bytes((images / "b.png").read_bytes())
    assert _only(check_folder(folder.path), "duplicate stem").message == "b.jpg, b.png share one stem"
    (images / "b.jpg").unlink()
    folder.copy_into(folder.files("train", "a"), "test")
    found = _only(check_folder(folder.path), "duplicate photo")
    assert found.severity == "warning" and "test/images/a.png, train/images/a.png" in found.message


def test_colours(folder: SceneFolder) -> None:
    colors = CAMVID.colors(_scene().layout.label_map)
    Image.fromarray(colors).save(_labels(folder))
    assert check_folder(folder.path).findings == []
    colors[0, :5] = (1, 2, 3)
    Image.fromarray(colors).save(_labels(folder))
    found = _only(check_folder(folder.path), "unknown colour")
    assert found.value == (1, 2, 3) and found.pixels == 5


def test_palette_of_other_ids(folder: SceneFolder) -> None:
    image = Image.fromarray(_scene().layout.label_map.astype(np.uint8))
    shuffled = CAMVID.colors(np.arange(12))
    shuffled[[3, 4]] = shuffled[[4, 3]]
    image.putpalette(shuffled.tobytes())
    image.save(_labels(folder))
    found = check_folder(folder.path).findings
    assert [(f.kind, f.value, f.pixels, f.severity) for f in found] == [
        ("palette colour", 3, 40, "warning"),
        ("palette colour", 4, 40, "warning"),
    ]


def test_a_palette_with_colours_of_no_class_is_told_once(folder: SceneFolder) -> None:
    for stem in ("a", "b"):
        image = Image.fromarray(_scene().layout.label_map.astype(np.uint8))
        colors = CAMVID.colors(np.arange(12))
        colors[CAR] = (1, 2, 3)
        image.putpalette(colors.tobytes())
        image.save(_labels(folder, stem))
    found = _only(check_folder(folder.path), "unknown palette colour")
    assert found.severity == "warning" and found.value == [CAR, 1, 2, 3] and found.pixels == 80
    assert found.file == Path("train/labels/a.png") and "in 80 pixels of 2 maps" in found.message


def test_a_palette_index_that_is_neither_id_nor_colour(folder: SceneFolder) -> None:
    ids = _scene().layout.label_map.astype(np.uint8)
    ids[0, :6] = 40
    image = Image.fromarray(ids)
    colors = np.zeros((256, 3), np.uint8)
    colors[:12], colors[40] = CAMVID.colors(np.arange(12)), (9, 8, 7)
    image.putpalette(colors.tobytes())
    image.save(_labels(folder))
    found = {f.kind: f for f in check_folder(folder.path).findings}
    assert set(found) == {"unknown id", "unknown palette colour"}
    assert found["unknown id"].value == 40 and found["unknown id"].pixels == 6
    assert found["unknown palette colour"].value == [40, 9, 8, 7] and found["unknown palette colour"].pixels == 6


def test_a_grey_palette_says_nothing(folder: SceneFolder) -> None:
    image = Image.fromarray(_scene().layout.label_map.astype(np.uint8))
    image.putpalette(np.repeat(np.arange(256, dtype=np.uint8), 3).tobytes())
    image.save(_labels(folder))
    assert {f.kind for f in check_folder(folder.path).findings} <= {"palette colour"}  # grey 0 is our void's black


def test_255_in_a_set_without_an_unlabelled_id(tmp_path: Path) -> None:
    faces = LabelSet.load("celebamask")
    folder = SceneFolder.create(tmp_path / "faces", faces)
    labels = np.arange(19).repeat(4).reshape(19, 4)
    folder.write("train", "a", Scene(np.zeros((19, 4, 3), np.uint8), Layout(labels, faces)))
    ids = labels.astype(np.uint8)
    ids[3] = 255
    Image.fromarray(ids).save(folder.path / "train" / "labels" / "a.png")
    (found,) = check_folder(folder.path).errors
    assert (found.kind, found.value, found.pixels) == ("unknown id", 255, 4) and "ignore_id" in found.mend


@pytest.mark.parametrize("suffix", [".tif", ".bmp", ".PNG"])
def test_a_map_that_no_reader_would_find(folder: SceneFolder, suffix: str) -> None:
    Image.fromarray(_scene().layout.label_map.astype(np.uint8)).save(_labels(folder).with_suffix(suffix))
    _labels(folder).unlink()
    found = _only(check_folder(folder.path), "not read")
    assert found.value == suffix and found.severity == "error" and found.file == Path(f"train/labels/b{suffix}")
    with pytest.raises(InputError):
        folder.scene("train", "b")  # that is why


def test_files_that_are_not_read_are_named(folder: SceneFolder) -> None:
    images = folder.path / "train" / "images"
    (images / "d.gif").write_bytes(b"GIF89a")
    (images / "Thumbs.db").write_bytes(b"")
    (images / ".DS_Store").write_bytes(b"")
    (images / "b.png").rename(images / "b.PNG")
    found = [(f.file.name, f.kind, f.severity) for f in check_folder(folder.path).findings]
    assert found == [(name, "not read", "warning") for name in ("Thumbs.db", "b.PNG", "d.gif")]


def test_stems_that_differ_in_case_only(folder: SceneFolder) -> None:
    folder.write("train", "B", _scene(9))
    found = _only(check_folder(folder.path), "duplicate stem")
    assert found.value == ["B", "b"] and found.severity == "warning"


def test_a_split_without_label_maps_is_one_fault(folder: SceneFolder) -> None:
    for stem in ("a", "b", "c"):
        _labels(folder, stem).unlink()
        (folder.path / "train" / "instances" / f"{stem}.png").unlink()
    _labels(folder).parent.rmdir()
    found = _only(check_folder(folder.path), "no labels")
    assert found.file == Path("train") and "3 photos" in found.message and found.severity == "error"


def test_a_photo_of_floats(folder: SceneFolder) -> None:
    path = folder.path / "train" / "images" / "b.png"
    path.unlink()
    Image.fromarray(np.zeros((12, 40), np.float32)).save(path.with_suffix(".tif"))
    found = _only(check_folder(folder.path), "mode")
    assert found.value == "F" and found.severity == "error"


def test_empty_class_and_empty_map(folder: SceneFolder) -> None:
    for stem in ("a", "b", "c"):
        labels = _scene().layout.label_map.copy()
        labels[labels == CAR] = PERSON
        Image.fromarray(labels.astype(np.uint8)).save(_labels(folder, stem))
    found = _only(check_folder(folder.path), "empty class")
    assert found.value == [CAR] and "1 of 12 classes" in found.message and found.severity == "warning"
    Image.fromarray(np.full((12, 40), 11, np.uint8)).save(_labels(folder))
    assert [f.kind for f in check_folder(folder.path).findings] == ["empty map", "empty class"]


def test_instances_of_two_classes(folder: SceneFolder) -> None:
    numbers = np.zeros((12, 40), np.uint16)
    numbers[CAR], numbers[PERSON, :7] = 5, 5
    Image.fromarray(numbers).save(folder.path / "train" / "instances" / "b.png")
    found = _only(check_folder(folder.path), "instance of two classes")
    assert found.value == 5 and found.pixels == 7
    assert "car in 40 pixels and pedestrian in 7 pixels" in found.message


def test_instances_that_fill_their_type(folder: SceneFolder) -> None:
    numbers = np.zeros((12, 40), np.uint8)
    numbers[CAR] = 255
    Image.fromarray(numbers).save(folder.path / "train" / "instances" / "b.png")
    found = _only(check_folder(folder.path), "16-bit wrap")
    assert found.value == 255 and found.severity == "warning"


def test_cityscapes_instances(tmp_path: Path) -> None:
    cityscapes = LabelSet.load("cityscapes")
    folder = SceneFolder.create(tmp_path / "scenes", cityscapes)
    labels = np.full((10, 10), 7)
    labels[2:5] = 26
    files = folder.write("train", "a", Scene(np.zeros((10, 10, 3), np.uint8), Layout(labels, cityscapes, labels * 0)))
    raw = np.where(labels == 26, 26001, labels)
    assert files.instances is not None
    Image.fromarray(raw.astype(np.uint16)).save(files.instances)
    assert check_folder(folder.path).ok
    raw[6, :4] = 26001
    Image.fromarray(raw.astype(np.uint16)).save(files.instances)
    (found,) = check_folder(folder.path).errors
    assert found.kind == "instance of two classes" and "lies on label 7 (road) in 4 pixels" in found.message


def test_everything_in_one_pass_as_json(folder: SceneFolder) -> None:
    _labels(folder, "a").unlink()
    (folder.path / "train" / "images" / "b.png").write_text("no picture")
    Image.fromarray(np.full((12, 40), 200, np.uint8)).save(_labels(folder, "c"))
    report = check_folder(folder.path)
    data = json.loads(json.dumps(report.to_json()))
    assert data["ok"] is False and data["scenes"] == {"train": 3}
    assert data["counts"] == {"missing partner": 2, "unreadable": 1, "unknown id": 1}
    assert data["findings"][-1] | {"mend": ""} == {
        "file": "train/labels/c.png",
        "kind": "unknown id",
        "message": "id 200 in 480 pixels; label set 'camvid' has 12 ids from 0 to 11",
        "mend": "",
        "value": 200,
        "pixels": 480,
        "severity": "error",
    }
    assert all(f["mend"] for f in data["findings"]) and len(report.errors) == 4


def test_nothing_to_check(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        check_folder(tmp_path / "nowhere")
    SceneFolder.create(tmp_path / "empty", CAMVID)
    with pytest.raises(InputError, match="has no split"):
        check_folder(tmp_path / "empty")


def test_shared_samples_are_clean(shared: Path) -> None:
    for name in ("coco_stuff_samples", "ade20k_samples"):
        report = check_folder(shared / "data" / name)
        assert {f.kind for f in report.findings} == {"empty class"}
