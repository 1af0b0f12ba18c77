"""SPADE's released checkpoints as our networks; what no shape tells is an option."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn

from scenebrush.errors import ModelError
from scenebrush.layers.norms import ParameterFreeBatchNorm
from scenebrush.methods.checkpoints import Converted, States, label_channels, read_encoder, unlabelled_first
from scenebrush.methods.spade.config import SpadeConfig
from scenebrush.methods.spade.generator import UPSAMPLINGS, SPADEGenerator, Upsampling
from scenebrush.methods.spade.networks import SpadeNetworks, channels_last
from scenebrush.methods.spade.original_keys import encoder_from_original, generator_from_original
from scenebrush.scene.label_set import LabelSet

_UNKNOWN_FIRST: Final = "ade20k"  # our id 0 is unlabelled; the authors moved it behind the 150 classes


@dataclass(frozen=True)
class Options:
    """What the shapes do not tell.

    Args:
        upsampling: "normal", "more" or "most"; None: see `generator_from_original`.
        aspect_ratio: width / height of the training pictures, of a generator with styles; None: 1 or 2.
        boundaries: whether the last channel is the boundaries of instances; None: where one is left.
        unlabelled_last: whether the class that means unlabelled, the label set's first, is the network's last; None: of
            ADE20K it is.
    """

    upsampling: Upsampling | None = None
    aspect_ratio: float | None = None
    boundaries: bool | None = None
    unlabelled_last: bool | None = None


def convert(states: States, label_set: LabelSet, options: Options) -> Converted:
    """Returns configuration and networks of the authors' `*_net_G.pth` and, with styles, `*_net_E.pth`.

    Raises:
        ModelError: a key that is missing, left over or of another shape; a label set of other classes; an encoder that
            is missing, or that has no use.
    """
    generator = generator_from_original(
        states.generator, upsampling=options.upsampling, aspect_ratio=options.aspect_ratio
    )
    if not isinstance(generator.head.modulation_0.norm, ParameterFreeBatchNorm):
        raise ModelError(
            "the generator has instance norm; expected batch norm with its running statistics, as released"
        )
    styled = generator.style_channels is not None
    if styled != (states.encoder is not None):
        raise ModelError(
            "the generator draws in styles; give its encoder too, *_net_E.pth"
            if styled
            else "the generator has no styles, the encoder no use; leave it out"
        )
    config = _config(generator, label_set, options)
    with torch.device("meta"):
        networks = SpadeNetworks(config)
    unknown_last = label_set.name == _UNKNOWN_FIRST if options.unlabelled_last is None else options.unlabelled_last
    _load(networks.generator, _ordered(generator.state_dict(), config.num_classes if unknown_last else 0))
    if states.encoder is not None and networks.encoder is not None:
        _load(networks.encoder, read_encoder(encoder_from_original, states.encoder).state_dict())
    return Converted(config, channels_last(networks))


def _config(generator: SPADEGenerator, label_set: LabelSet, options: Options) -> SpadeConfig:
    channels = label_channels(generator.condition_channels, label_set, options.boundaries)
    height, width = generator.latent_size
    return SpadeConfig(
        num_classes=channels.num_classes,
        boundary_channel=channels.boundaries,
        width=generator.head.modulation_0.gamma.out_channels // 16,
        upsampling=generator.upsampling,
        crop_size=width * 2 ** UPSAMPLINGS[generator.upsampling],
        aspect_ratio=options.aspect_ratio or width / height,
        style=generator.style_channels is not None,
        style_channels=generator.style_channels or SpadeConfig.style_channels,
    )


def _ordered(state: dict[str, Tensor], num_classes: int) -> dict[str, Tensor]:
    """Returns the state, the last of so many classes moved to the front of all that sees labels; 0: as it is."""
    sees_labels = [k for k in state if k.endswith(".hidden.weight") or (k == "first.weight" and state[k].ndim == 4)]
    return {**state, **{key: unlabelled_first(state[key], num_classes) for key in sees_labels if num_classes}}


def _load(network: nn.Module, state: dict[str, Tensor]) -> None:
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ModelError(
            f"the checkpoint has options that a model folder of SPADE has no place for: {reason}"
        ) from error
