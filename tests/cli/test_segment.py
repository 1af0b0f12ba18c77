"""scenebrush segment: a map that edit reads back, other people's networks, every bad input in one line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import scenebrush.methods as methods
from scenebrush.data.toy import write_toy_folder
from scenebrush.evaluation import segmenters
from scenebrush.methods import ModelCard
from scenebrush.scene import LabelSet, read_instance_map, read_label_map
from scenebrush.scene.objects import connected_objects
from tests.methods.segmenter.small import write_tiny

CAMVID = LabelSet.load("camvid")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_tiny(tmp_path_factory.mktemp("models") / "guesser", CAMVID)


@pytest.fixture
def onnx(street, monkeypatch):
    """A network that answers sky above, car below."""
    answer = np.zeros((1, 16, 16), int)
    answer[:, 8:, 4:8] = 1
    monkeypatch.setattr(segmenters, "onnx_network", lambda path, output=0, threads=None: lambda x: answer)
    mapping = {
        "name": "mine",
        "input": {"width": 16, "height": 16},
        "classes": ["air", "vehicle"],
        "label_sets": {"camvid": {"sky": ["air"], "car": ["vehicle"]}},
    }
    (street.folder / "mine.json").write_text(json.dumps(mapping))
    (street.folder / "mine.onnx").touch()
    return street.folder / "mine.onnx"


def test_a_photo_gets_a_palette_map_of_its_size(run, street, model):
    done = run("segment", street.photo, "--model", model, "-o", street.folder / "map")  # the ending comes by itself
    assert done.code == 0 and "camvid classes by guesser" in done.out
    with Image.open(street.folder / "map.png") as image:
        assert image.mode == "P" and image.size == (128, 96)
    assert set(np.unique(read_label_map(street.folder / "map.png", CAMVID))) <= set(range(11))


def test_json_says_what_was_found(run, street, model):
    done = run("segment", street.photo, "--model", model, "-o", street.folder / "map.png", "--json")
    facts = json.loads(done.out)
    label_map = read_label_map(street.folder / "map.png", CAMVID)
    assert facts["written"] == [str(street.folder / "map.png")]
    assert (facts["model"], facts["label_set"]) == ("guesser", "camvid")
    ids, counts = np.unique(label_map, return_counts=True)
    shares = {CAMVID.by_id[int(i)].name: round(float(n) / label_map.size, 4) for i, n in zip(ids, counts, strict=True)}
    assert facts["classes"] == shares and list(facts["classes"].values()) == sorted(shares.values(), reverse=True)


def test_segment_then_edit(run, street, onnx):
    maps = [street.folder / "map.png", street.folder / "objects.png"]
    done = run(
        *("segment", street.photo, "--model", f"onnx:{onnx}", "--label-set", "camvid"),
        *("-o", maps[0], "--instances", maps[1]),
    )
    assert done.code == 0, done.err
    label_map = read_label_map(maps[0], CAMVID)
    assert (label_map[48:, 32:64] == 8).all() and (label_map[:48] == 0).all()
    instances = read_instance_map(maps[1], label_map, CAMVID)
    assert np.array_equal(instances, connected_objects(label_map, CAMVID)) and instances.max() == 1
    edited = run(
        *("edit", street.photo, "--labels", maps[0], "--instances", maps[1], "--label-set", "camvid"),
        *("--model", "canvas", "--erase", "40,80", "-o", street.folder / "out.png"),
    )
    assert edited.code == 0, edited.err
    assert (read_label_map(street.folder / "out.labels.png", CAMVID) == 0).all()


def test_a_speck_is_no_object(run, street, monkeypatch, model):
    specks = np.zeros((96, 128), np.int32)
    specks[3:6, 3:6] = 8
    specks[20:30, 20:30] = 8
    monkeypatch.setattr("scenebrush.methods.segmenter.method.PhotoSegmenter.segment", lambda self, photo: specks)
    out = street.folder / "objects.png"
    assert run("segment", street.photo, "--model", model, "-o", street.folder / "m.png", "--instances", out).code == 0
    found = read_instance_map(out, specks, CAMVID)
    assert found.max() == 1 and (found[20:30, 20:30] == 1).all() and not found[:10].any()


def test_the_shipped_model_is_the_default(run, street, model, monkeypatch):
    out = street.folder / "map.png"
    monkeypatch.setattr(methods, "list_models", lambda: [ModelCard("canvas", "canvas")])
    monkeypatch.setattr("scenebrush.cli.segment.list_models", methods.list_models)
    done = run("segment", street.photo, "-o", out)
    assert done.code == 2 and "segment-street is not here; name a model with --model" in done.err
    card = ModelCard("segment-street", "segmenter", "camvid", model)
    monkeypatch.setattr(methods, "list_models", lambda: [card])
    monkeypatch.setattr("scenebrush.cli.segment.list_models", methods.list_models)
    assert run("segment", street.photo, "-o", out).code == 0 and out.is_file()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--model", "canvas"], "model 'canvas' makes no label maps of photos"),
        (["--model", "sesame-stret"], "unknown model 'sesame-stret' (did you mean 'sesame-street'?)"),
        (["--model", "onnx:nowhere.onnx", "--label-set", "camvid"], "nowhere.onnx does not exist"),
        (["--model", "onnx:nowhere.onnx"], "needs --label-set SET"),
        (["--label-set", "nyuv2"], "model 'guesser' knows the classes of 'camvid', not of 'nyuv2'"),
        (["--label-set", "camvdi"], "unknown label set 'camvdi' (did you mean 'camvid'?)"),
        (["-o", "{folder}"], "is a folder; name the map"),
        (["-o", "{folder}/photo.png"], "photo.png would be overwritten, but is read"),
        (["-o", "{folder}/map.jpg"], "map.jpg: maps are written as PNG; end the name in .png"),
        (["-o", "{folder}/nowhere/map.png"], "does not exist; make it"),
        (["--instances", "{folder}/map.png"], "is the label map too"),
        (["--max-megapixels", "0.001"], "megapixels"),
        (["--modle", "x"], "unknown flag '--modle' (did you mean '--model'?)"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(run, street, model, words, told):
    given = [word.format(folder=street.folder) for word in words]
    given += [] if "--model" in given else ["--model", str(model)]
    given += [] if "-o" in given else ["-o", str(street.folder / "map.png")]
    before = sorted(street.folder.iterdir())
    done = run("segment", street.photo, *given)
    assert done.code == 2 and told in done.err and done.err.count("\n") == 1, done.err
    assert sorted(street.folder.iterdir()) == before


def test_a_photo_that_is_none(run, street, model):
    (street.folder / "bad.jpg").write_bytes(b"no picture")
    assert "bad.jpg" in run("segment", street.folder / "bad.jpg", "--model", model, "-o", street.folder / "m.png").err


def test_an_edit_with_it_is_told_what_it_is_for(run, street, model):
    words = street.arguments("--erase", "92,60")
    words[words.index("canvas")] = str(model)
    done = run(*words)
    assert done.code == 2 and "it edits none; scenebrush segment uses it" in done.err


def test_compare_measures_it_beside_the_truth(run, model, tmp_path):
    data = write_toy_folder(tmp_path / "streets", 2, "test", size=(96, 64), seed=2)
    done = run("compare", model, "again=truth", "--data", data, "--task", "segment", "-n", "2", "-o", tmp_path / "out")
    assert done.code == 0, done.err
    rows = {line.split("|")[1].strip(): line.split("|")[2].strip() for line in done.out.splitlines() if "±" in line}
    assert list(rows) == ["guesser", "again", "truth"] and rows["again"] == rows["truth"] == "1.000 ±0.000"
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["ceiling"]["means"]["accuracy"]["mean"] == 1
    assert len(report["methods"]["guesser"]["per_edit"]["seconds"]) == 2
    assert (tmp_path / "out" / "sheet.png").is_file()
