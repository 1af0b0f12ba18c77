"""What SPADE can do: draw whole pictures from layouts, in a photo's style where it has styles, and serve edits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from scenebrush.errors import InputError, ModelError
from scenebrush.methods.base import Style
from scenebrush.methods.layout_arrays import check_label_set, layout_tensors, photo_tensor, picture
from scenebrush.methods.spade.folder import load_networks
from scenebrush.methods.spade.networks import SpadeNetworks
from scenebrush.methods.synthesis_editing import edit_by_synthesis
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene


class SpadeSynthesizer:
    """Draws pictures; a `Synthesizer` and, through `edit_by_synthesis`, an `Editor`.

    Args:
        networks: trained, in evaluation mode.
        label_set: the classes that they know, in the order of their indices.
        name: for messages and tables.
    """

    def __init__(self, networks: SpadeNetworks, label_set: LabelSet, *, name: str = "spade") -> None:
        self.networks = networks
        self.label_set = label_set
        self.name = name

    def synthesize(self, layout: Layout, *, seed: int = 0, style: Style | None = None) -> np.ndarray:
        """Returns the picture of a layout; see `methods.base.Synthesizer`.

        With a style encoder: in the mean style of a photo, else in one that the seed draws. The photo's layout does
        not matter.
        """
        check_label_set(self.name, self.label_set, layout)
        image = self._style_image(style)
        label_map, instance_map = layout_tensors(layout, self.networks.generator.divisor)
        noise = torch.Generator().manual_seed(seed)
        with torch.inference_mode():
            drawn = self.networks.synthesize(label_map, instance_map, style_image=image, noise=noise)
            return picture(drawn, layout.shape)

    def varies(self, style: Style | None = None) -> bool:
        """Returns whether seeds change the picture: with a style encoder, and no photo to take the style from."""
        return self.networks.encoder is not None and (style is None or style.photo is None)

    def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
        """Returns the photo after the edit, drawn in its own style; see `methods.base.Editor.edit`."""
        return edit_by_synthesis(self, scene, edit, seed=seed, photo_style=self.networks.encoder is not None)

    def _style_image(self, style: Style | None) -> torch.Tensor | None:
        if style is None:
            return None
        if style.classes:
            name = next(iter(style.classes))
            raise InputError(
                f"model {self.name!r} has no styles of single classes, as asked for {name!r}: SPADE's style is one of"
                " the whole picture; leave it out"
            )
        if style.photo is None:
            return None
        if self.networks.encoder is None:
            raise InputError(
                f"model {self.name!r} has no style encoder; leave the style photo out, or train with style"
            )
        return photo_tensor(style.photo)


def load(folder: Path | None) -> SpadeSynthesizer:
    """Returns the synthesizer of a model folder; see `folder.load_networks` for what may be wrong with it."""
    if folder is None:
        raise ModelError("method 'spade' needs a model folder; name one that was trained, or use scenebrush convert")
    networks, label_set = load_networks(folder)
    return SpadeSynthesizer(networks, label_set, name=folder.resolve().name)
