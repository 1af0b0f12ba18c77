"""Every bad input: one line on stderr that names file and value, exit 2, nothing written."""

from __future__ import annotations

import os

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def refused(street, run):
    """Runs an edit that has to be refused; checks the form of the refusal and returns its line."""

    def command(*words: str, **options: object) -> str:
        outcome = run(*street.arguments(*words, **options))
        assert outcome.code == 2
        assert outcome.out == ""
        assert outcome.err.startswith("error: ") and outcome.err.count("\n") == 1
        assert not (street.folder / "out.png").exists() and not (street.folder / "out.labels.png").exists()
        return outcome.err

    return command


def test_photo_and_map_of_different_size(street, refused):
    Image.fromarray(np.zeros((96, 120), np.uint8)).save(street.labels)
    line = refused("--erase", "25,64")
    assert "128x96" in line and "120x96" in line and "photo.png" in line and "labels.png" in line


def test_an_id_outside_the_label_set(street, refused):
    labels = np.array(Image.open(street.labels))
    labels[3, 5:22] = 200
    Image.fromarray(labels).save(street.labels)
    line = refused("--erase", "25,64")
    assert "labels.png" in line and "200" in line and "17 pixels" in line and "camvid" in line


def test_a_jpeg_label_map(street, refused):
    labels = np.array(Image.open(street.labels))
    street.labels = street.folder / "labels.jpg"
    Image.fromarray(labels).save(street.labels)
    line = refused("--erase", "25,64")
    assert "labels.jpg" in line and "JPEG" in line and "PNG" in line


def test_a_colour_map_that_fits_no_palette(street, refused):
    Image.fromarray(np.full((96, 128, 3), (1, 2, 3), np.uint8)).save(street.labels)
    line = refused("--erase", "25,64")
    assert "(1, 2, 3)" in line and "labels.png" in line


def test_a_colour_map_that_fits_is_accepted(street, run):
    from scenebrush.scene.label_set import LabelSet

    labels = np.array(Image.open(street.labels))
    Image.fromarray(LabelSet.load("camvid").colors(labels)).save(street.labels)
    assert run(*street.arguments("--erase", "25,64")).code == 0


@pytest.mark.parametrize("point", ["128,10", "5,96", "-1,5", "900,900"])
def test_a_point_outside_the_picture(refused, point):
    line = refused("--erase", point)
    assert point.split(",")[0] in line and point.split(",")[1] in line and "128x96" in line


def test_an_empty_mask(street, refused):
    Image.fromarray(np.zeros((96, 128), np.uint8)).save(street.folder / "empty.png")
    line = refused("--add", f"car:{street.folder / 'empty.png'}@40,80")
    assert "empty" in line


@pytest.mark.parametrize("which", ["photo", "labels", "instances"])
def test_a_truncated_png(street, refused, which):
    path = getattr(street, which)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    line = refused("--erase", "25,64")
    assert path.name in line and "truncated" in line


def test_a_picture_of_too_many_megapixels(street, refused):
    line = refused("--erase", "25,64", "--max-megapixels", "0.01")
    assert "photo.png" in line and "megapixels" in line and "0.01" in line


def test_more_than_100_megapixels(street, refused):
    Image.new("L", (12000, 9000)).save(street.folder / "huge.png")
    line = refused("--erase", "25,64", photo=street.folder / "huge.png")
    assert "huge.png" in line and "108.0 megapixels" in line


def test_the_limit_holds_for_masks_too(street, run, refused):
    Image.fromarray(np.full((150, 100), 255, np.uint8)).save(street.folder / "mask.png")  # the photo is 128x96
    (street.folder / "edits.json").write_text(
        '{"edits": [{"op": "add", "class": "car", "mask": "mask.png", "at": [9, 9]}]}'
    )
    for words in (("--add", f"car:{street.folder / 'mask.png'}@9,9"), ("--script", str(street.folder / "edits.json"))):
        line = refused(*words, "--max-megapixels", "0.013")
        assert "mask.png" in line and "0.013" in line and "--max-megapixels" in line
        assert run(*street.arguments(*words, "--max-megapixels", "0.016", out="a.png")).code == 0


@pytest.mark.parametrize(
    ("words", "nearest"),
    [
        (("--erase-class", "cra"), "'car'"),
        (("--relabel", "92,60:biulding"), "'building'"),
        (("--add", "pedestrain:mask.png@9,9"), "'pedestrian'"),
        (("--erase", "25,64", "--model", "canvsa"), "'canvas'"),
        (("--erase", "25,64", "--label-set", "camvdi"), "'camvid'"),
        (("--ersae", "25,64"), "'--erase'"),
        (("--erase-clas", "car"), "'--erase-class'"),
    ],
)
def test_a_wrong_name_gets_the_nearest(street, refused, words, nearest):
    Image.fromarray(np.full((9, 9), 255, np.uint8)).save(street.folder / "mask.png")
    words = tuple(word.replace("mask.png", str(street.folder / "mask.png")) for word in words)
    assert f"did you mean {nearest}" in refused(*words)


