"""Model folders: what is written is what is read; what is broken is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from scenebrush.errors import ModelError
from scenebrush.methods.base import ModelCard
from scenebrush.methods.sesame.config import SesameConfig
from scenebrush.methods.sesame.folder import load_generator, save_model
from scenebrush.methods.sesame.networks import WindowGenerator, build_generator
from scenebrush.scene.label_set import LabelSet


@pytest.fixture
def folder(tmp_path: Path, tiny_generator: WindowGenerator, tiny_config: SesameConfig, camvid: LabelSet) -> Path:
    save_model(tmp_path / "tiny", tiny_generator, tiny_config, camvid, {"steps": 3})
    return tmp_path / "tiny"


def test_what_is_read_is_what_was_written_within_half_precision(
    folder: Path, tiny_generator: WindowGenerator, tiny_config: SesameConfig, camvid: LabelSet
) -> None:
    generator, label_set = load_generator(folder)
    assert generator.config == tiny_config and label_set == camvid
    assert not generator.training and not any(p.requires_grad for p in generator.parameters())
    before = tiny_generator.state_dict()
    for key, value in generator.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, before[key].half().float()), key


def test_a_folder_holds_three_files_and_its_facts(folder: Path) -> None:
    assert sorted(p.name for p in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    facts = json.loads((folder / "config.json").read_text())
    assert facts["training"] == {"steps": 3}
    card = ModelCard.read(folder)
    assert (card.name, card.method, card.label_set) == ("tiny", "sesame", "camvid")
    assert all((path.stat().st_mode & 0o444) == 0o444 for path in folder.iterdir())


def test_writing_again_keeps_a_card_that_somebody_wrote(
    folder: Path, tiny_generator: WindowGenerator, tiny_config: SesameConfig, camvid: LabelSet
) -> None:
    (folder / "README.md").write_text("mine")
    save_model(folder, tiny_generator, tiny_config, camvid, {"steps": 4})
    assert (folder / "README.md").read_text() == "mine"
    assert json.loads((folder / "config.json").read_text())["training"] == {"steps": 4}


def test_what_half_precision_cannot_hold_is_kept_whole(
    tmp_path: Path, tiny_generator: WindowGenerator, tiny_config: SesameConfig, camvid: LabelSet
) -> None:
    key, parameter = next(iter(tiny_generator.named_parameters()))
    parameter.view(-1)[0] = 1e6
    save_model(tmp_path, tiny_generator, tiny_config, camvid, {})
    assert load_file(tmp_path / "model.safetensors")[key].view(-1)[0] == 1e6
    assert torch.equal(load_generator(tmp_path)[0].get_parameter(key), parameter)


def test_the_papers_network_goes_through_a_folder_too(tmp_path: Path, camvid: LabelSet) -> None:
    config = SesameConfig(num_classes=12, network="paper", width=4, num_blocks=1, num_residual=1)
    generator = build_generator(config)
    save_model(tmp_path, generator, config, camvid, {})
    after = load_generator(tmp_path)[0].state_dict()
    assert all(torch.allclose(v.float(), after[k].float(), atol=1e-3) for k, v in generator.state_dict().items())


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_truncated_file_is_named(folder: Path, name: str) -> None:
    path = folder / name
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ModelError, match=name) as caught:
        load_generator(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ModelError, match=name):
        load_generator(folder)


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        ("config", [1], "is no SESAME configuration"),
        ("config", {"width": "broad"}, "width"),
        ("config", {"width": -1}, "config.width is -1"),
        ("config", {"num_classes": 12, "colour": 1}, "colour"),
        ("config", {"num_classes": 11}, "11 classes, but its label set has 12"),
        ("label_set", {"name": "x"}, "classes"),
        ("format", 99, "format 99"),
    ],
)
def test_a_wrong_configuration_is_named(folder: Path, place: str, value: object, told: str) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {place: value}))
    with pytest.raises(ModelError, match=told):
        load_generator(folder)


def test_weights_of_another_size_are_named(folder: Path) -> None:
    path = folder / "config.json"
    facts = json.loads(path.read_text())
    facts["config"]["width"] = 8
    path.write_text(json.dumps(facts))
    with pytest.raises(ModelError, match=r"model.safetensors does not hold the weights"):
        load_generator(folder)


def test_weights_that_are_something_else_are_named(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(ModelError, match=r"model.safetensors"):
        load_generator(folder)
