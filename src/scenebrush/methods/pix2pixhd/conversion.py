"""From the authors' checkpoints to our networks: the whole configuration is read off the shapes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from scenebrush.errors import ModelError
from scenebrush.methods.pix2pixhd.config import Pix2PixHDConfig
from scenebrush.methods.pix2pixhd.encoder import FeatureEncoder
from scenebrush.methods.pix2pixhd.generator import CoarseToFineGenerator
from scenebrush.methods.pix2pixhd.networks import Pix2PixHDNetworks, channels_last
from scenebrush.methods.pix2pixhd.original_keys import encoder_from_original, generator_from_original


def networks_from_original(
    generator_state: Mapping[str, Tensor],
    encoder_state: Mapping[str, Tensor] | None = None,
    *,
    num_classes: int,
) -> Pix2PixHDNetworks:
    """Returns the networks of the authors' `*_net_G.pth` and, with styles, `*_net_E.pth`, their configuration inside.

    `num_classes` is the label set's (Cityscapes: 35); what the generator sees beside it are boundaries and styles.
    `ModelError` names a key that does not fit, or the number of channels that does not.
    """
    generator = generator_from_original(generator_state)
    encoder = None if encoder_state is None else encoder_from_original(encoder_state)
    config = config_of(generator, encoder, num_classes=num_classes)
    with torch.device("meta"):
        networks = Pix2PixHDNetworks(config)
    networks.generator, networks.encoder = generator, encoder
    return channels_last(networks)


def config_of(
    generator: CoarseToFineGenerator, encoder: FeatureEncoder | None = None, *, num_classes: int
) -> Pix2PixHDConfig:
    """Returns the configuration of networks; `ModelError` where classes and styles do not make up the input."""
    num_features = encoder.head.out_channels if encoder is not None else 0
    beside = generator.in_channels - num_features - num_classes
    if beside not in (0, 1):
        raise ModelError(
            f"the generator sees {generator.in_channels} channels; {num_classes} classes and {num_features} style"
            f" features leave {beside}, expected 1 for the boundaries or 0; give the label set and the encoder"
            " (*_net_E.pth) that it was trained with"
        )
    trunk = generator.trunk
    enhancer_blocks = [len(enhancer.residual_blocks) for enhancer in generator.enhancers]  # type: ignore[arg-type]
    return Pix2PixHDConfig(
        num_classes=num_classes,
        boundaries=beside == 1,
        num_features=num_features,
        width=trunk.first.convolution.out_channels,
        num_downsamplings=len(trunk.down_blocks),
        num_blocks=len(trunk.residual_blocks),
        num_enhancers=len(generator.enhancers),
        num_enhancer_blocks=enhancer_blocks[0] if enhancer_blocks else 3,
        norm="batch" if isinstance(trunk.first.norm, nn.BatchNorm2d) else "instance",
        encoder_width=encoder.trunk.first.convolution.out_channels if encoder is not None else 16,
        encoder_downsamplings=len(encoder.trunk.down_blocks) if encoder is not None else 4,
    )
