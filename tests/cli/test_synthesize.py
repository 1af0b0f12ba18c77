"""scenebrush synthesize: one label map, seeds, styles, several pictures; every bad input is one line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenebrush.methods.pix2pixhd.folder import save_model as save_pix2pixhd
from scenebrush.methods.spade.folder import save_model as save_spade
from scenebrush.scene import LabelSet
from tests.methods.synthesizers import CARD, tiny_pix2pixhd, tiny_spade, tiny_styles

SIZE = (96, 128, 3)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A SPADE without styles, one with, and a pix2pixHD with styles, all for camvid."""
    folder, camvid = tmp_path_factory.mktemp("models"), LabelSet.load("camvid")
    save_spade(folder / "plain", tiny_spade(), camvid, {}, CARD)
    save_spade(folder / "vae", tiny_spade(style=True), camvid, {}, CARD)
    save_pix2pixhd(folder / "styles", tiny_pix2pixhd(), camvid, {}, CARD, styles=tiny_styles())
    return {name: folder / name for name in ("plain", "vae", "styles")}


@pytest.fixture
def words(street, models):
    """Makes a command line: `words("styles", "--seed", "3", out="b.png")`."""

    def make(model, *more, out="out.png"):
        maps = [street.labels, "--instances", street.instances, "--label-set", "camvid"]
        return ["synthesize", *maps, "--model", models.get(model, model), *more, "-o", street.folder / out]

    return make


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


def test_one_map_one_picture_of_its_size(words, run, street):
    done = run(*words("plain"))
    assert done.code == 0 and "1 picture by plain" in done.out
    assert pixels(street.folder / "out.png").shape == SIZE


def test_the_same_seed_is_the_same_file(words, run, street):
    for out, seed in (("a.png", 4), ("b.png", 4), ("c.png", 5)):
        assert run(*words("vae", "--seed", seed, out=out)).code == 0
    a, b, c = ((street.folder / name).read_bytes() for name in ("a.png", "b.png", "c.png"))
    assert a == b and a != c


@pytest.mark.parametrize("model", ["vae", "styles"])
def test_n_makes_different_pictures(words, run, street, model):
    done = run(*words(model, "-n", 3, "--json"))
    assert done.code == 0, done.err
    facts = json.loads(done.out)
    assert [Path(path).name for path in facts["written"]] == ["out-1.png", "out-2.png", "out-3.png"]
    made = [pixels(Path(path)) for path in facts["written"]]
    assert all((made[i] != made[j]).any() for i, j in ((0, 1), (0, 2), (1, 2)))
    assert run(*words(model, "--seed", facts["seeds"][2], out="again.png")).code == 0
    assert np.array_equal(made[2], pixels(street.folder / "again.png"))
    assert not (street.folder / "out.png").exists()


def test_one_numbered_picture_is_asked_for_too(words, run, street):
    assert run(*words("plain", "-n", 1)).code == 0
    assert (street.folder / "out-1.png").is_file()


def test_a_class_takes_a_style(words, run, street):
    for k in (0, 1):
        assert run(*words("styles", "--style", f"car={k}", "--style", "road=1", out=f"{k}.png")).code == 0
    assert (pixels(street.folder / "0.png") != pixels(street.folder / "1.png")).any()


def test_a_photo_gives_the_style(words, run, street):
    assert run(*words("styles", out="own.png")).code == 0
    assert run(*words("styles", "--style-from", street.photo, out="styled.png")).code == 0
    assert run(*words("vae", "--style-from", street.photo, out="vae.png")).code == 0
    assert (pixels(street.folder / "own.png") != pixels(street.folder / "styled.png")).any()


def test_a_photo_of_another_size_brings_its_map(words, run, street):
    with Image.open(street.photo) as image:
        image.crop((0, 0, 100, 90)).save(street.folder / "part.png")
    with Image.open(street.labels) as image:
        image.crop((0, 0, 100, 90)).save(street.folder / "part-labels.png")
    part = street.folder / "part.png"
    done = run(*words("styles", "--style-from", part))
    assert done.code == 2 and "label map" in done.err
    assert run(*words("styles", "--style-from", part, "--style-labels", street.folder / "part-labels.png")).code == 0
    assert run(*words("vae", "--style-from", part)).code == 0  # SPADE's style is the whole picture's


@pytest.mark.parametrize(
    ("model", "more", "told"),
    [
        ("styles", ["--style", "carr=0"], "no class 'carr' (did you mean 'car'?)"),
        ("styles", ["--style", "car=7"], "class 'car' has styles 0 to 2 in model 'styles'; style 7 was asked for"),
        ("styles", ["--style", "sky=0"], "class 'sky' has no styles"),
        ("styles", ["--style", "car"], "--style 'car' is no style; give CLASS=K"),
        ("styles", ["--style", "car=-1"], "--style 'car=-1' is no style"),
        ("styles", ["--style", "car=1", "--style", "car=2"], "class 'car' has style 1 already"),
        ("plain", ["--style", "car=1"], "no styles of single classes"),
        ("canvas", [], "model 'canvas' edits photos, it makes no whole pictures"),
        ("nowhere", [], "unknown model 'nowhere'"),
        ("plain", ["-n", "2"], "-n 2 asks for different pictures, but model 'plain' makes one of every layout"),
        ("plain", ["-n", "0"], "-n 0 is no number of pictures"),
        ("plain", ["--seed", "-1"], "seed -1 will not do"),
        ("plain", ["--style-labels", "x.png"], "give --style-from PHOTO"),
        ("vae", ["--style-from", "nowhere.jpg"], "nowhere.jpg"),
        ("plain", ["--sed", "1"], "unknown flag '--sed' (did you mean '--seed'?)"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(words, run, street, model, more, told):
    before = sorted(street.folder.iterdir())
    done = run(*words(model, *more))
    assert done.code == 2 and told in done.err and done.err.count("\n") == 1, done.err
    assert sorted(street.folder.iterdir()) == before


def test_more_pictures_than_there_are_is_told(words, run, street):
    done = run(*words("styles", "-n", 3, "--style-from", street.photo))  # every object has its own look
    assert done.code == 2 and "made 1 different pictures from 12 seeds; ask for -n 1" in done.err
    done = run(*words("vae", "-n", 2, "--style-from", street.photo))
    assert done.code == 2 and "one of a layout in this style" in done.err


def test_places_that_cannot_be_written_to(words, run, street):
    assert "would be overwritten" in run(*words("plain", out=street.labels.name)).err
    assert "does not exist" in run(*words("plain", out="nowhere/out.png")).err
    assert "cannot write '.xyz'" in run(*words("plain", out="out.xyz")).err
    assert run(*words("plain", out="bare")).code == 0 and (street.folder / "bare.png").is_file()


def test_a_map_of_another_label_set(words, run, street, models):
    done = run(
        "synthesize", street.labels, "--label-set", "nyuv2", "--model", models["plain"], "-o", street.folder / "o.png"
    )
    assert done.code == 2 and "knows the classes of 'camvid', not of 'nyuv2'" in done.err


@pytest.mark.parametrize("model", ["plain", "styles"])
def test_it_serves_an_edit_too(run, street, models, model):
    maps = ["--labels", street.labels, "--instances", street.instances, "--label-set", "camvid"]
    done = run(
        "edit", street.photo, *maps, "--model", models[model], "--erase", "92,60", "-o", street.folder / "out.png"
    )
    assert done.code == 0, done.err
    changed = (pixels(street.photo) != pixels(street.folder / "out.png")).any(-1)
    assert changed[54:66, 91:95].all() and not changed[:30].any() and not changed[:, :70].any()
