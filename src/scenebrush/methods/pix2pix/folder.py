"""Model folders of pix2pix."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scenebrush.methods.model_folder import ModelFacts, load_weights, read_facts, write_model
from scenebrush.methods.pix2pix.config import Pix2PixConfig
from scenebrush.methods.pix2pix.networks import Pix2PixNetwork, build_network
from scenebrush.scene.label_set import LabelSet

METHOD = "pix2pix"


def save_model(
    folder: Path, network: Pix2PixNetwork, label_set: LabelSet, training: Mapping[str, Any], card: str
) -> None:
    """Writes a model folder, whole or not at all; weights in half precision. See `model_folder.write_model`."""
    write_model(folder, ModelFacts(METHOD, network.config, label_set, training), network.state_dict(), card)


def load_network(folder: Path) -> tuple[Pix2PixNetwork, LabelSet]:
    """Returns the generator of a model folder, float32, ready to be asked, and its label set; else `ModelError`."""
    config, label_set = read_facts(folder, METHOD, Pix2PixConfig)
    return load_weights(folder, lambda: build_network(config)), label_set
