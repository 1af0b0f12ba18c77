"""Model folders of pix2pixHD: beside the usual files the styles of each class, where the model has them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from scenebrush.errors import ModelError
from scenebrush.methods.model_folder import ModelFacts, load_weights, read_facts, write_model
from scenebrush.methods.pix2pixhd.config import Pix2PixHDConfig
from scenebrush.methods.pix2pixhd.networks import Pix2PixHDNetworks, build_networks
from scenebrush.methods.pix2pixhd.styles import StyleBook
from scenebrush.scene.label_set import LabelSet

METHOD = "pix2pixhd"


class LoadedModel(NamedTuple):
    """A model folder's content: networks in evaluation mode, their label set, the styles or None."""

    networks: Pix2PixHDNetworks
    label_set: LabelSet
    styles: StyleBook | None


def save_model(
    folder: Path,
    networks: Pix2PixHDNetworks,
    label_set: LabelSet,
    training: Mapping[str, Any],
    card: str,
    *,
    styles: StyleBook | None = None,
    exact: bool = False,
) -> None:
    """Writes a model folder, whole or not at all; weights in half precision. See `model_folder.write_model`.

    Of networks with a head for every level (`build_networks(..., every_level=True)`) the finest head is kept:
    the folder is loaded without the others.
    """
    finest = f"generator.heads.{networks.config.num_enhancers}."
    state = {
        key: value
        for key, value in networks.state_dict().items()
        if not key.startswith("generator.heads.") or key.startswith(finest)
    }
    facts = ModelFacts(METHOD, networks.config, label_set, training)
    write_model(folder, facts, state, card, exact=exact, write_more=None if styles is None else styles.save)


def load_model(folder: Path) -> LoadedModel:
    """Returns what a model folder holds, float32, ready to be asked; `ModelError` where it is not whole.

    Styles are read where the model has an encoder and the folder has them.
    """
    config, label_set = read_facts(folder, METHOD, Pix2PixHDConfig)
    networks = load_weights(folder, lambda: build_networks(config))
    styles = None
    if config.num_features and any((folder / f"styles.{end}").exists() for end in ("json", "safetensors")):
        styles = StyleBook.load(folder)
        if styles.num_features != config.num_features:
            raise ModelError(
                f"{folder / 'styles.json'} has styles of {styles.num_features} features, config.json says"
                f" {config.num_features}; take the model folder from its source again"
            )
    return LoadedModel(networks, label_set, styles)
