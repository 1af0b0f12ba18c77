"""Models by name and folder."""

from __future__ import annotations

import dataclasses
import json

import pytest

import scenebrush.methods as methods
from scenebrush.errors import ModelError
from scenebrush.methods import default_model, find_model, list_models, load_model
from scenebrush.methods.base import Editor, ModelCard
from scenebrush.scene import LabelSet


@pytest.fixture
def folder(tmp_path):
    def write(**config):
        (tmp_path / "model").mkdir(exist_ok=True)
        (tmp_path / "model" / "config.json").write_text(json.dumps(config))
        return tmp_path / "model"

    return write


def test_canvas_is_always_here_and_loads():
    assert list_models()[0].name == "canvas"
    model = load_model("canvas")
    assert isinstance(model, Editor) and model.name == "canvas"


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ModelError, match=r"unknown model 'canvsa' \(did you mean 'canvas'\?\)"):
        load_model("canvsa")


def test_a_folder_without_a_config(tmp_path):
    with pytest.raises(ModelError, match="no model folder"):
        load_model(tmp_path)


def test_a_config_that_is_no_json(folder):
    path = folder()
    (path / "config.json").write_text("{")
    with pytest.raises(ModelError, match="no JSON"):
        load_model(path)


def test_a_config_without_a_method(folder):
    with pytest.raises(ModelError, match="names no method"):
        load_model(folder(label_set="camvid"))


def test_a_method_that_is_not_here_gets_the_nearest(folder):
    with pytest.raises(ModelError, match=r"'sesam' \(did you mean 'sesame'\?\)"):
        load_model(folder(method="sesam"))


def test_a_card_knows_its_label_set_by_name_or_in_full(folder):
    assert find_model(folder(method="sesame", label_set="camvid")).label_set == "camvid"
    assert find_model(folder(method="sesame", label_set={"name": "mine", "classes": []})).label_set == "mine"


def test_the_summary_is_the_configs_else_the_cards_first_sentence(folder):
    path = folder(method="sesame")
    assert find_model(path).summary == ""
    (path / "README.md").write_text("# street\n\nEdits streets: draws cars and\npeople. Slow.\n\n| a | b |\n")
    assert find_model(path).summary == "Edits streets: draws cars and people."
    assert find_model(folder(method="sesame", summary="Mine")).summary == "Mine"
    (path / "README.md").write_text("# street\n\n| a | b |\n")
    assert find_model(folder(method="sesame")).summary == ""


def test_the_default_is_a_trained_model_that_knows_the_classes_else_canvas(monkeypatch):
    camvid, nyu = LabelSet.load("camvid"), LabelSet.load("nyuv2")
    cards = [ModelCard("canvas", "canvas"), ModelCard("sesame-street", "sesame", "camvid")]
    monkeypatch.setattr(methods, "list_models", lambda: cards)
    assert default_model(camvid) == "sesame-street"
    assert default_model(nyu) == "canvas"
    assert default_model(nyu, adapting=True) == "sesame-street"


def test_the_shipped_models_leave_the_default_to_those_that_fit():
    coco, nyu, camvid = (LabelSet.load(name) for name in ("coco_things", "nyuv2", "camvid"))
    assert default_model(coco) == "canvas"  # seigan-objects has to be asked for
    assert default_model(nyu, adapting=True) == default_model(coco, adapting=True) == "sesame-street"
    assert default_model(dataclasses.replace(camvid, name="mine")) == "sesame-street"
    assert default_model(dataclasses.replace(camvid, classes=camvid.classes[:-1])) == "canvas"
