"""Model folders of the segmenter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scenebrush.errors import ModelError
from scenebrush.methods.model_folder import ModelFacts, load_weights, read_facts, write_model
from scenebrush.methods.segmenter.classes import known_ids
from scenebrush.methods.segmenter.config import SegmenterConfig
from scenebrush.methods.segmenter.network import SegmentationNetwork, build_network
from scenebrush.scene.label_set import LabelSet

METHOD = "segmenter"


def save_model(
    folder: Path,
    network: SegmentationNetwork,
    config: SegmenterConfig,
    label_set: LabelSet,
    training: Mapping[str, Any],
    card: str,
) -> None:
    """Writes a model folder, whole or not at all; weights in half precision. See `model_folder.write_model`."""
    write_model(folder, ModelFacts(METHOD, config, label_set, training), network.state_dict(), card)


def load_network(folder: Path) -> tuple[SegmentationNetwork, SegmenterConfig, LabelSet]:
    """Returns the network of a model folder, float32, ready to be asked, its configuration and label set.

    What does not hold together raises `ModelError`.
    """
    config, label_set = read_facts(folder, METHOD, SegmenterConfig)
    known = len(known_ids(label_set))
    if config.num_outputs != known:
        raise ModelError(
            f"{folder / 'config.json'} has {config.num_outputs} outputs for {known} classes that are not void;"
            " take the model folder from its source again"
        )
    return load_weights(folder, lambda: build_network(config)), config, label_set
