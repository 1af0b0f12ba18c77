"""Model folders of the synthesizers: what is written is what is read; what is broken is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from scenebrush.errors import InputError, ModelError
from scenebrush.methods import (
    SYNTHESIZERS,
    ModelCard,
    Synthesizer,
    default_model,
    list_models,
    load_model,
    load_synthesizer,
)
from scenebrush.methods.model_folder import ModelFacts, write_model
from scenebrush.methods.pix2pix.config import Pix2PixConfig
from scenebrush.methods.pix2pix.folder import save_model as save_pix2pix
from scenebrush.methods.pix2pixhd.folder import save_model as save_pix2pixhd
from scenebrush.methods.semia.config import SemiaConfig
from scenebrush.methods.semia.folder import save_model as save_semia
from scenebrush.methods.semia.paper_method import build_generator as build_semia
from scenebrush.methods.semia.source import Source
from scenebrush.methods.sims.folder import save_model as save_sims
from scenebrush.methods.spade.folder import save_model as save_spade
from scenebrush.scene.label_set import LabelSet
from tests.methods.sims.toy_banks import tiny_networks, write_bank
from tests.methods.synthesizers import CARD, photo_of, street, tiny_pix2pix, tiny_pix2pixhd, tiny_spade, tiny_styles

Save = Callable[[Path, LabelSet], Any]


def _pix2pix(folder: Path, label_set: LabelSet) -> torch.nn.Module:
    save_pix2pix(folder, network := tiny_pix2pix(), label_set, {"steps": 3}, CARD)
    return network


def _spade(folder: Path, label_set: LabelSet) -> torch.nn.Module:
    save_spade(folder, networks := tiny_spade(style=True), label_set, {"steps": 3}, CARD)
    return networks


def _pix2pixhd(folder: Path, label_set: LabelSet) -> torch.nn.Module:
    save_pix2pixhd(folder, networks := tiny_pix2pixhd(), label_set, {"steps": 3}, CARD, styles=tiny_styles())
    return networks


def _sims(folder: Path, label_set: LabelSet) -> torch.nn.Module:
    save_sims(folder, networks := tiny_networks(), label_set, {"steps": 3}, CARD)
    return networks


def _semia(folder: Path, label_set: LabelSet) -> torch.nn.Module:
    torch.manual_seed(1)
    config = SemiaConfig(kind="paper", width=4, levels=1)
    generator = build_semia(config).eval()
    layout = street(label_set)
    save_semia(folder, config, Source(photo_of(layout), layout), generator.state_dict(), {"steps": 3}, CARD)
    return generator


SAVE: dict[str, Save] = {
    "pix2pix": _pix2pix,
    "pix2pixhd": _pix2pixhd,
    "semia": _semia,
    "sims": _sims,
    "spade": _spade,
}
EXACT = ("semia",)
"""The methods whose weights half precision would harm."""


@pytest.fixture(params=SYNTHESIZERS)
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def folder(method: str, tmp_path: Path, camvid: LabelSet) -> Path:
    SAVE[method](tmp_path / "tiny", camvid)
    return tmp_path / "tiny"


def test_what_is_read_is_what_was_written_within_half_precision(method: str, tmp_path: Path, camvid: LabelSet) -> None:
    before = SAVE[method](tmp_path / "tiny", camvid).state_dict()
    model = load_model(tmp_path / "tiny")
    assert model.name == "tiny" and model.label_set == camvid  # type: ignore[attr-defined]
    network = model.renderer.generator if method == "semia" else getattr(model, "network", None) or model.networks  # type: ignore[attr-defined]
    after = network.state_dict()
    assert after.keys() == before.keys() and not network.training
    stored = {k: v if method in EXACT else v.half().to(v.dtype) for k, v in before.items()}
    assert all(v.dtype == before[k].dtype and torch.equal(v, stored[k]) for k, v in after.items())


def test_it_is_an_editor_and_a_synthesizer(method: str, folder: Path, tmp_path: Path, camvid: LabelSet) -> None:
    from scenebrush.methods import Editor

    bank = write_bank(tmp_path, 2) if method == "sims" else None
    model = load_synthesizer(folder, bank=bank)
    assert isinstance(model, Synthesizer) and isinstance(model, Editor)
    picture = model.synthesize(street(camvid))
    assert picture.shape == (50, 70, 3) and picture.dtype == np.uint8


def test_the_folder_holds_its_card_and_facts(folder: Path, method: str) -> None:
    card = ModelCard.read(folder)
    assert (card.method, card.label_set, card.summary) == (method, "camvid", "Draws noise.")
    assert json.loads((folder / "config.json").read_text())["training"].items() >= {"steps": 3}.items()
    assert all((path.stat().st_mode & 0o444) == 0o444 for path in folder.iterdir())
    assert [p.name for p in folder.parent.iterdir()] == ["tiny"]  # nothing half-written beside


def test_writing_again_keeps_the_card(method: str, folder: Path, camvid: LabelSet) -> None:
    (folder / "README.md").write_text("mine")
    (folder / "model.safetensors").unlink()
    SAVE[method](folder, camvid)
    assert (folder / "README.md").read_text() == "mine" and isinstance(load_model(folder), Synthesizer)


def test_nothing_stays_where_writing_fails(tmp_path: Path, camvid: LabelSet) -> None:
    def fail(folder: Path) -> None:
        raise OSError("no space left")

    facts = ModelFacts("pix2pix", Pix2PixConfig(num_classes=12), camvid, {})
    with pytest.raises(InputError, match="no space left"):
        write_model(tmp_path / "m", facts, {"a": torch.zeros(1)}, CARD, write_more=fail)
    assert not list(tmp_path.iterdir())


def test_exact_keeps_what_half_precision_would_round(tmp_path: Path, camvid: LabelSet) -> None:
    state = {"fits": torch.tensor([0.5]), "rounds": torch.tensor([0.1]), "count": torch.tensor(7)}
    facts = ModelFacts("pix2pix", Pix2PixConfig(num_classes=12), camvid, {})
    write_model(tmp_path / "m", facts, state, CARD, exact=True)
    stored = load_file(tmp_path / "m" / "model.safetensors")
    assert stored["fits"].dtype == torch.float16 and torch.equal(stored["rounds"], state["rounds"])
    assert stored["count"] == 7


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_truncated_or_missing_file_is_named(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ModelError, match=name) as caught:
        load_model(folder)
    assert "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(ModelError, match=name):
        load_model(folder)


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("config", [1], "is no configuration"),
        ("config", {"width": "broad", "num_classes": 12}, "width"),
        ("config", {"width": -1, "num_classes": 12}, "config.width is -1"),
        ("config", {"num_classes": 12, "colour": 1}, "colour"),
        ("config", {"num_classes": 11}, "11 classes, but its label set has 12"),
        ("label_set", {"name": "x"}, "classes"),
        ("format", 99, "format 99"),
    ],
)
def test_a_wrong_configuration_is_named(method: str, folder: Path, place: str, value: object, told: str) -> None:
    path = folder / "config.json"
    if method == "semia" and isinstance(value, dict):
        value = {k: v for k, v in value.items() if k != "num_classes"}  # it sees layouts in colours, not in channels
        if not value:
            return
    path.write_text(json.dumps(json.loads(path.read_text()) | {place: value}))
    with pytest.raises(ModelError, match=told):
        load_model(folder)


def test_weights_of_another_size_are_named(folder: Path) -> None:
    path = folder / "config.json"
    facts = json.loads(path.read_text())
    facts["config"]["width"] = 8
    path.write_text(json.dumps(facts))
    with pytest.raises(ModelError, match=r"model.safetensors does not hold the weights"):
        load_model(folder)


def test_styles_of_another_model_are_named(tmp_path: Path, camvid: LabelSet) -> None:
    save_pix2pixhd(tmp_path / "m", tiny_pix2pixhd(2), camvid, {}, CARD, styles=tiny_styles())
    with pytest.raises(ModelError, match=r"styles of 3 features, config.json says 2"):
        load_model(tmp_path / "m")


def test_an_editor_is_not_taken_for_a_synthesizer() -> None:
    with pytest.raises(ModelError, match="'canvas' edits photos, it makes no whole pictures; give"):
        load_synthesizer("canvas")


def test_a_synthesizer_is_nobodys_default(monkeypatch: pytest.MonkeyPatch, camvid: LabelSet) -> None:
    cards = [ModelCard("canvas", "canvas"), ModelCard("a-spade", "spade", "camvid")]
    monkeypatch.setattr("scenebrush.methods.list_models", lambda: cards)
    assert default_model(camvid) == default_model(camvid, adapting=True) == "canvas"
    assert list_models()
