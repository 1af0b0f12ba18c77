"""Converting: what is done already is kept, what changed is seen, bad files are named, kills lose nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenebrush.data.check import check_folder
from scenebrush.data.convert import ConvertReport, Settings, convert
from scenebrush.errors import InputError
from scenebrush.scene import LabelSet, SceneFolder
from tests.data import convert_trees as trees


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """CamVid in SegNet's layout: one scene in each of train, val and test."""
    trees.camvid_segnet(tmp_path / "source")
    return tmp_path / "source"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "scenes"


def _tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of every file but the journal."""
    files = (p for p in folder.rglob("*") if p.is_file() and p.name != "conversion.jsonl")
    return {str(p.relative_to(folder)): (p.read_bytes(), p.stat().st_mtime_ns) for p in files}


def _label(source: Path, split: str = "val") -> Path:
    (path,) = (source / f"{split}annot").iterdir()
    return path


def _kinds(report: ConvertReport) -> list[tuple[str, str]]:
    return [(str(f.file), f.kind) for f in report.errors]


def test_a_second_run_writes_nothing(source: Path, target: Path) -> None:
    told: list[tuple[int, int]] = []
    first = convert(source, target, report=lambda done, total: told.append((done, total)))
    before = _tree(target)
    second = convert(source, target)
    assert first.made == {"new": 3} and first.kept == 0 and told == [(1, 3), (2, 3), (3, 3)]
    assert second.kept == 3 and not second.made and second.scenes == first.scenes == {"train": 1, "val": 1, "test": 1}
    assert _tree(target) == before


def test_a_changed_source_is_made_again_and_nothing_else(source: Path, target: Path) -> None:
    convert(source, target)
    before = _tree(target)
    ids = np.array(Image.open(_label(source)))
    ids[-1] = trees.FENCE
    Image.fromarray(ids).save(_label(source))
    report = convert(source, target)
    assert report.made == {"source changed": 1} and report.kept == 2
    changed = {name for name, found in _tree(target).items() if found[0] != before[name][0]}
    assert changed == {f"val/labels/{_label(source).name}"}


def test_other_settings_are_noticed(source: Path, target: Path) -> None:
    convert(source, target)
    report = convert(source, target, settings=Settings(max_side=32))
    assert report.made == {"settings changed": 3}
    assert SceneFolder.open(target).scene("val", _label(source).stem).photo.shape == (24, 32, 3)
    assert convert(source, target, settings=Settings(max_side=32, link=True)).kept == 3  # the files are the same


@pytest.mark.parametrize("damage", ["gone", "cut", "other"])
def test_damaged_results_are_made_again(source: Path, target: Path, damage: str) -> None:
    convert(source, target)
    before = _tree(target)
    path = target / "val" / "labels" / _label(source).name
    whole = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(whole[:-9] if damage == "cut" else whole[:-9] + bytes(9))
    assert convert(source, target).made == {"damaged": 1}
    assert {n: c for n, (c, _) in _tree(target).items()} == {n: c for n, (c, _) in before.items()}


def test_a_copied_folder_is_still_done(source: Path, target: Path) -> None:
    convert(source, target)
    for path in target.rglob("*.png"):
        os.utime(path, ns=(1, 1))  # a copy has times of its own; the contents count
    assert convert(source, target).kept == 3


def test_a_line_cut_short_by_a_kill_costs_one_scene(source: Path, target: Path) -> None:
    convert(source, target)
    journal = target / "conversion.jsonl"
    journal.write_bytes(journal.read_bytes()[:-40])
    (target / "train" / "images" / ".x.png.1234.part").write_bytes(b"half")
    assert convert(source, target).kept == 2
    assert convert(source, target).kept == 3 and not list(target.rglob("*.part"))
    assert [json.loads(line) for line in journal.read_text().splitlines() if line.endswith("}")]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
@pytest.mark.parametrize("workers", [1, 2])
def test_a_kill_in_the_middle_loses_nothing(tmp_path: Path, target: Path, workers: int) -> None:
    drawn = trees.draw(0)
    for k in range(150):
        trees.save(tmp_path / "source" / "train" / f"{k:03d}.png", drawn.photo)
        trees.save(tmp_path / "source" / "trainannot" / f"{k:03d}.png", drawn.labels)
    code = "import sys; from scenebrush.data.convert import convert; convert(*sys.argv[1:3], workers=int(sys.argv[3]))"
    running = subprocess.Popen([sys.executable, "-c", code, tmp_path / "source", target, str(workers)])
    journal = target / "conversion.jsonl"
    while running.poll() is None and not (journal.is_file() and journal.read_bytes().count(b"\n") > 10):
        time.sleep(0.005)
    children = _children(running.pid)
    running.send_signal(signal.SIGKILL)
    running.wait()
    photos = list(target.glob("train/images/[!.]*"))
    assert 10 <= len(photos) < 150
    for photo in photos:  # whatever is there is whole
        assert photo.read_bytes() == (tmp_path / "source" / "train" / photo.name).read_bytes()
        assert (np.array(Image.open(target / "train" / "labels" / photo.name)) == drawn.labels).all()
    for _ in range(200):
        if not any(map(_runs, children)):
            break
        time.sleep(0.05)
    assert not any(map(_runs, children)), "orphaned workers end by themselves"
    report = convert(tmp_path / "source", target)
    assert report.kept >= 9 and report.kept + sum(report.made.values()) == 150
    assert len(list(target.rglob("*.png"))) == 300 and check_folder(target).ok


def _children(process: int) -> list[int]:
    """The processes that it has started, where the system tells."""
    listed = Path(f"/proc/{process}/task/{process}/children")
    return [int(word) for word in listed.read_text().split()] if listed.is_file() else []


def _runs(process: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_workers_write_the_same(tmp_path: Path, source: Path, target: Path) -> None:
    ids = np.array(Image.open(_label(source)))
    ids[0, :3] = 99
    Image.fromarray(ids).save(_label(source))
    alone, together = convert(source, target), convert(source, tmp_path / "other", workers=2)
    assert {n: c for n, (c, _) in _tree(target).items()} == {n: c for n, (c, _) in _tree(tmp_path / "other").items()}
    assert alone.findings == together.findings and alone.scenes == together.scenes  # faults come back whole


def test_every_bad_file_is_named_and_the_rest_is_converted(tmp_path: Path, target: Path) -> None:
    source = tmp_path / "source"
    drawn = trees.draw(0)
    for stem in "abcdefghi":
        trees.save(source / "train" / f"{stem}.png", drawn.photo)
        trees.save(source / "trainannot" / f"{stem}.png", drawn.labels)
    wrong = drawn.labels.copy()
    wrong[1, :5], wrong[2, 0] = 40, 41
    trees.save(source / "trainannot" / "a.png", wrong)
    trees.save(source / "trainannot" / "b.png", drawn.labels[:-8])
    (source / "train" / "c.png").write_bytes((source / "train" / "c.png").read_bytes()[:-300])
    (source / "trainannot" / "d.png").write_text("no picture")
    (source / "trainannot" / "e.png").unlink()
    (source / "train" / "f.png").unlink()
    trees.save(source / "train" / "g.jpg", drawn.photo)
    colors = np.array(trees.CAMVID_COLORS, np.uint8)[drawn.labels]
    colors[3, :7] = (1, 2, 3)
    trees.save(source / "trainannot" / "h.png", colors)
    report = convert(source, target)
    assert _kinds(report) == [
        ("train/e.png", "missing partner"),
        ("trainannot/f.png", "missing partner"),
        ("train/g.png", "duplicate stem"),
        ("trainannot/a.png", "unknown id"),
        ("trainannot/a.png", "unknown id"),
        ("trainannot/b.png", "sizes differ"),
        ("train/c.png", "unreadable"),
        ("trainannot/d.png", "unreadable"),
        ("trainannot/h.png", "unknown colour"),
    ]
    assert [(f.value, f.pixels) for f in report.errors if f.kind.startswith("unknown")] == [
        (40, 5),
        (41, 1),
        ((1, 2, 3), 7),
    ]
    assert all(f.mend and "\n" not in str(f) for f in report.errors) and not report.ok
    assert report.made == {"new": 1} and report.scenes == {"train": 1}
    assert json.loads(json.dumps(report.to_json()))["ok"] is False
    assert [p.name for p in target.glob("*/*/*")].count("i.png") == 2 and check_folder(target).ok


def test_mended_files_are_converted_by_the_next_run(source: Path, target: Path) -> None:
    good = _label(source).read_bytes()
    _label(source).write_text("no picture")
    assert convert(source, target).scenes == {"train": 1, "test": 1}
    _label(source).write_bytes(good)
    report = convert(source, target)
    assert report.ok and report.kept == 2 and report.made == {"new": 1}


def test_unknown_values_may_become_void(source: Path, target: Path) -> None:
    ids = np.array(Image.open(_label(source)))
    ids[5, :5] = 77
    Image.fromarray(ids).save(_label(source))
    assert convert(source, target, settings=Settings(unknown_as_void=True)).ok
    layout = SceneFolder.open(target).scene("val", _label(source).stem).layout
    assert (layout.label_map[5, :5] == 11).all() and layout.label_map[5, 5] == ids[5, 5]


def test_scaling_keeps_photo_and_maps_together(tmp_path: Path, target: Path) -> None:
    drawn = trees.cityscapes(tmp_path / "source")
    convert(tmp_path / "source", target, settings=Settings(max_side=32), splits=["val"])
    scene = SceneFolder.open(target).scene("val", "lindau_000002_000019")
    original = drawn["val/lindau_000002_000019"]
    assert scene.photo.shape == (24, 32, 3)
    expected = original.recoded(trees.TO_CITYSCAPES)[1::2, 1::2]
    np.testing.assert_array_equal(scene.layout.label_map, expected)
    assert abs(scene.photo.astype(float).mean() - original.photo.mean()) < 2


def test_links_take_no_room_and_the_source_is_never_written(source: Path, target: Path) -> None:
    before = _tree(source)
    convert(source, target, settings=Settings(link=True))
    (photo,) = (target / "val" / "images").iterdir()
    assert photo.samefile(source / "val" / photo.name)
    convert(source, target, settings=Settings(max_side=16))  # replaces the links, not what they lead to
    assert _tree(source) == before and not photo.samefile(source / "val" / photo.name)


def test_parts_of_a_data_set(tmp_path: Path, target: Path) -> None:
    trees.cocostuff(tmp_path / "source")
    assert convert(tmp_path / "source", target, first=1).scenes == {"train": 1, "val": 1}
    assert convert(tmp_path / "source", target, splits=["train"]).kept == 1
    with pytest.raises(InputError, match=r"no split 'trian' \(did you mean 'train'\?\)"):
        convert(tmp_path / "source", target, splits=["trian"])
    report = convert(tmp_path / "source", target)
    assert report.kept == 3 and report.gone == 0


def test_scenes_that_left_the_source_are_told(source: Path, target: Path) -> None:
    convert(source, target)
    (source / "val" / _label(source).name).unlink()
    _label(source).unlink()
    assert convert(source, target).gone == 1
    assert (target / "val" / "images").is_dir()


def test_a_photo_under_another_ending_leaves_no_twin(source: Path, target: Path) -> None:
    convert(source, target)
    (photo,) = (source / "val").iterdir()
    with Image.open(photo) as image:
        image.save(photo.with_suffix(".jpg"))
    photo.unlink()
    convert(source, target)
    assert [p.name for p in (target / "val" / "images").iterdir()] == [f"{photo.stem}.jpg"]


def test_photos_of_a_split_without_maps_are_left_out(source: Path, target: Path) -> None:
    trees.save(source / "test" / "more.png", trees.draw(5).photo)
    _label(source, "test").unlink()
    report = convert(source, target)
    (found,) = report.findings
    assert found.severity == "warning" and "2 photos and no label maps" in found.message and report.ok


def test_folders_that_are_in_the_way(source: Path, target: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lies in the data set"):
        convert(source, source / "scenes")
    SceneFolder.create(tmp_path / "mine", LabelSet.load("camvid"))
    trees.save(tmp_path / "mine" / "train" / "images" / "a.png", trees.draw(0).photo)
    with pytest.raises(InputError, match="holds scenes that no conversion has made"):
        convert(source, tmp_path / "mine")
    trees.cityscapes(tmp_path / "streets")
    convert(source, target)
    with pytest.raises(InputError, match="other classes"):
        convert(tmp_path / "streets", target)
    for wrong in ({"workers": 0}, {"first": 0}, {"settings": Settings(max_side=0)}):
        with pytest.raises(InputError, match="give 1 or more"):
            convert(source, target, **wrong)  # type: ignore[arg-type]


@pytest.mark.skipif(sys.platform == "win32", reason="no such locks")
def test_two_at_once_do_not_get_into_each_others_way(source: Path, target: Path) -> None:
    def meanwhile(done: int, total: int) -> None:
        with pytest.raises(InputError, match="another conversion is at work"):
            convert(source, target)

    assert convert(source, target, report=meanwhile).ok
