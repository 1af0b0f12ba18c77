"""Reads state dicts under the authors' key names (SPADE's `*_net_G.pth`, `_D.pth`, `_E.pth`) and writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.errors import ModelError
from scenebrush.layers.norms import ParameterFreeBatchNorm
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
        (r"^to_image\.", r"conv_img."),
        (r"\.convolution_([01s])\.", r".conv_\1."),
        (r"\.modulation_([01s])\.hidden\.", r".norm_\1.mlp_shared.0."),
        (r"\.modulation_([01s])\.(gamma|beta)\.", r".norm_\1.mlp_\2."),
        (r"\.modulation_([01s])\.norm\.", r".norm_\1.param_free_norm."),
        (r"^mean\.", r"fc_mu."),
        (r"^log_variance\.", r"fc_var."),
        (r"^scales\.(\d+)\.stream\.0\.0\.", r"discriminator_\1.model0.0."),
        (r"^scales\.(\d+)\.stream\.(\d+)\.0\.", r"discriminator_\1.model\2.0.0."),
    )
]
_ENCODER_LAYER: Final = re.compile(r"^convolutions\.(\d+)\.")  # the authors count from 1
_PREDICTION: Final = re.compile(r"^scales\.(\d+)\.prediction\.")
_NORM_STATISTICS: Final = "head_0.norm_0.param_free_norm.running_mean"  # what an instance norm has not
_CITYSCAPES_CHANNELS: Final = 36


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


def generator_from_original(
    state: Mapping[str, Tensor], *, upsampling: Upsampling | None = None, aspect_ratio: float | None = None
) -> SPADEGenerator:
    """Returns the generator of the authors' `*_net_G.pth`, its options read off the shapes, the weights loaded.

    Two things no shape tells. "normal" and "more" differ only in how often the size doubles: without `upsampling`,
    36 channels of semantics (Cityscapes) mean "more", all others "normal". And the places of a style are stored as
    one number: without `aspect_ratio`, they are taken for a square or for twice as wide as high.
    """
    state = _plain(state)
    start, last = _get(state, "fc.weight"), _get(state, "conv_img.weight")
    hidden = _get(state, "head_0.norm_0.mlp_shared.0.weight")
    broadest, condition = _get(state, "head_0.conv_0.bias").shape[0], hidden.shape[1]
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
            norm=ParameterFreeBatchNorm if _NORM_STATISTICS in state else nn.InstanceNorm2d,
        )
    generator.load_state_dict(from_original(state, generator), assign=True)
    return generator


def encoder_from_original(state: Mapping[str, Tensor]) -> ImageEncoder:
    """Returns the image encoder of the authors' `*_net_E.pth`, its options read off the shapes, the weights loaded."""
    state = _plain(state)
    first, mean = _get(state, "layer1.0.weight_orig"), _get(state, "fc_mu.weight")
    with torch.device("meta"):
        encoder = ImageEncoder(width=first.shape[0], style_channels=mean.shape[0], image_channels=first.shape[1])
    encoder.load_state_dict(from_original(state, encoder), assign=True)
    return encoder


def discriminator_from_original(state: Mapping[str, Tensor], *, image_channels: int = 3) -> SPADEDiscriminator:
    """Returns the discriminator of the authors' `*_net_D.pth`, its options read off the shapes, the weights loaded."""
    state = _plain(state)
    first = _get(state, "discriminator_0.model0.0.weight")
    with torch.device("meta"):
        discriminator = SPADEDiscriminator(
            first.shape[1] - image_channels,
            image_channels=image_channels,
            width=first.shape[0],
            num_layers=_count(state, r"^discriminator_0\.model(\d+)\.") - 1,
            num_scales=_count(state, r"^discriminator_(\d+)\."),
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
    return {key.removeprefix("module."): value for key, value in state.items()}


def _get(state: Mapping[str, Tensor], key: str) -> Tensor:
    if key not in state:
        raise ModelError(
            f"checkpoint lacks {key!r}; expected a SPADE network with the options that it was trained with"
        )
    return state[key]


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    """Returns how many different numbers the keys hold where `pattern` has its group."""
    return len({match[1] for key in state if (match := re.match(pattern, key))})
