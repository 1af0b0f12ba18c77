"""scenebrush synthesize, edit and evaluate with a model of sims: banks, several pictures, the canvas, texts."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenebrush.evaluation.assets import ASSETS, ASSETS_VARIABLE
from scenebrush.methods.sims.method import BANK_VARIABLE
from scenebrush.methods.sims.writing import BankWriter
from scenebrush.methods.spade.folder import save_model as save_spade
from scenebrush.scene import LabelSet
from tests.methods.sims.toy_banks import write_bank, write_model
from tests.methods.synthesizers import CARD, tiny_spade

CAMVID = LabelSet.load("camvid")


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A bank of toy streets, one of another label set, an empty one; a sims and a SPADE model."""
    folder = tmp_path_factory.mktemp("sims")
    write_bank(folder)
    write_model(folder / "tiny")
    save_spade(folder / "spade", tiny_spade(), CAMVID, {}, CARD)
    for name, label_set in (("empty", CAMVID), ("rooms", LabelSet.load("nyuv2"))):
        with BankWriter.open(folder / name, label_set):
            pass
    return {name: folder / name for name in ("bank", "tiny", "spade", "empty", "rooms", "streets")}


@pytest.fixture(autouse=True)
def no_bank_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(BANK_VARIABLE, raising=False)


@pytest.fixture
def words(street, places):
    """Makes a command line: `words("--seed", "3", out="b.png")`; without `bank`, `text` or the map where told."""

    def make(*more, model="tiny", bank="bank", out="out.png", maps=True):
        words = [street.labels, "--instances", street.instances] if maps else []
        banks = ["--bank", places.get(bank, bank)] if bank else []
        model = places.get(model, model)
        return [
            "synthesize",
            *words,
            "--label-set",
            "camvid",
            "--model",
            model,
            *banks,
            *more,
            "-o",
            street.folder / out,
        ]

    return make


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


def test_one_map_one_picture(words, run, street):
    done = run(*words())
    assert done.code == 0 and "1 picture by tiny" in done.out, done.err
    assert pixels(street.folder / "out.png").shape == (96, 128, 3)
    assert run(*words(out="again.png")).code == 0
    assert (street.folder / "out.png").read_bytes() == (street.folder / "again.png").read_bytes()


def test_several_pictures_and_the_canvas(words, run, street):
    done = run(*words("-n", 2, "--show-canvas", street.folder / "sheet", "--json"))
    assert done.code == 0, done.err
    facts = json.loads(done.out)
    assert [Path(path).name for path in facts["written"]] == ["out-1.png", "out-2.png", "sheet.png"]
    one, two, sheet = (pixels(Path(path)) for path in facts["written"])
    assert (one != two).any() and sheet.shape[1] > 1000
    assert facts["lacking"] == [] and facts["seeds"][0] == 0


def test_the_bank_may_come_from_the_environment(words, run, places, monkeypatch):
    monkeypatch.setenv(BANK_VARIABLE, str(places["bank"]))
    assert run(*words(bank=None)).code == 0


def test_a_text_gives_picture_and_labels(words, run, street):
    text = ["--text", "a car on a road, buildings behind", "--text-size", "96x64"]
    done = run(*words(*text, maps=False))
    assert done.code == 0, done.err
    labels = pixels(street.folder / "out.labels.png")
    assert pixels(street.folder / "out.png").shape == (64, 96, 3) and labels.shape == (64, 96)
    assert {CAMVID.find(name).id for name in ("car", "road", "building")} <= set(np.unique(labels).tolist())


def test_what_the_bank_lacks_is_said(words, run, street, places, tmp_path):
    from scenebrush.methods.sims.bank import Bank
    from tests.methods.sims.toy_banks import bank_without

    with Bank.open(places["bank"]) as bank:
        bank_without(bank, tmp_path / "poor", CAMVID.find("car").id).close()
    done = run(*words(bank=tmp_path / "poor"))
    assert done.code == 0 and "the bank has no segment of car: left to the network" in done.out
    assert json.loads(run(*words("--json", bank=tmp_path / "poor")).out)["lacking"] == ["car"]


