"""Builds pix2pix's networks from a configuration; the generator answers to a batch of layouts."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scenebrush.layers.layouts import LayoutBatch
from scenebrush.layers.semantics import one_hot_semantics
from scenebrush.methods.pix2pix.config import Pix2PixConfig
from scenebrush.methods.pix2pix.discriminator import PatchDiscriminator
from scenebrush.methods.pix2pix.generator import UNetGenerator


class Pix2PixNetwork(nn.Module):
    """The generator behind one call: `LayoutBatch` -> picture."""

    def __init__(self, config: Pix2PixConfig) -> None:
        super().__init__()
        self.config = config
        self.generator = UNetGenerator(
            config.num_classes, width=config.width, depth=config.depth, dropout=config.dropout
        )

    def forward(self, batch: LayoutBatch, noise: torch.Generator | None = None) -> Tensor:
        """Returns the pictures (B, 3, H, W) in [-1, 1] of a batch's layouts; the photos are not looked at."""
        return self.synthesize(batch.label_map, noise)

    def synthesize(self, label_map: Tensor, noise: torch.Generator | None = None) -> Tensor:
        """Returns the picture (B, 3, H, W) in [-1, 1] of a layout; `noise` as in `UNetGenerator.forward`."""
        picture: Tensor = self.generator(self.semantics(label_map), noise)
        return picture

    def semantics(self, label_map: Tensor) -> Tensor:
        """Returns one-hot labels (B, S, H, W), 0 where a pixel is unlabelled; no boundaries: pix2pix has none."""
        return one_hot_semantics(label_map, self.config.num_classes)


def build_network(config: Pix2PixConfig) -> Pix2PixNetwork:
    """Returns the generator in channels_last, initialised from torch's global seed."""
    network = Pix2PixNetwork(config)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def build_discriminator(config: Pix2PixConfig) -> PatchDiscriminator:
    """Returns the patch discriminator in channels_last, initialised from torch's global seed."""
    discriminator = PatchDiscriminator(
        config.num_classes, width=config.discriminator_width, num_layers=config.discriminator_layers
    )
    discriminator.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return discriminator
