"""Model folders of SemIA: the networks, and the photo that they learned with its layout."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, cast

import numpy as np
from torch import Tensor

from scenebrush.errors import LabelError, ModelError
from scenebrush.methods.base import read_config
from scenebrush.methods.model_folder import ModelFacts, read_facts, write_model
from scenebrush.methods.semia.config import SemiaConfig, SemiaKind
from scenebrush.methods.semia.source import Source
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout

METHOD = "semia"

RENDERERS: Final[Mapping[SemiaKind, str]] = {"paper": "paper_method", "compact": "compact_method"}
"""Kind -> the module beside this one with `load_renderer(folder, config, source) -> Renderer`."""


class Renderer(Protocol):
    """The networks of a fit, ready to draw.

    `any_size` is whether layouts may have another size than the photo, `varies` whether two seeds may give two
    pictures.
    """

    @property
    def any_size(self) -> bool: ...

    @property
    def varies(self) -> bool: ...

    def render(self, layout: Layout, seed: int) -> np.ndarray:
        """Returns the picture of a layout, uint8 (H, W, 3) RGB of its size; every class in it is one of the photo's."""
        ...


class Fit(NamedTuple):
    """What a model folder says: the configuration, and the photo that was learned."""

    config: SemiaConfig
    source: Source


def save_model(
    folder: Path,
    config: SemiaConfig,
    source: Source,
    state: Mapping[str, Tensor],
    training: Mapping[str, Any],
    card: str,
) -> None:
    """Writes a model folder, whole or not at all; see `model_folder.write_model`.

    Weights are kept as they are: the paper's ratio of features (SFT) makes 255 levels of what half precision rounds.
    A `classes.json` that is there stays: its classes may have been renamed.
    """

    def write_source(beside: Path) -> None:
        source.save(beside)
        if (folder / "classes.json").is_file():
            (beside / "classes.json").unlink()

    facts = ModelFacts(METHOD, config, source.layout.label_set, {**training, "layout": source.kind})
    write_model(folder, facts, state, card, exact=True, write_more=write_source)


def read_fit(folder: Path) -> Fit:
    """Returns configuration and photo of a model folder; `ModelError` names what is missing or does not hold.

    The classes have the names of its `classes.json`, where they may have been given others since.
    """
    config, label_set = read_facts(folder, METHOD, SemiaConfig)
    training = read_config(folder).get("training") or {}
    return Fit(config, Source.load(folder, _renamed(folder, label_set), str(training.get("layout", "labels"))))


def load_renderer(folder: Path, fit: Fit) -> Renderer:
    """Returns what draws with a model folder's weights; `ModelError` where they do not fit its configuration."""
    module = import_module(f"scenebrush.methods.semia.{RENDERERS[fit.config.kind]}")
    return cast(Renderer, module.load_renderer(folder, fit.config, fit.source))


def _renamed(folder: Path, label_set: LabelSet) -> LabelSet:
    path = folder / "classes.json"
    if not path.is_file():
        return label_set
    try:
        found = LabelSet.load(path)
    except LabelError as error:
        raise ModelError(str(error)) from error
    if sorted(found.ids) != sorted(label_set.ids):
        raise ModelError(
            f"{path} has ids {sorted(found.ids)}, the fit has {sorted(label_set.ids)}; rename classes, keep their ids"
        )
    return found
