"""Reads state dicts under the authors' key names (OpenSESAME's `*_net_G.pth`, `*_net_D.pth`) and writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.errors import ModelError
from scenebrush.layers.norms import ParameterFreeBatchNorm
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
        (r"^to_image\.", r"conv_img."),
        (r"\.convolution_([01s])\.", r".conv_\1."),
        (r"\.modulation_([01s])\.hidden\.", r".norm_\1.mlp_shared.0."),
        (r"\.modulation_([01s])\.(gamma|beta)\.", r".norm_\1.mlp_\2."),
        (r"\.modulation_([01s])\.norm\.", r".norm_\1.param_free_norm."),
        (r"^scales\.(\d+)\.(image|semantic)_stream\.0\.0\.", r"discriminator_\1.\2_sequence.0.0."),
        (r"^scales\.(\d+)\.(image|semantic)_stream\.(\d+)\.0\.", r"discriminator_\1.\2_sequence.\3.0.0."),
        (r"\.image_sequence\.", r".img_sequence."),
        (r"\.semantic_sequence\.", r".sem_sequence."),
    )
]
_NORM_STATISTICS: Final = "spade_core.0.norm_0.param_free_norm.running_mean"  # what an instance norm has not
_PREDICTION: Final = re.compile(r"^scales\.(\d+)\.prediction\.")


def original_names(keys: Iterable[str]) -> dict[str, str]:
    """Returns {our key: the authors' key} for all keys of one of our networks' state dicts."""
    ours = set(keys)
    return {key: _original_name(key, ours) for key in ours}


def from_original(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Returns the authors' state dict under our names, copied, to be loaded into `network`.

    What old files may lack (`weight_v`, batch counters) is made up, a `module.` prefix and what they hold too much
    of (the normalised `weight`) is dropped. `ModelError` names the first key that is missing, left over or of
    another shape: the network was then built with other options than the checkpoint.
    """
    state = _plain(state)
    mine = network.state_dict()
    names = original_names(mine)
    renamed = {ours: _entry(state, original, mine[ours]) for ours, original in names.items()}
    known = set(names.values())
    extra = [key for key in state if key not in known and f"{key}_orig" not in known]
    if extra:
        raise ModelError(f"checkpoint holds {extra[0]!r} and {len(extra) - 1} more that the network has no place for")
    return renamed


def to_original(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns our state dict under the authors' names."""
    return {original: state[ours] for ours, original in original_names(state).items()}


def generator_from_original(state: Mapping[str, Tensor]) -> SesameGenerator:
    """Returns the generator of the authors' `*_net_G.pth`, its options read off the shapes, the weights loaded."""
    state = _plain(state)
    first, last = _get(state, "init_block.1.0.weight"), _get(state, "conv_img.weight")
    hidden = _get(state, "spade_core.0.norm_0.mlp_shared.0.weight")
    width, condition = first.shape[0], hidden.shape[1]
    num_down = _count(state, "downlayers")
    residual = state.get("resnet_core.0.conv_block.4.0.weight")
    with torch.device("meta"):  # no memory, no random draws: every tensor comes from the file
        generator = SesameGenerator(
            condition,
            width=width,
            num_downsamplings=num_down,
            num_residual_blocks=_count(state, "resnet_core"),
            num_spade_blocks=_count(state, "spade_core"),
            first_kernel_size=first.shape[2],
            residual_kernel_size=3 if residual is None else residual.shape[2],
            spade_kernel_size=hidden.shape[2],
            skips=last.shape[1] != width,
            wide=residual is not None and residual.shape[0] != width * 2**num_down,
            image_channels=last.shape[0],
            first_channels=None if first.shape[1] == condition + last.shape[0] else first.shape[1],
            norm=ParameterFreeBatchNorm if _NORM_STATISTICS in state else nn.InstanceNorm2d,
        )
    generator.load_state_dict(from_original(state, generator), assign=True)
    return generator


def discriminator_from_original(state: Mapping[str, Tensor]) -> SesameDiscriminator:
    """Returns the discriminator of the authors' `*_net_D.pth`, its options read off the shapes, the weights loaded."""
    state = _plain(state)
    semantic = _get(state, "discriminator_0.sem_sequence.0.0.weight")
    image = _get(state, "discriminator_0.img_sequence.0.0.weight")
    with torch.device("meta"):
        discriminator = SesameDiscriminator(
            semantic.shape[1],
            image_channels=image.shape[1],
            width=image.shape[0],
            num_layers=_count(state, "discriminator_0.sem_sequence"),
            num_scales=sum(f"discriminator_{i}.sem_sequence.0.0.weight" in state for i in range(len(state))),
        )
    discriminator.load_state_dict(from_original(state, discriminator), assign=True)
    return discriminator


def _original_name(key: str, keys: set[str]) -> str:
    depth = sum(1 for k in keys if re.match(r"^scales\.0\.image_stream\.\d+\.0\.weight$", k))
    original = _PREDICTION.sub(rf"discriminator_\1.img_sequence.{depth}.0.", key)
    for pattern, replacement in _TO_ORIGINAL:
        original = pattern.sub(replacement, original)
    return f"{original}_orig" if f"{key}_u" in keys else original


def _entry(state: Mapping[str, Tensor], key: str, mine: Tensor) -> Tensor:
    if key not in state and key.endswith(".num_batches_tracked"):
        return torch.zeros(mine.shape, dtype=mine.dtype)
    if key not in state and key.endswith("weight_v") and f"{key[:-1]}u" in state:
        rows = state[f"{key[:-1]}orig"].float().flatten(1)
        return F.normalize(rows.t() @ state[f"{key[:-1]}u"].float(), dim=0)
    value = _get(state, key)
    if value.shape != mine.shape:
        raise ModelError(
            f"checkpoint's {key!r} is {tuple(value.shape)}, the network's {tuple(mine.shape)};"
            " build it with the options it was trained with"
        )
    return value.to(mine.dtype, copy=True)


def _plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {_any_shortcut(key.removeprefix("module.")): value for key, value in state.items()}


def _any_shortcut(key: str) -> str:
    """Of `wide` only the shape of the shortcut is known to us, not its name: it is what is not in `conv_block`."""
    return re.sub(r"^(resnet_core\.\d+)\.(?!conv_block\.).*weight$", r"\1.shortcut.weight", key)


def _get(state: Mapping[str, Tensor], key: str) -> Tensor:
    if key not in state:
        raise ModelError(
            f"checkpoint lacks {key!r}; expected a SESAME network with the options that it was trained with"
        )
    return state[key]


def _count(state: Mapping[str, Tensor], prefix: str) -> int:
    """Returns how many numbered blocks the state holds under `prefix`."""
    pattern = re.compile(rf"^{re.escape(prefix)}\.(\d+)\.")
    return len({match[1] for key in state if (match := pattern.match(key))})