@pytest.mark.parametrize(
    ("words", "form"),
    [
        (("--erase", "25"), "X,Y"),
        (("--erase", "25,sixty"), "X,Y"),
        (("--move", "25,64"), "X,Y:DX,DY"),
        (("--move", "25,64:3,4:big"), "X,Y:DX,DY"),
        (("--relabel", "25,64"), "X,Y:CLASS"),
        (("--add", "car"), "CLASS:MASK@X,Y"),
    ],
)
def test_a_value_of_the_wrong_form(refused, words, form):
    line = refused(*words)
    assert words[0] in line and words[1] in line and form in line


def test_a_missing_file(street, refused):
    line = refused("--erase", "25,64", photo=street.folder / "nothing.png")
    assert "nothing.png" in line and "does not exist" in line


def test_no_edit_at_all(refused):
    line = refused()
    assert "--erase" in line and "--script" in line


def test_a_script_with_a_mistake_names_the_place(street, refused):
    script = street.folder / "edits.json"
    script.write_text('{"edits": [{"op": "erase", "at": [25, 64]}, {"op": "vanish", "at": [1, 1]}]}')
    line = refused("--script", str(script))
    assert "edits.json" in line and "vanish" in line and ("edits[1]" in line or "edit 2" in line)


def test_an_output_that_would_overwrite_an_input(street, run):
    before = street.photo.read_bytes()
    outcome = run(*street.arguments("--erase", "25,64", out="photo.png"))
    assert outcome.code == 2 and "photo.png" in outcome.err
    assert street.photo.read_bytes() == before


@pytest.mark.parametrize(
    ("out", "taken"), [("mask.png", "mask.png"), ("other.png", "other.png"), ("other.jpg", "other.labels.png")]
)
def test_an_output_that_would_overwrite_what_an_edit_is_made_of(street, run, out, taken):
    folder = street.folder
    Image.fromarray(np.full((9, 9), 255, np.uint8)).save(folder / "mask.png")
    Image.open(street.photo).save(folder / "other.png")
    Image.open(street.labels).save(folder / "other.labels.png")
    step = '{"op": "add", "from": "other.png", "pick": [25, 64], "at": [60, 80]}'
    (folder / "edits.json").write_text(f'{{"edits": [{step}]}}')
    before = {path: path.read_bytes() for path in folder.iterdir()}
    words = ("--add", f"car:{folder / 'mask.png'}@40,80", "--script", str(folder / "edits.json"))
    outcome = run(*street.arguments(*words, out=out))
    assert outcome.code == 2 and taken in outcome.err and "would be overwritten" in outcome.err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_an_output_folder_that_is_not_there(refused):
    assert "nowhere" in refused("--erase", "25,64", out="nowhere/out.png")


def test_adapting_a_model_that_cannot(refused):
    line = refused("--erase", "25,64", "--adapt", "5")
    assert "canvas" in line and "--adapt" in line


def test_an_output_that_is_a_folder(street, refused):
    (street.folder / "pictures").mkdir()
    line = refused("--erase", "25,64", out="pictures")
    assert "pictures is a folder" in line and not (street.folder / "pictures.png").exists()


def test_a_read_only_place_is_told_before_the_work(street, refused, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "read-only" in refused("--erase", "25,64")


def test_a_seed_below_0(refused):
    line = refused("--erase", "25,64", "--seed", "-3")
    assert "seed -3" in line and "0 or more" in line


def test_a_script_without_edits(street, refused):
    script = street.folder / "edits.json"
    script.write_text('{"edits": []}')
    line = refused("--script", str(script))
    assert "edits.json holds no edits" in line


def test_a_scale_of_0_names_the_flag_and_no_script(refused):
    line = refused("--move", "25,64:3,4:0")
    assert line.startswith("error: --move: scale:") and "edits[" not in line


def test_a_move_that_goes_nowhere_is_a_mistake_of_a_script(street, refused):
    script = street.folder / "edits.json"
    script.write_text('{"edits": [{"op": "move", "at": [25, 64]}]}')
    assert "edits[0]: 'by' is missing" in refused("--script", str(script))
    for told in (refused("--move", "25,64:0,0"), refused("--move", "25,64:0,0:1")):
        assert "--move: goes nowhere: give 'by' other than [0, 0]" in told
