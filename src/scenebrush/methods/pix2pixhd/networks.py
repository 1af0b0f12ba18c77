"""Builds pix2pixHD's networks from a configuration; generator and feature encoder answer to a batch together."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.errors import InputError
from scenebrush.layers import discriminators
from scenebrush.layers.discriminators.base import ConditionalDiscriminator
from scenebrush.layers.discriminators.feature_heads import FeatureDiscriminator, new_feature_discriminator
from scenebrush.layers.layouts import LayoutBatch, whole_classes
from scenebrush.methods.pix2pixhd.blocks import NORMS
from scenebrush.methods.pix2pixhd.config import Pix2PixHDConfig
from scenebrush.methods.pix2pixhd.discriminator import MultiscaleDiscriminator
from scenebrush.methods.pix2pixhd.encoder import FeatureEncoder, ObjectFeatures, pool_objects
from scenebrush.methods.pix2pixhd.generator import CoarseToFineGenerator
from scenebrush.methods.pix2pixhd.preprocess import (
    Condition,
    LayoutRows,
    StyledLayout,
    crop,
    prepare,
    shrink_image,
    with_styles,
)
from scenebrush.methods.pix2pixhd.strips import Strips, render

AnyModule = TypeVar("AnyModule", bound=nn.Module)


class Pix2PixHDNetworks(nn.Module):
    """Generator and, with styles, encoder behind one call: they are trained and averaged together."""

    def __init__(self, config: Pix2PixHDConfig, *, every_level: bool = False) -> None:
        """Builds both; `every_level` gives each level a head, to train coarse to fine (`schedule`)."""
        super().__init__()
        self.config = config
        norm = NORMS[config.norm]
        self.generator = CoarseToFineGenerator(
            config.generator_channels,
            width=config.width,
            num_downsamplings=config.num_downsamplings,
            num_blocks=config.num_blocks,
            num_enhancers=config.num_enhancers,
            num_enhancer_blocks=config.num_enhancer_blocks,
            norm=norm,
            every_level=every_level,
        )
        self.encoder: FeatureEncoder | None = None
        if config.num_features:
            self.encoder = FeatureEncoder(
                config.num_features,
                width=config.encoder_width,
                num_downsamplings=config.encoder_downsamplings,
                norm=norm,
            )

    def forward(self, batch: LayoutBatch, level: int | None = None) -> Tensor:
        """Returns pictures (B, 3, H, W) in [-1, 1] of a batch of the level's size, in the styles of its photos."""
        condition = self.condition(batch.label_map, batch.instance_map)
        styles = None
        if self.encoder is not None:
            styles = self.encode(batch.image, condition.objects, level=level).spread()
        picture: Tensor = self.generator(with_styles(condition.semantics, styles), level)
        return picture

    def condition(self, label_map: Tensor, instance_map: Tensor | None = None) -> Condition:
        """Returns the condition of a layout; see `preprocess.prepare`."""
        config = self.config
        return prepare(label_map, instance_map, num_classes=config.num_classes, boundaries=config.boundaries)

    def encode(self, image: Tensor, objects: Tensor, *, level: int | None = None) -> ObjectFeatures:
        """Returns the style of every object (`condition`) of photos (B, 3, H, W) in [-1, 1] of the level's size.

        The encoder always sees what the global generator sees, the photo at the coarsest size, so that styles mean the
        same at every level; the means are taken over the objects at full size, where none is lost.
        """
        if self.encoder is None:
            raise InputError("this pix2pixHD model has no feature encoder; leave the style photo out")
        times = self.config.num_enhancers if level is None else level
        features = self.encoder.features(shrink_image(image, times))
        if times:
            features = F.interpolate(features, scale_factor=float(2**times), mode="nearest")
        return pool_objects(features, whole_classes(objects) if self.config.pooling == "class" else objects)

    @torch.inference_mode()
    def synthesize(
        self,
        label_map: Tensor,
        instance_map: Tensor | None = None,
        *,
        styles: Tensor | None = None,
        strips: Strips | None = None,
    ) -> Tensor:
        """Returns the picture (B, 3, H, W) in [-1, 1] of a layout of any size, no photo needed.

        The layout is padded to what the network takes and the picture cropped. `styles` (B, F, H, W) are the objects'
        features (`styles.StyleBook.feature_map`), by default 0. Nothing is kept for a gradient. `strips` bounds the
        memory that large pictures need (`strips.render`).
        """
        layout = StyledLayout.of(label_map, instance_map, styles)
        if layout.styles is None and self.encoder is not None:
            batch, _, height, width = layout.label_map.shape
            none = torch.zeros(batch, self.config.num_features, height, width, device=label_map.device)
            layout = layout._replace(styles=none)
        layout, padding = layout.padded(self.generator.divisor, self.generator.smallest)
        if strips is None:
            seen = self.input(layout).to(next(self.generator.parameters()).dtype)  # of a model in bfloat16, say
            picture = self.generator(seen.contiguous(memory_format=torch.channels_last))
        else:
            pictures = [render(self.generator, LayoutRows(one, self.input), strips) for one in layout.samples()]
            picture = torch.cat(pictures)
        return crop(picture, padding)

    def input(self, layout: StyledLayout) -> Tensor:
        """Returns the generator's input (B, C, H, W): one-hot labels | boundaries | style features."""
        return with_styles(self.condition(layout.label_map, layout.instance_map).semantics, layout.styles)


def build_networks(config: Pix2PixHDConfig, *, every_level: bool = False) -> Pix2PixHDNetworks:
    """Returns generator and encoder in channels_last, initialised from torch's global seed."""
    return channels_last(Pix2PixHDNetworks(config, every_level=every_level))


def build_discriminator(config: Pix2PixHDConfig) -> ConditionalDiscriminator | FeatureDiscriminator:
    """Returns the discriminator that the configuration names, for the generator's semantics without the styles."""
    channels, width = config.condition_channels, config.discriminator_width
    if config.discriminator == "features":
        return new_feature_discriminator(channels, width)
    layers, scales = config.discriminator_layers, config.discriminator_scales
    made: ConditionalDiscriminator
    if config.discriminator == "multiscale":
        made = MultiscaleDiscriminator(
            channels, width=width, num_layers=layers, num_scales=scales, norm=NORMS[config.norm]
        )
    else:  # the others count the unstrided layer too
        made = discriminators.build_discriminator(
            config.discriminator, channels, width=width, num_layers=layers + 1, num_scales=scales
        )
    return channels_last(made)


def channels_last(network: AnyModule) -> AnyModule:
    """Returns the network itself, its weights laid out for convolutions on CPUs and tensor cores."""
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