@pytest.mark.parametrize(
    ("change", "more", "told"),
    [
        ({"model": "spade"}, [], "model 'spade' uses no memory bank"),
        ({"bank": None}, [], "model 'tiny' makes pictures of a memory bank's segments and has no bank"),
        ({"bank": "empty"}, [], "is empty; fill it with scenebrush bank build"),
        ({"bank": "rooms"}, [], "rooms has the classes of 'nyuv2', model 'tiny' those of 'camvid'"),
        ({"bank": "nowhere"}, [], "nowhere"),
        ({"maps": False}, [], "there is nothing to make a picture of; give MAP, a label map, or --text TEXT"),
        ({}, ["--text", "a car"], "--text 'a car' and a map are two layouts; give one of them"),
        ({"maps": False}, ["--text", "a hippogriff"], "hippogriff"),
        ({"maps": False}, ["--text", "a car", "--text-size", "large"], "--text-size 'large' is no size; give WIDTHxH"),
        ({"maps": False}, ["--text", "a car", "--text-size", "99999x99999"], "megapixels; the limit is"),
        ({"maps": False, "model": "spade", "bank": None}, ["--text", "a car"], "model 'spade' reads no text"),
        ({"model": "spade", "bank": None}, ["--show-canvas", "x.png"], "model 'spade' has no canvas of segments"),
        ({}, ["--show-canvas", "MAP"], "is another file of this call; give it a name of its own"),
        ({}, ["--show-canvas", "OUT"], "is another file of this call"),
        ({}, ["--show-canvas", "nowhere/sheet.png"], "the folder nowhere does not exist; make it"),
        ({}, ["--show-canvas", "sheet.xyz"], "cannot write '.xyz'"),
        ({}, ["--show-canvas", "."], "is a folder; name the sheet"),
        ({}, ["--style-from", "PHOTO", "--style-labels", "MAP", "--show-canvas", "PHOTO"], "is another file of this"),
        ({}, ["--style", "carr=1"], "no class 'carr' (did you mean 'car'?)"),
        ({}, ["--bnak", "x"], "unknown flag '--bnak' (did you mean '--bank'?)"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(words, run, street, change, more, told):
    known = {"MAP": street.labels, "OUT": street.folder / "out.png", "PHOTO": street.photo}
    before = sorted(street.folder.iterdir())
    done = run(*words(*(known.get(word, word) for word in more), **change))
    assert done.code == 2 and told in done.err and done.err.count("\n") == 1, done.err
    assert sorted(street.folder.iterdir()) == before


def test_edits_take_the_k_th_best_object(run, street, places):
    maps = ["--labels", street.labels, "--instances", street.instances, "--label-set", "camvid"]
    Image.fromarray(np.full((14, 24), 255, np.uint8)).save(street.folder / "shape.png")
    made = []
    for seed in (0, 1):
        out = street.folder / f"{seed}.png"
        asked = ["--add", f"car:{street.folder / 'shape.png'}@40,80", "--seed", seed]
        done = run("edit", street.photo, *maps, "--model", places["tiny"], "--bank", places["bank"], *asked, "-o", out)
        assert done.code == 0, done.err
        made.append(pixels(out))
    changed = (made[0] != made[1]).any(-1)
    assert changed[74:86, 30:50].any() and not changed[:50].any()
    assert np.array_equal(made[0][:50], pixels(street.photo)[:50])


def test_a_bank_is_no_use_to_other_editors(run, street, places):
    maps = ["--labels", street.labels, "--label-set", "camvid", "--bank", places["bank"]]
    out = street.folder / "out.png"
    done = run("edit", street.photo, *maps, "--model", "canvas", "--erase", "92,60", "-o", out)
    assert done.code == 2 and "model 'canvas' uses no memory bank; leave out" in done.err
    assert done.err.count("\n") == 1 and not out.exists()


def test_pictures_are_measured(run, places, tmp_path, shared, monkeypatch):
    assets = Path(os.environ.get(ASSETS_VARIABLE) or shared / "weights")
    if not (assets / ASSETS["lpips-alex"].file).is_file():
        pytest.skip(f"{assets} lacks {ASSETS['lpips-alex'].file}; set {ASSETS_VARIABLE} to a folder that holds it")
    monkeypatch.setenv(ASSETS_VARIABLE, str(assets))
    quick = ["--n", "2", "--size", "64", "--no-fid", "--segmenter", "none", "--threads", "1", "--split", "train"]
    asked = ["--task", "synthesize", "--data", places["streets"], "--bank", places["bank"]]
    report = tmp_path / "report.json"
    done = run("evaluate", "--model", f"{places['tiny']}?finished=off", *asked, "-o", report, *quick)
    assert done.code == 0, done.err
    facts = json.loads(report.read_text())
    (figures,) = facts["methods"].values()
    assert 0 < figures["means"]["lpips"]["mean"] < 1 and len(figures["per_edit"]["lpips"]) == 2
