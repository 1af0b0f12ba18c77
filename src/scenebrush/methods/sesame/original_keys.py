"""Reads state dicts under the authors' key names (OpenSESAME's `*_net_G.pth`, `*_net_D.pth`) and writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import torch
from torch import Tensor, nn

from scenebrush.layers.norms import ParameterFreeBatchNorm
from scenebrush.methods.original_state import SPADE_BLOCKS, count, plain, renamed, spectral, take
from scenebrush.methods.sesame.discriminator import SesameDiscriminator
from scenebrush.methods.sesame.generator import SesameGenerator

# Our name -> the authors', applied one after another; numbers in \1, \2 stay.
_TO_ORIGINAL: Final = [
    (re.compile(pattern), original)
    for pattern, original in (
        (r"^first\.convolution\.", r"init_block.1.0."),
        (r"^down_blocks\.(\d+)\.convolution\.", r"downlayers.\1.0.0."),
        (r"^residual_blocks\.(\d+)\.convolution_0\.", r"resnet_core.\1.conv_block.1.0."),
        (r"^residual_blocks\.(\d+)\.convolution_1\.", r"resnet_core.\1.conv_block.4.0."),
        (r"^residual_blocks\.(\d+)\.shortcut\.", r"resnet_core.\1.shortcut."),
        (r"^core_blocks\.(\d+)\.", r"spade_core.\1."),
        (r"^up_blocks\.(\d+)\.", r"uplayers.\1."),
        *SPADE_BLOCKS,
        (r"^scales\.(\d+)\.(image|semantic)_stream\.0\.0\.", r"discriminator_\1.\2_sequence.0.0."),
        (r"^scales\.(\d+)\.(image|semantic)_stream\.(\d+)\.0\.", r"discriminator_\1.\2_sequence.\3.0.0."),
        (r"\.image_sequence\.", r".img_sequence."),
        (r"\.semantic_sequence\.", r".sem_sequence."),
    )
]
_NORM_STATISTICS: Final = ".param_free_norm.running_mean"  # what an instance norm has not
_METHOD: Final = "SESAME"
_PREDICTION: Final = re.compile(r"^scales\.(\d+)\.prediction\.")


def original_names(keys: Iterable[str]) -> dict[str, str]:
    """Returns {our key: the authors' key} for all keys of one of our networks' state dicts."""
    ours = set(keys)
    return {key: _original_name(key, ours) for key in ours}


def from_original(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Returns the authors' state dict under our names, to be loaded into `network`; see `original_state.renamed`."""
    mine = network.state_dict()
    return renamed(plain_state(state), original_names(mine), mine, _METHOD)


def to_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns our state dict under the authors' names."""
    return {original: state[ours] for ours, original in original_names(state).items()}


def generator_from_original(state: Mapping[str, Tensor]) -> SesameGenerator:
    """Returns the generator of the authors' `*_net_G.pth`, its options read off the shapes, the weights loaded."""
    state = plain_state(state)
    first, last = take(state, "init_block.1.0.weight", _METHOD, 4), take(state, "conv_img.weight", _METHOD, 4)
    hidden = take(state, "spade_core.0.norm_0.mlp_shared.0.weight", _METHOD, 4)
    width, condition = first.shape[0], hidden.shape[1]
    num_down = count(state, r"^downlayers\.(\d+)\.")
    residual = state.get("resnet_core.0.conv_block.4.0.weight")
    with torch.device("meta"):  # no memory, no random draws: every tensor comes from the file
        generator = SesameGenerator(
            condition,
            width=width,
            num_downsamplings=num_down,
            num_residual_blocks=count(state, r"^resnet_core\.(\d+)\."),
            num_spade_blocks=count(state, r"^spade_core\.(\d+)\."),
            first_kernel_size=first.shape[2],
            residual_kernel_size=3 if residual is None else residual.shape[2],
            spade_kernel_size=hidden.shape[2],
            skips=last.shape[1] != width,
            wide=residual is not None and residual.shape[0] != width * 2**num_down,
            image_channels=last.shape[0],
            first_channels=None if first.shape[1] == condition + last.shape[0] else first.shape[1],
            norm=ParameterFreeBatchNorm if any(k.endswith(_NORM_STATISTICS) for k in state) else nn.InstanceNorm2d,
        )
    generator.load_state_dict(from_original(state, generator), assign=True)
    return generator


def discriminator_from_original(state: Mapping[str, Tensor]) -> SesameDiscriminator:
    """Returns the discriminator of the authors' `*_net_D.pth`, its options read off the shapes, the weights loaded."""
    state = plain_state(state)
    semantic = take(state, "discriminator_0.sem_sequence.0.0.weight", _METHOD)
    image = take(state, "discriminator_0.img_sequence.0.0.weight", _METHOD)
    with torch.device("meta"):
        discriminator = SesameDiscriminator(
            semantic.shape[1],
            image_channels=image.shape[1],
            width=image.shape[0],
            num_layers=count(state, r"^discriminator_0\.sem_sequence\.(\d+)\."),
            num_scales=count(state, r"^discriminator_(\d+)\.sem_sequence\.0\.0\.weight"),
        )
    discriminator.load_state_dict(from_original(state, discriminator), assign=True)
    return discriminator


def _original_name(key: str, keys: set[str]) -> str:
    depth = sum(1 for k in keys if re.match(r"^scales\.0\.image_stream\.\d+\.0\.weight$", k))
    original = _PREDICTION.sub(rf"discriminator_\1.img_sequence.{depth}.0.", key)
    for pattern, replacement in _TO_ORIGINAL:
        original = pattern.sub(replacement, original)
    return spectral(original, key, keys)


def plain_state(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the state without `module.`, and `wide`'s shortcut under our name for it.

    Only the shape of that shortcut is known to us, not its name: it is what is not in `conv_block`.
    """
    shortcut = re.compile(r"^(resnet_core\.\d+)\.(?!conv_block\.).*weight$")
    return {shortcut.sub(r"\1.shortcut.weight", key): value for key, value in plain(state).items()}
