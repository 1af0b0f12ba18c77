"""scenebrush compose, and segment --box: what they write, metadata, and every bad input in one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import scenebrush.methods as methods
from scenebrush.methods.seigan.config import SeiganConfig
from scenebrush.methods.seigan.folder import save_model
from scenebrush.methods.seigan.networks import build_networks
from scenebrush.scene import LabelSet, read_photo


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """A random network; its masks fill most of their boxes."""
    torch.manual_seed(0)
    networks = build_networks(SeiganConfig(kind="compact", width=4, pool_size=0, size=32))
    with torch.no_grad():
        networks.segmenter.network.to_map.bias.fill_(2.0)
    folder = tmp_path_factory.mktemp("models") / "cutter"
    save_model(folder, networks, LabelSet.load("camvid"), {}, "# Cutter\n\nCuts.\n")
    return folder


@pytest.fixture
def beach(street) -> Path:
    """A second photo, of another size."""
    path = street.folder / "beach.png"
    Image.fromarray(np.random.default_rng(3).integers(150, 220, (70, 110, 3)).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def words(street, beach, model) -> list[str]:
    """A composition that works, but for -o."""
    photos = ["--object", str(street.photo), "--box", "18,56,24,18", "--background", str(beach)]
    return ["compose", *photos, "--at", "50,30", "--model", str(model)]


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_it_writes_picture_cut_out_and_source(run, words, street, beach):
    done = run(*words, "-o", street.folder / "out.png")
    assert done.code == 0 and "1 picture by cutter" in done.out, done.err
    picture, cut, inpainted = (pixels(street.folder / f"out{what}.png") for what in ("", ".mask", ".inpainted"))
    assert picture.shape == (70, 110, 3) and cut.shape == (96, 128, 4) and inpainted.shape == (96, 128, 3)
    changed = (picture != pixels(beach)).any(axis=2)
    assert changed[30, 50] and not changed[:15].any() and not changed[:, :30].any()
    inside = np.zeros((96, 128), bool)
    inside[56:74, 18:42] = True
    assert cut[inside, 3].max() == 255 and not cut[~inside].any()
    solid = cut[..., 3] == 255
    assert np.array_equal(cut[solid, :3], pixels(street.photo)[solid])
    assert np.array_equal(inpainted[:50], pixels(street.photo)[:50])


def test_the_same_call_gives_the_same_files(run, words, street):
    for name in ("a", "b"):
        assert run(*words, "-o", street.folder / f"{name}.png").code == 0
    for what in ("", ".mask", ".inpainted"):
        assert (street.folder / f"a{what}.png").read_bytes() == (street.folder / f"b{what}.png").read_bytes()


def test_json_says_where_the_object_is(run, words, street):
    done = run(*words, "--scale", "0.5", "-o", street.folder / "out.png", "--json")
    facts = json.loads(done.out)
    assert facts["written"] == [str(street.folder / f"out{what}.png") for what in ("", ".mask", ".inpainted")]
    (found,) = facts["objects"]
    assert facts["model"] == "cutter" and found["box"] == [18, 56, 24, 18] and 0.1 < found["share"] <= 1
    x, y, width, height = found["place"]
    assert width <= 16 and height <= 13
    assert abs(x + (width - 1) / 2 - 50) <= 1 and abs(y + (height - 1) / 2 - 30) <= 1


def test_the_picture_keeps_the_backgrounds_metadata_and_the_cut_out_the_objects(run, words, jpeg, street, beach):
    words[words.index("--background") + 1] = str(jpeg)
    assert run(*words, "-o", street.folder / "out").code == 0  # the ending is the background's
    made, before = read_photo(street.folder / "out.jpg"), read_photo(jpeg)
    assert (made.exif, made.icc_profile, made.jpeg) == (before.exif, before.icc_profile, before.jpeg)
    words[words.index("--background") + 1], words[words.index("--object") + 1] = str(beach), str(jpeg)
    assert run(*words, "-o", street.folder / "out.png").code == 0
    for what in ("mask", "inpainted"):
        assert read_photo(street.folder / f"out.{what}.png").icc_profile == before.icc_profile
    assert read_photo(street.folder / "out.png").icc_profile is None


def test_without_a_box_the_object_is_all_but_a_margin(run, words, street):
    del words[3:5]
    done = run(*words, "-o", street.folder / "out.png", "--json")
    assert json.loads(done.out)["objects"][0]["box"] == [6, 4, 116, 88], done.err


def test_the_gap_is_filled_by_whom_one_asks_for(run, words, street):
    for fill in ("canvas", "network"):
        assert run(*words, "--fill", fill, "-o", street.folder / f"{fill}.png").code == 0
    assert np.array_equal(pixels(street.folder / "canvas.png"), pixels(street.folder / "network.png"))
    one, two = (pixels(street.folder / f"{fill}.inpainted.png") for fill in ("canvas", "network"))
    differ = (one != two).any(axis=2)
    assert differ[60:70, 22:38].any() and not differ[:50].any()


def test_swap_writes_both_photos_with_the_others_object(run, words, street, beach):
    at = words.index("--at")
    words[at : at + 2] = ["--swap", "--background-box", "40,20,30,30"]
    done = run(*words, "-o", street.folder / "out.png", "--json")
    assert done.code == 0, done.err
    facts = json.loads(done.out)
    names = [f"out-{k}{what}.png" for k in (1, 2) for what in ("", ".mask")]
    assert facts["written"] == [str(street.folder / name) for name in names]
    one, cut_one, two, cut_two = (pixels(street.folder / name) for name in names)
    assert one.shape == (96, 128, 3) and cut_one.shape == (96, 128, 4)
    assert two.shape == (70, 110, 3) and cut_two.shape == (70, 110, 4)
    assert (one != pixels(street.photo)).any(axis=2)[60:70, 22:38].mean() > 0.5
    assert np.array_equal(two[:, :25], pixels(beach)[:, :25])
    assert [found["box"] for found in facts["objects"]] == [[18, 56, 24, 18], [40, 20, 30, 30]]
    assert "2 pictures by cutter" in run(*words, "-o", street.folder / "out.png").out


def test_the_shipped_model_is_the_default(run, words, street, model, monkeypatch):
    words = words[: words.index("--model")]
    cards = [methods.ModelCard("canvas", "canvas")]
    monkeypatch.setattr(methods, "list_models", lambda: cards)
    monkeypatch.setattr("scenebrush.cli.object_flags.list_models", lambda: cards)
    done = run(*words, "-o", street.folder / "out.png")
    assert done.code == 2 and "seigan-objects is not here; name a model with --model" in done.err
    cards.append(methods.ModelCard("seigan-objects", "seigan", "camvid", model))
    assert run(*words, "-o", street.folder / "out.png").code == 0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["--box", "18,56,0,18"], "--box 18,56,0,18 is empty"),
        (["--box", "18,56,240,18"], "does not lie inside"),
        (["--box", "18,56,24"], "'18,56,24' is not of the form X,Y,W,H"),
        (["--box=-1,56,24,18"], "does not lie inside"),
        (["--at", "110,30"], "--at 110,30 lies outside"),
        (["--at", "50;30"], "'50;30' is not of the form X,Y"),
        (["--scale", "0"], "--scale 0 will not do"),
        (["--scale", "nan"], "--scale nan will not do"),
        (["--scale", "big"], "--scale 'big' is no number; see"),
        (["--swap"], "leave out --at 50,30"),
        (["--background-box", "1,1,9,9"], "--background-box 1,1,9,9 goes with --swap"),
        (["--fill", "sand"], "'--fill'. Expected one of ('canvas', 'network'); see"),
        (["--model", "canvas"], "model 'canvas' cuts no objects out"),
        (["--model", "sesame-street"], "model 'sesame-street' cuts no objects out"),
        (["--model", "seigan-object"], "unknown model 'seigan-object'"),
        (["--object", "{folder}/none.png"], "none.png does not exist"),
        (["--background", "{folder}/none.png"], "none.png does not exist"),
        (["-o", "{folder}"], "is a folder; name the picture"),
        (["-o", "{folder}/beach.png"], "beach.png would be overwritten, but is read"),
        (["-o", "{folder}/nowhere/out.png"], "does not exist; make it"),
        (["-o", "{folder}/out.gif"], "cannot write '.gif'"),
        (["--max-megapixels", "0.001"], "megapixels"),
        (["--backgruond", "x"], "unknown flag '--backgruond' (did you mean '--background'?)"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(run, words, street, given, told):
    given = [word.format(folder=street.folder) for word in given]
    given += [] if "-o" in given else ["-o", str(street.folder / "out.png")]
    before = sorted(street.folder.iterdir())
    done = run(*words, *given)
    assert done.code == 2 and told in done.err and done.err.count("\n") == 1, done.err
    assert sorted(street.folder.iterdir()) == before


def test_what_is_missing_is_told(run, words, street):
    at = words.index("--at")
    without = words[:at] + words[at + 2 :]
    out = ["-o", str(street.folder / "out.png")]
    assert "missing --at X,Y" in run(*without, *out).err
    assert "--swap needs --background-box" in run(*without, "--swap", *out).err
    assert "leave out --scale 2" in run(*without, "--swap", "--background-box", "1,1,9,9", "--scale", "2", *out).err
    assert "missing --object" in run("compose", *words[3:], *out).err


def test_masks_would_not_overwrite_an_input_either(run, words, street):
    mask = street.folder / "out.mask.png"
    Image.open(street.photo).save(mask)
    words[words.index("--object") + 1] = str(mask)
    done = run(*words, "-o", street.folder / "out.png")
    assert done.code == 2 and "out.mask.png would be overwritten, but is read" in done.err


def test_an_empty_box_is_told(run, words, street, monkeypatch):
    monkeypatch.setattr(
        "scenebrush.methods.seigan.compose.cut_out", lambda networks, photo, box: np.zeros(photo.shape[:2], np.float32)
    )
    done = run(*words, "-o", street.folder / "out.png")
    assert done.code == 2 and "no object was found in the box 18,56,24,18" in done.err
    assert not list(street.folder.glob("out*"))


def test_segment_cuts_the_object_out_of_its_box(run, street, model, jpeg):
    box = ["--box", "18,56,24,18", "--model", str(model)]
    done = run("segment", jpeg, *box, "-o", street.folder / "cut")
    assert done.code == 0 and "of its box, by cutter" in done.out, done.err
    cut = pixels(street.folder / "cut.png")
    assert cut.shape == (96, 128, 4) and cut[56:74, 18:42, 3].max() == 255
    assert np.count_nonzero(cut[..., 3]) == np.count_nonzero(cut[56:74, 18:42, 3])
    assert read_photo(street.folder / "cut.png").icc_profile == read_photo(jpeg).icc_profile
    done = run("segment", jpeg, *box, "--crop", "-o", street.folder / "crop.png", "--json")
    assert np.array_equal(pixels(street.folder / "crop.png"), cut[56:74, 18:42])
    facts = json.loads(done.out)
    assert facts["written"] == [str(street.folder / "crop.png")] and facts["box"] == [18, 56, 24, 18]
    assert facts["model"] == "cutter" and abs(facts["share"] - cut[56:74, 18:42, 3].mean() / 255) < 0.01


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "cuts objects out of boxes; give --box X,Y,W,H"),
        (["--crop"], "--crop goes with --box"),
        (["--box", "0,0,300,300"], "does not lie inside"),
        (["--box", "0,0,9,9", "--label-set", "camvid"], "--label-set camvid is for label maps"),
        (["--box", "0,0,9,9", "--instances", "x.png"], "--instances x.png is for label maps"),
        (["--box", "0,0,9,9", "--model", "sesame-street"], "cuts no objects out"),
        (["--box", "0,0,9,9", "-o", "{folder}/cut.jpg"], "cut-outs are written as PNG"),
        (["--box", "0,0,9,9", "-o", "{folder}/photo.png"], "would be overwritten, but is read; give the cut-out"),
    ],
)
def test_segment_with_a_box_refuses_in_one_line(run, street, model, given, told):
    given = [word.format(folder=street.folder) for word in given]
    given += [] if "--model" in given else ["--model", str(model)]
    given += [] if "-o" in given else ["-o", str(street.folder / "cut.png")]
    before = sorted(street.folder.iterdir())
    done = run("segment", street.photo, *given)
    assert done.code == 2 and told in done.err and done.err.count("\n") == 1, done.err
    assert sorted(street.folder.iterdir()) == before
