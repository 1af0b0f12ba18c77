"""Model folders of SEIGAN."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scenebrush.methods.model_folder import ModelFacts, load_weights, read_facts, write_model
from scenebrush.methods.seigan.config import SeiganConfig
from scenebrush.methods.seigan.networks import SeiganNetworks, build_networks
from scenebrush.scene.label_set import LabelSet

METHOD = "seigan"


def save_model(
    folder: Path, networks: SeiganNetworks, label_set: LabelSet, training: Mapping[str, Any], card: str
) -> None:
    """Writes a model folder, whole or not at all; weights in half precision. See `model_folder.write_model`.

    The discriminators are not in it.
    """
    write_model(folder, ModelFacts(METHOD, networks.config, label_set, training), networks.state_dict(), card)


def load_networks(folder: Path) -> tuple[SeiganNetworks, LabelSet]:
    """Returns the generators of a model folder, float32, ready to be asked, and its label set; else `ModelError`."""
    config, label_set = read_facts(folder, METHOD, SeiganConfig)
    return load_weights(folder, lambda: build_networks(config)), label_set
