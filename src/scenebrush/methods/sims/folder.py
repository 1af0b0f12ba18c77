"""Model folders of SIMS. The memory bank is not in it: it holds other people's pixels (`bank.Bank`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scenebrush.methods.model_folder import ModelFacts, load_weights, read_facts, write_model
from scenebrush.methods.sims.config import SimsConfig
from scenebrush.methods.sims.networks import SimsNetworks, build_networks
from scenebrush.scene.label_set import LabelSet

METHOD = "sims"


def save_model(
    folder: Path, networks: SimsNetworks, label_set: LabelSet, training: Mapping[str, Any], card: str
) -> None:
    """Writes a model folder, whole or not at all; weights in half precision. See `model_folder.write_model`."""
    write_model(folder, ModelFacts(METHOD, networks.config, label_set, training), networks.state_dict(), card)


def load_networks(folder: Path) -> tuple[SimsNetworks, LabelSet]:
    """Returns the networks of a model folder, float32, ready to be asked, and its label set; else `ModelError`."""
    config, label_set = read_facts(folder, METHOD, SimsConfig)
    return load_weights(folder, lambda: build_networks(config)), label_set
