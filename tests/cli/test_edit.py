"""scenebrush edit: every operation, scripts, what is written and what is kept."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.cli.street import BUILDING, CAR, PEDESTRIAN, ROAD, SKY

FIRST_CAR, SECOND_CAR, PERSON = "25,64", "45,64", "92,60"


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


def test_erase_removes_one_of_two_touching_cars(street, run):
    assert run(*street.arguments("--erase", FIRST_CAR)).code == 0
    labels = pixels(street.folder / "out.labels.png")
    assert (labels[60:70, 20:36] == ROAD).all()
    assert (labels[60:70, 36:52] == CAR).any()
    photo = pixels(street.folder / "out.png").astype(int)
    assert np.abs(photo[62:68, 22:32].mean((0, 1)) - (90, 90, 95)).max() < 15  # road, no longer red


def test_every_pixel_away_from_the_edit_is_that_of_the_photo(street, run):
    before = pixels(street.photo)
    assert run(*street.arguments("--erase", PERSON)).code == 0
    after = pixels(street.folder / "out.png")
    changed = (before != after).any(-1)
    assert changed.any()
    rows, columns = np.nonzero(changed)
    assert rows.min() >= 52 - 12 and rows.max() < 68 + 12
    assert columns.min() >= 90 - 12 and columns.max() < 96 + 12


def test_erase_class_removes_all_of_it(street, run):
    assert run(*street.arguments("--erase-class", "car")).code == 0
    assert not (pixels(street.folder / "out.labels.png") == CAR).any()
    assert (pixels(street.folder / "out.labels.png") == PEDESTRIAN).any()


def test_relabel(street, run):
    assert run(*street.arguments("--relabel", f"{PERSON}:car")).code == 0
    labels = pixels(street.folder / "out.labels.png")
    assert (labels[54:66, 91:95] == CAR).all()


def test_move_brings_the_object_and_its_pixels(street, run):
    assert run(*street.arguments("--move", "45,64:40,12")).code == 0
    labels, photo = pixels(street.folder / "out.labels.png"), pixels(street.folder / "out.png").astype(int)
    assert (labels[74:80, 78:90] == CAR).all()
    assert (labels[62:68, 40:50] == ROAD).all()
    green = photo[75:79, 79:89].mean((0, 1))
    assert green[1] > green[0] + 60 and green[1] > green[2] + 40


def test_move_with_a_scale(street, run):
    assert run(*street.arguments("--move", "45,64:40,12:1.5")).code == 0
    labels = pixels(street.folder / "out.labels.png")
    assert np.count_nonzero(labels == CAR) == pytest.approx(160 + 160 * 1.5**2, rel=0.12)


def test_add_in_a_mask_at_a_point(street, run):
    mask = np.zeros((40, 40), np.uint8)
    mask[10:20, 10:30] = 255
    Image.fromarray(mask).save(street.folder / "mask.png")
    assert run(*street.arguments("--add", f"car:{street.folder / 'mask.png'}@100,82")).code == 0
    labels = pixels(street.folder / "out.labels.png")
    assert np.count_nonzero(labels == CAR) == 320 + 200
    assert labels[82, 100] == CAR
    assert pixels(street.folder / "out.instances.png")[82, 100] not in (0, 1, 2, 3)


def test_a_script_of_five_edits_is_the_same_as_five_flags(street, run):
    script = street.folder / "edits.json"
    entries = [
        {"op": "erase", "at": [25, 64]},
        {"op": "move", "at": [45, 64], "by": [-20, 10], "scale": 1.2},
        {"op": "relabel", "at": [92, 60], "to": "car"},
        {"op": "erase", "class": "pedestrian"},
        {"op": "erase", "at": [92, 60]},
    ]
    flags = [
        ("--erase", FIRST_CAR),
        ("--move", "45,64:-20,10:1.2"),
        ("--relabel", "92,60:car"),
        ("--erase-class", "pedestrian"),
        ("--erase", PERSON),
    ]
    entries = [entry for entry in entries if entry.get("class") != "pedestrian"] + [{"op": "erase", "class": "car"}]
    flags = [flag for flag in flags if flag[0] != "--erase-class"] + [("--erase-class", "car")]
    script.write_text(json.dumps({"edits": entries}))
    assert run(*street.arguments("--script", str(script), out="script.png")).code == 0
    assert run(*street.arguments(*[word for flag in flags for word in flag], out="flags.png")).code == 0
    for name in ("{}.png", "{}.labels.png", "{}.instances.png"):
        first, second = (pixels(street.folder / name.format(stem)) for stem in ("script", "flags"))
        np.testing.assert_array_equal(first, second)
    assert set(np.unique(pixels(street.folder / "script.labels.png"))) == {SKY, BUILDING, ROAD}


def test_edits_are_made_in_the_order_of_the_command_line(street, run):
    turned = street.arguments("--relabel", f"{PERSON}:car", "--erase-class", "car", out="a.png")
    kept = street.arguments("--erase-class", "car", "--relabel", f"{PERSON}:car", out="b.png")
    assert run(*turned).code == run(*kept).code == 0
    assert not (pixels(street.folder / "a.labels.png") == CAR).any()
    assert (pixels(street.folder / "b.labels.png") == CAR).any()


def test_flags_and_a_script_keep_their_order(street, run):
    script = street.folder / "edits.json"
    script.write_text('{"edits": [{"op": "erase", "class": "car"}]}')
    before = street.arguments("--script", str(script), f"--relabel={PERSON}:car", out="a.png")
    after = street.arguments(f"--relabel={PERSON}:car", "--script", str(script), out="b.png")
    assert run(*before).code == run(*after).code == 0
    assert (pixels(street.folder / "a.labels.png") == CAR).any()
    assert not (pixels(street.folder / "b.labels.png") == CAR).any()


def test_a_jpeg_keeps_exif_profile_and_format(street, jpeg, run):
    assert run(*street.arguments("--erase", PERSON, out="out", photo=jpeg)).code == 0
    with Image.open(jpeg) as before, Image.open(street.folder / "out.jpg") as after:
        assert after.format == "JPEG"
        assert after.getexif()[0x0110] == "Scene camera"
        assert after.info["icc_profile"] == before.info["icc_profile"]
        assert after.quantization == before.quantization


def test_without_instances_none_are_written(street, run):
    words = street.arguments("--erase", PERSON)
    where = words.index("--instances")
    del words[where : where + 2]
    assert run(*words).code == 0
    assert (street.folder / "out.labels.png").exists()
    assert not (street.folder / "out.instances.png").exists()


def test_what_it_wrote_can_be_edited_again(street, run):
    assert run(*street.arguments("--erase", PERSON)).code == 0
    again = ["--labels", street.folder / "out.labels.png", "--instances", street.folder / "out.instances.png"]
    words = ["edit", street.folder / "out.png", *again, "--label-set", "camvid", "--model", "canvas"]
    assert run(*words, "--erase", FIRST_CAR, "-o", street.folder / "twice.png").code == 0


def test_json_names_what_was_written(street, run):
    outcome = run(*street.arguments("--erase", FIRST_CAR, "--erase", PERSON, "--json"))
    report = json.loads(outcome.out)
    assert report["model"] == "canvas"
    assert report["edits"] == 2
    assert [Path(path).name for path in report["written"]] == ["out.png", "out.labels.png", "out.instances.png"]


def test_the_same_seed_gives_the_same_picture(street, run):
    for name in ("a.png", "b.png"):
        assert run(*street.arguments("--erase", FIRST_CAR, "--seed", "3", out=name)).code == 0
    np.testing.assert_array_equal(pixels(street.folder / "a.png"), pixels(street.folder / "b.png"))


def test_nothing_but_the_result_is_printed_where_there_is_no_terminal(street, run):
    outcome = run(*street.arguments("--erase", FIRST_CAR))
    assert outcome.err == ""
    assert len(outcome.out.strip().splitlines()) == 1
