"""scenebrush data check and data stats."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.street import draw_maps, draw_photo

CLASSES = {
    "name": "tiny",
    "ignore_id": None,
    "classes": [
        {"id": id_, "name": name, "color": [20 * id_, 0, 0], "kind": kind}
        for id_, name, kind in (
            (0, "sky", "stuff"),
            (1, "building", "stuff"),
            (3, "road", "stuff"),
            (8, "car", "thing"),
            (9, "pedestrian", "thing"),
        )
    ],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("images", "labels", "instances"):
        (tmp_path / "set" / "train" / name).mkdir(parents=True)
    (tmp_path / "set" / "classes.json").write_text(json.dumps(CLASSES))
    label_map, instance_map = draw_maps()
    for stem in ("a", "b"):
        photo = draw_photo(label_map, instance_map) + np.uint8(stem == "b")
        Image.fromarray(photo).save(tmp_path / "set" / "train" / "images" / f"{stem}.png")
        Image.fromarray(label_map.astype(np.uint8)).save(tmp_path / "set" / "train" / "labels" / f"{stem}.png")
        Image.fromarray(instance_map.astype(np.uint16)).save(tmp_path / "set" / "train" / "instances" / f"{stem}.png")
    return tmp_path / "set"


def test_a_sound_folder(folder, run):
    outcome = run("data", "check", str(folder))
    assert outcome.code == 0 and outcome.err == ""
    assert "2 scenes (2 train) can be used" in outcome.out


def test_every_bad_file_is_named_and_the_exit_is_2(folder, run):
    labels = folder / "train" / "labels" / "a.png"
    broken = np.array(Image.open(labels))
    broken[0, :5] = 77
    Image.fromarray(broken).save(labels)
    (folder / "train" / "images" / "b.png").write_bytes(b"\x89PNG nothing")
    outcome = run("data", "check", str(folder))
    assert outcome.code == 2
    assert "train/labels/a.png" in outcome.out and "77" in outcome.out and "5 pixels" in outcome.out
    assert "train/images/b.png" in outcome.out
    assert outcome.err.startswith("error: ") and outcome.err.count("\n") == 1 and "2 faults" in outcome.err


def test_check_as_json(folder, run):
    report = json.loads(run("data", "check", str(folder), "--json").out)
    assert report["ok"] is True and report["scenes"] == {"train": 2}


def test_stats_count_pixels_and_objects(folder, run):
    outcome = run("data", "stats", str(folder))
    assert outcome.code == 0
    car = next(line.split() for line in outcome.out.splitlines() if " car " in line)
    assert car[-2:] == ["2", "4"]  # scenes, instances
    report = json.loads(run("data", "stats", str(folder), "--json").out)
    assert report["label_set"] == "tiny"
    label_map, _ = draw_maps()
    shares = json.dumps(report["splits"]["all"])
    assert str(2 * int((label_map == 8).sum())) in shares


def test_a_folder_that_is_none(tmp_path, run):
    outcome = run("data", "check", str(tmp_path / "nothing"))
    assert outcome.code == 2 and "nothing" in outcome.err and outcome.err.count("\n") == 1


def test_stats_draw_a_plot_beside_the_tables(folder, run, tmp_path):
    pytest.importorskip("matplotlib")
    outcome = run("data", "stats", str(folder), "--plot", str(tmp_path / "plot.png"))
    assert outcome.code == 0 and " car " in outcome.out
    with Image.open(tmp_path / "plot.png") as image:
        assert image.width > 1000
    assert run("data", "stats", str(folder), "--plot", str(tmp_path / "plot.jpg")).err.startswith("error: ")


@pytest.fixture
def ade20k(tmp_path):
    """Two photos in ADE20K's layout, with a label map each."""
    label_map, instance_map = draw_maps()
    for folder, stem in (("training", "ADE_train_00000001"), ("validation", "ADE_val_00000001")):
        for kind, suffix, values in (
            ("images", ".jpg", draw_photo(label_map, instance_map)),
            ("annotations", ".png", (label_map + 1).astype(np.uint8)),
        ):
            path = tmp_path / "ade" / kind / folder / f"{stem}{suffix}"
            path.parent.mkdir(parents=True)
            Image.fromarray(values).save(path)
    return tmp_path / "ade"


def test_convert_then_check(ade20k, run, tmp_path):
    out = str(tmp_path / "scenes")
    outcome = run("data", "convert", str(ade20k), "-o", out)
    assert outcome.code == 0 and outcome.err == ""
    assert "2 scenes (1 train, 1 val) of ade20k, label set ade20k; 2 converted now, 0 kept" in outcome.out
    assert "0 converted now, 2 kept" in run("data", "convert", str(ade20k), "-o", out).out
    again = run("data", "convert", str(ade20k), "-o", out, "--max-side", "64", "--photos", "link").out
    assert "2 converted now (2: settings changed), 0 kept" in again
    assert run("data", "check", out).code == 0


def test_convert_names_every_bad_file(ade20k, run, tmp_path):
    bad = ade20k / "annotations" / "training" / "ADE_train_00000001.png"
    Image.fromarray(np.full((96, 128), 200, np.uint8)).save(bad)
    (ade20k / "images" / "validation" / "ADE_val_00000001.jpg").write_bytes(b"no photo")
    outcome = run("data", "convert", str(ade20k), "-o", str(tmp_path / "scenes"))
    assert outcome.code == 2 and outcome.err.count("\n") == 1 and "2 faults" in outcome.err
    assert "error: annotations/training/ADE_train_00000001.png: id 200 in 12288 pixels" in outcome.out
    assert "error: images/validation/ADE_val_00000001.jpg: " in outcome.out
    report = json.loads(run("data", "convert", str(ade20k), "-o", str(tmp_path / "scenes"), "--json").out)
    assert report["ok"] is False and len(report["findings"]) == 2 and report["findings"][0]["pixels"] == 12288
    mended = run("data", "convert", str(ade20k), "-o", str(tmp_path / "scenes"), "--unknown-as-void")
    assert "left out, nothing but void in its label map: 1" in mended.out and mended.code == 2


def test_convert_of_nothing_known(run, tmp_path):
    outcome = run("data", "convert", str(tmp_path), "-o", str(tmp_path / "scenes"))
    assert outcome.code == 2 and outcome.err.count("\n") == 1 and "celebamask: CelebA-HQ-img" in outcome.err
    wrong = run("data", "convert", str(tmp_path), "-o", "x", "--formt", "ade20k")
    assert wrong.code == 2 and "did you mean '--format'" in wrong.err
