"""Model folders of SPADE."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scenebrush.methods.model_folder import ModelFacts, load_weights, read_facts, write_model
from scenebrush.methods.spade.config import SpadeConfig
from scenebrush.methods.spade.networks import SpadeNetworks, build_networks
from scenebrush.scene.label_set import LabelSet

METHOD = "spade"


def save_model(
    folder: Path,
    networks: SpadeNetworks,
    label_set: LabelSet,
    training: Mapping[str, Any],
    card: str,
    *,
    exact: bool = False,
) -> None:
    """Writes a model folder, whole or not at all; weights in half precision. See `model_folder.write_model`."""
    facts = ModelFacts(METHOD, networks.config, label_set, training)
    write_model(folder, facts, networks.state_dict(), card, exact=exact)


def load_networks(folder: Path) -> tuple[SpadeNetworks, LabelSet]:
    """Returns generator and encoder of a model folder, float32, ready to be asked, and the label set.

    `ModelError` where the folder is not whole.
    """
    config, label_set = read_facts(folder, METHOD, SpadeConfig)
    return load_weights(folder, lambda: build_networks(config)), label_set
