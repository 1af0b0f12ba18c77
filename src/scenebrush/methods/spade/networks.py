"""Builds SPADE's networks from a configuration; generator and style encoder answer to a batch together."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from scenebrush.errors import InputError
from scenebrush.layers import discriminators
from scenebrush.layers.discriminators.feature_heads import FeatureDiscriminator, new_feature_discriminator
from scenebrush.methods.spade.config import SpadeConfig
from scenebrush.methods.spade.encoder import ImageEncoder, Style
from scenebrush.methods.spade.generator import SPADEGenerator
from scenebrush.methods.spade.preprocess import LayoutBatch, object_map, prepare

AnyModule = TypeVar("AnyModule", bound=nn.Module)


class Drawing(NamedTuple):
    """What the networks make of a batch: the picture (B, 3, H, W) in [-1, 1] and the photos' style, if they have."""

    image: Tensor
    style: Style | None = None


class SpadeNetworks(nn.Module):
    """Generator and, with styles, encoder behind one call: `LayoutBatch` -> `Drawing`."""

    def __init__(self, config: SpadeConfig) -> None:
        super().__init__()
        self.config = config
        style_channels = config.style_channels if config.style else None
        self.generator = SPADEGenerator(
            config.condition_channels,
            width=config.width,
            modulation_width=config.modulation_width,
            upsampling=config.upsampling,
            crop_size=config.crop_size,
            aspect_ratio=config.aspect_ratio,
            style_channels=style_channels,
        )
        self.encoder: ImageEncoder | None = None
        if config.style:
            self.encoder = ImageEncoder(width=config.width, style_channels=config.style_channels)

    def forward(self, batch: LayoutBatch, noise: torch.Generator | None = None) -> Drawing:
        """Returns the drawing of a batch, with styles in the style of its photos; `noise` draws from their range."""
        semantics = self.semantics(batch.label_map, batch.instance_map)
        if self.encoder is None:
            return Drawing(self.generator(semantics))
        style: Style = self.encoder(batch.image)
        return Drawing(self.generator(semantics, style.draw(noise)), style)

    def synthesize(
        self,
        label_map: Tensor,
        instance_map: Tensor | None = None,
        *,
        style_image: Tensor | None = None,
        noise: torch.Generator | None = None,
    ) -> Tensor:
        """Returns a picture (B, 3, H, W) in [-1, 1] of a layout, no photo needed.

        With styles: the mean style of `style_image` (B, 3, h, w) in [-1, 1], or one drawn from N(0, 1) with `noise`.
        """
        semantics = self.semantics(label_map, instance_map)
        picture: Tensor = self.generator(semantics, self._style(len(semantics), style_image, noise))
        return picture

    def _style(self, batch: int, image: Tensor | None, noise: torch.Generator | None) -> Tensor | None:
        if self.encoder is None:
            if image is not None:
                raise InputError("this SPADE model has no style encoder; leave the style photo out")
            return None
        if image is not None:
            style: Style = self.encoder(image)
            return style.mean
        weight = self.encoder.mean.weight
        drawn = torch.randn(
            (batch, self.config.style_channels), generator=noise, device="cpu" if noise is None else noise.device
        )
        return drawn.to(weight)

    def semantics(self, label_map: Tensor, instance_map: Tensor | None) -> Tensor:
        """Returns the semantics (B, S, H, W) that generator and discriminator see; see `preprocess.prepare`.

        Boundaries run between objects: instances, and classes where there are none or no instance map.
        """
        return prepare(
            label_map,
            num_classes=self.config.num_classes,
            dontcare_channel=self.config.dontcare_channel,
            instance_map=object_map(label_map, instance_map) if self.config.boundary_channel else None,
        )


def build_networks(config: SpadeConfig) -> SpadeNetworks:
    """Returns generator and encoder in channels_last, initialised from torch's global seed."""
    return channels_last(SpadeNetworks(config))


def build_discriminator(config: SpadeConfig) -> discriminators.ConditionalDiscriminator | FeatureDiscriminator:
    """Returns the discriminator that the configuration names, for the same semantics as the generator's."""
    if config.discriminator == "features":
        return new_feature_discriminator(config.condition_channels, config.discriminator_width)
    discriminator = discriminators.build_discriminator(
        config.discriminator,
        config.condition_channels,
        width=config.discriminator_width,
        num_layers=config.discriminator_layers,
        num_scales=config.discriminator_scales,
        mean_gate=config.discriminator_mean_gate,
    )
    return channels_last(discriminator)


def channels_last(network: AnyModule) -> AnyModule:
    """Returns the network itself, its weights laid out for convolutions on CPUs and tensor cores."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
