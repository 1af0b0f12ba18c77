"""Reads state dicts under the authors' key names (SPADE's `*_net_G.pth`, `_D.pth`, `_E.pth`) and writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import torch
from torch import Tensor, nn

from scenebrush.errors import ModelError
from scenebrush.layers.norms import ParameterFreeBatchNorm
from scenebrush.methods.original_state import SPADE_BLOCKS, count, plain, renamed, spectral, take
from scenebrush.methods.spade.discriminator import SPADEDiscriminator
from scenebrush.methods.spade.encoder import ImageEncoder
from scenebrush.methods.spade.generator import UPSAMPLINGS, SPADEGenerator, Upsampling

# Our name -> the authors', applied one after another; numbers in \1, \2 stay.
_TO_ORIGINAL: Final = [
    (re.compile(pattern), original)
    for pattern, original in (
        (r"^first\.", r"fc."),
        (r"^head\.", r"head_0."),
        (r"^middle_blocks\.(\d+)\.", r"G_middle_\1."),
        (r"^up_blocks\.(\d+)\.", r"up_\1."),
        *SPADE_BLOCKS,
        (r"^mean\.", r"fc_mu."),
        (r"^log_variance\.", r"fc_var."),
        (r"^scales\.(\d+)\.stream\.0\.0\.", r"discriminator_\1.model0.0."),
        (r"^scales\.(\d+)\.stream\.(\d+)\.0\.", r"discriminator_\1.model\2.0.0."),
    )
]
_ENCODER_LAYER: Final = re.compile(r"^convolutions\.(\d+)\.")  # the authors count from 1
_METHOD: Final = "SPADE"
_PREDICTION: Final = re.compile(r"^scales\.(\d+)\.prediction\.")
_NORM_STATISTICS: Final = ".param_free_norm.running_mean"  # what an instance norm has not
_CITYSCAPES_CHANNELS: Final = 36


def original_names(keys: Iterable[str]) -> dict[str, str]:
    """Returns {our key: the authors' key} for all keys of one of our networks' state dicts."""
    ours = set(keys)
    return {key: _original_name(key, ours) for key in ours}


def from_original(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Returns the authors' state dict under our names, to be loaded into `network`; see `original_state.renamed`."""
    mine = network.state_dict()
    return renamed(plain(state), original_names(mine), mine, _METHOD)


def to_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns our state dict under the authors' names."""
    return {original: state[ours] for ours, original in original_names(state).items()}


def generator_from_original(
    state: Mapping[str, Tensor], *, upsampling: Upsampling | None = None, aspect_ratio: float | None = None
) -> SPADEGenerator:
    """Returns the generator of the authors' `*_net_G.pth`, its options read off the shapes, the weights loaded.

    Two things no shape tells. "normal" and "more" differ only in how often the size doubles: without `upsampling`,
    36 channels of semantics (Cityscapes) mean "more", all others "normal". And the places of a style are stored as
    one number: without `aspect_ratio`, they are taken for a square or for twice as wide as high.
    """
    state = plain(state)
    start, last = take(state, "fc.weight", _METHOD), take(state, "conv_img.weight", _METHOD, 4)
    hidden = take(state, "head_0.norm_0.mlp_shared.0.weight", _METHOD, 4)
    broadest, condition = take(state, "head_0.conv_0.bias", _METHOD, 1).shape[0], hidden.shape[1]
    upsampling = _upsampling(state, condition, upsampling)
    latent_width, ratio = _latent(start, broadest, aspect_ratio)
    with torch.device("meta"):
        generator = SPADEGenerator(
            condition,
            width=broadest // 16,
            upsampling=upsampling,
            crop_size=latent_width * 2 ** UPSAMPLINGS[upsampling],
            aspect_ratio=ratio,
            style_channels=start.shape[1] if start.ndim == 2 else None,
            image_channels=last.shape[0],
            spade_kernel_size=hidden.shape[2],
            norm=ParameterFreeBatchNorm if any(k.endswith(_NORM_STATISTICS) for k in state) else nn.InstanceNorm2d,
        )
    generator.load_state_dict(from_original(state, generator), assign=True)
    return generator


def encoder_from_original(state: Mapping[str, Tensor]) -> ImageEncoder:
    """Returns the image encoder of the authors' `*_net_E.pth`, its options read off the shapes, the weights loaded."""
    state = plain(state)
    first, mean = take(state, "layer1.0.weight_orig", _METHOD, 4), take(state, "fc_mu.weight", _METHOD, 2)
    with torch.device("meta"):
        encoder = ImageEncoder(width=first.shape[0], style_channels=mean.shape[0], image_channels=first.shape[1])
    encoder.load_state_dict(from_original(state, encoder), assign=True)
    return encoder


def discriminator_from_original(state: Mapping[str, Tensor], *, image_channels: int = 3) -> SPADEDiscriminator:
    """Returns the discriminator of the authors' `*_net_D.pth`, its options read off the shapes, the weights loaded."""
    state = plain(state)
    first = take(state, "discriminator_0.model0.0.weight", _METHOD)
    with torch.device("meta"):
        discriminator = SPADEDiscriminator(
            first.shape[1] - image_channels,
            image_channels=image_channels,
            width=first.shape[0],
            num_layers=count(state, r"^discriminator_0\.model(\d+)\.") - 1,
            num_scales=count(state, r"^discriminator_(\d+)\."),
        )
    discriminator.load_state_dict(from_original(state, discriminator), assign=True)
    return discriminator


def _upsampling(state: Mapping[str, Tensor], condition: int, given: Upsampling | None) -> Upsampling:
    most = any(key.startswith("up_4.") for key in state)
    if given is not None and (given == "most") != most:
        raise ModelError(
            f"checkpoint {'holds' if most else 'lacks'} 'up_4', but upsampling {given!r} was asked for;"
            f" take {'most' if most else 'normal or more'}"
        )
    guess: Upsampling = "more" if condition == _CITYSCAPES_CHANNELS else "normal"
    return given or ("most" if most else guess)


def _latent(start: Tensor, broadest: int, aspect_ratio: float | None) -> tuple[int, float]:
    """Returns the width and the aspect ratio of the smallest map; without a style they do not matter."""
    if start.ndim != 2:
        return 8, aspect_ratio or 1.0
    places = start.shape[0] // broadest
    for ratio in (1.0, 2.0) if aspect_ratio is None else (aspect_ratio,):
        for width in range(1, places + 1):
            if width * round(width / ratio) == places:
                return width, ratio
    raise ModelError(
        f"checkpoint's 'fc.weight' speaks of {places} places, no map of aspect ratio {aspect_ratio or '1 or 2'};"
        " give the aspect ratio (width / height) that it was trained with"
    )


def _original_name(key: str, keys: set[str]) -> str:
    depth = sum(1 for k in keys if re.match(r"^scales\.0\.stream\.\d+\.0\.weight$", k))
    original = _PREDICTION.sub(rf"discriminator_\1.model{depth}.0.", key)
    original = _ENCODER_LAYER.sub(lambda match: f"layer{int(match[1]) + 1}.0.", original)
    for pattern, replacement in _TO_ORIGINAL:
        original = pattern.sub(replacement, original)
    return spectral(original, key, keys)
