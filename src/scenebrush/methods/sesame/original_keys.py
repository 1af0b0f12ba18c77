"""Reads state dicts under the authors' key names (OpenSESAME's `*_net_G.pth`, `*_net_D.pth`) and writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.errors import ModelError

# Our name -> the authors', applied one after another; numbers in \1, \2 stay.
_TO_ORIGINAL: Final = [
    (re.compile(pattern), original)
    for pattern, original in (
        (r"^first\.convolution\.", r"init_block.1.0."),
        (r"^down_blocks\.(\d+)\.convolution\.", r"downlayers.\1.0.0."),
        (r"^residual_blocks\.(\d+)\.convolution_0\.", r"resnet_core.\1.conv_block.1.0."),
        (r"^residual_blocks\.(\d+)\.convolution_1\.", r"resnet_core.\1.conv_block.4.0."),
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
_PREDICTION: Final = re.compile(r"^scales\.(\d+)\.prediction\.")


def original_names(keys: Iterable[str]) -> dict[str, str]:
    """Returns {our key: the authors' key} for all keys of one of our networks' state dicts."""
    ours = set(keys)
    return {key: _original_name(key, ours) for key in ours}


def from_original(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Returns the authors' state dict under our names, to be loaded into `network`; half precision becomes float32.

    What old files may lack (`weight_v`, batch counters) is made up, a `module.` prefix and what they hold too much
    of (the normalised `weight`) is dropped. `ModelError` names the first key that is missing, left over or of
    another shape: the network was then built with other options than the checkpoint (see `original_options`).
    """
    state = {key.removeprefix("module."): value for key, value in state.items()}
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


def _original_name(key: str, keys: set[str]) -> str:
    depth = sum(1 for k in keys if re.match(r"^scales\.0\.image_stream\.\d+\.0\.weight$", k))
    original = _PREDICTION.sub(rf"discriminator_\1.img_sequence.{depth}.0.", key)
    for pattern, replacement in _TO_ORIGINAL:
        original = pattern.sub(replacement, original)
    return f"{original}_orig" if f"{key}_u" in keys else original


def _entry(state: Mapping[str, Tensor], key: str, mine: Tensor) -> Tensor:
    if key not in state and key.endswith(".num_batches_tracked"):
        return mine
    if key not in state and key.endswith("weight_v") and f"{key[:-1]}u" in state:
        rows = state[f"{key[:-1]}orig"].float().flatten(1)
        return F.normalize(rows.t() @ state[f"{key[:-1]}u"].float(), dim=0)
    if key not in state:
        raise ModelError(f"checkpoint lacks {key!r}; build the network with the options it was trained with")
    value = state[key]
    if value.shape != mine.shape:
        raise ModelError(
            f"checkpoint's {key!r} is {tuple(value.shape)}, the network's {tuple(mine.shape)};"
            " build it with the options it was trained with"
        )
    return value.float() if value.dtype == torch.float16 else value
