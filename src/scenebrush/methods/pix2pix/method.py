"""What pix2pix can do: draw whole pictures from label maps, and serve edits with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from scenebrush.errors import InputError, ModelError
from scenebrush.methods.base import Style
from scenebrush.methods.layout_arrays import check_label_set, layout_tensors, picture
from scenebrush.methods.pix2pix.folder import load_network
from scenebrush.methods.pix2pix.networks import Pix2PixNetwork
from scenebrush.methods.synthesis_editing import edit_by_synthesis
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene


class Pix2PixSynthesizer:
    """Draws pictures; a `Synthesizer` and, through `edit_by_synthesis`, an `Editor`.

    Args:
        network: a trained generator in evaluation mode.
        label_set: the classes that it knows, in the order of its indices.
        name: for messages and tables.
    """

    def __init__(self, network: Pix2PixNetwork, label_set: LabelSet, *, name: str = "pix2pix") -> None:
        self.network = network
        self.label_set = label_set
        self.name = name

    def synthesize(self, layout: Layout, *, seed: int = 0, style: Style | None = None) -> np.ndarray:
        """Returns the picture of a layout; see `methods.base.Synthesizer`. Seed 0 draws without noise (dropout)."""
        if style is not None:
            raise InputError(f"model {self.name!r} has no styles: pix2pix varies by noise alone; give a seed instead")
        check_label_set(self.name, self.label_set, layout)
        noise = torch.Generator().manual_seed(seed) if seed else None
        labels = layout_tensors(layout, self.network.generator.divisor).label_map
        with torch.inference_mode():
            return picture(self.network.synthesize(labels, noise), layout.shape)

    def varies(self, style: Style | None = None) -> bool:
        """Returns whether seeds change the picture: where there is dropout."""
        return self.network.config.dropout > 0

    def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
        """Returns the photo after the edit; see `methods.base.Editor.edit`."""
        return edit_by_synthesis(self, scene, edit, seed=seed)


def load(folder: Path | None) -> Pix2PixSynthesizer:
    """Returns the synthesizer of a model folder; see `folder.load_network` for what may be wrong with it."""
    if folder is None:
        raise ModelError("method 'pix2pix' needs a model folder; name one that was trained")
    network, label_set = load_network(folder)
    return Pix2PixSynthesizer(network, label_set, name=folder.resolve().name)
