"""Builds SESAME's networks from a configuration; both generators answer to a batch of windows alike."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import nn

from scenebrush.layers.discriminators.feature_heads import FeatureDiscriminator
from scenebrush.layers.spectral_norm import settle_
from scenebrush.methods.sesame.compact import CompactGenerator, Drawing
from scenebrush.methods.sesame.config import SesameConfig
from scenebrush.methods.sesame.discriminator import SesameDiscriminator
from scenebrush.methods.sesame.generator import SesameGenerator
from scenebrush.methods.sesame.inputs import EditBatch
from scenebrush.methods.sesame.preprocess import prepare

AnyModule = TypeVar("AnyModule", bound=nn.Module)


class WindowGenerator(nn.Module):
    """Either generator behind one call: `EditBatch` -> `Drawing`."""

    def __init__(self, config: SesameConfig) -> None:
        super().__init__()
        self.config = config
        self.network: CompactGenerator | SesameGenerator
        if config.network == "compact":
            self.network = CompactGenerator(
                config.num_classes,
                config.thing_classes,
                width=config.width,
                num_blocks=config.num_blocks,
                embedding=config.embedding,
                guided=config.guided,
            )
        else:
            self.network = SesameGenerator(
                config.num_classes + 1,
                width=config.width,
                num_residual_blocks=config.num_residual,
                num_spade_blocks=config.num_blocks,
                skips=config.skips,
                wide=config.wide,
            )

    def forward(self, batch: EditBatch) -> Drawing:
        """Returns the drawing of a batch; see `Drawing`."""
        if isinstance(self.network, CompactGenerator):
            drawing: Drawing = self.network(*batch)
            return drawing
        seen = prepare(
            batch.image,
            batch.label_map,
            batch.hole,
            num_classes=self.config.num_classes,
            semantics_everywhere=self.config.semantics == "everywhere",
        )
        image = self.network(seen.masked_image, seen.condition)
        return Drawing(image, image, torch.zeros_like(batch.hole))


def build_generator(config: SesameConfig) -> WindowGenerator:
    """Returns the generator in channels_last, initialised from torch's global seed."""
    return channels_last(WindowGenerator(config))


def build_discriminator(config: SesameConfig) -> SesameDiscriminator | FeatureDiscriminator:
    """Returns the configuration's discriminator for its classes plus the hole mask, ready to judge."""
    discriminator: SesameDiscriminator | FeatureDiscriminator
    if config.discriminator == "features":
        discriminator = FeatureDiscriminator(config.num_classes + 1, width=config.discriminator_width)
    else:
        discriminator = SesameDiscriminator(
            config.num_classes + 1,
            width=config.discriminator_width,
            num_layers=config.discriminator_layers,
            num_scales=config.discriminator_scales,
            mean_gate=config.discriminator_mean_gate,
        )
    settle_(discriminator)  # the generator's first step asks it before it has learned anything
    return channels_last(discriminator)


def channels_last(network: AnyModule) -> AnyModule:
    """Returns the network itself, its weights laid out for convolutions on CPUs and tensor cores."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
