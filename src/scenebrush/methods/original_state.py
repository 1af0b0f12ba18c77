"""State dicts as the authors saved them: what every method's `original_keys` does with them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from scenebrush.errors import ModelError

SPADE_BLOCKS: Final = (
    (r"^to_image\.", r"conv_img."),
    (r"\.convolution_([01s])\.", r".conv_\1."),
    (r"\.modulation_([01s])\.hidden\.", r".norm_\1.mlp_shared.0."),
    (r"\.modulation_([01s])\.(gamma|beta)\.", r".norm_\1.mlp_\2."),
    (r"\.modulation_([01s])\.norm\.", r".norm_\1.param_free_norm."),
)
"""Our name -> the authors' for `layers.spade`, which SPADE and SESAME share; numbers in \\1, \\2 stay."""


def plain(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the state without the `module.` that several devices leave; `ModelError` for what is no tensor."""
    for key, value in state.items():
        if not isinstance(value, Tensor):
            raise ModelError(f"checkpoint's {key!r} is no tensor; expected the state dict of one network, *_net_G.pth")
    return {key.removeprefix("module."): value for key, value in state.items()}


def take(state: Mapping[str, Tensor], key: str, method: str, dimensions: int | None = None) -> Tensor:
    """Returns a tensor of a checkpoint, which has so many dimensions.

    `ModelError` names a key that is missing or of another kind, and the method whose network was expected.
    """
    if key not in state:
        raise ModelError(
            f"checkpoint lacks {key!r}; expected a {method} network with the options that it was trained with"
        )
    if dimensions not in (None, state[key].ndim):
        raise ModelError(
            f"checkpoint's {key!r} is {tuple(state[key].shape)}; expected {dimensions} dimensions,"
            f" as a {method} network has"
        )
    return state[key]


def count(state: Iterable[str], pattern: str) -> int:
    """Returns how many different numbers the keys hold where `pattern` has its group."""
    return len(numbers(state, pattern))


def numbers(state: Iterable[str], pattern: str) -> list[int]:
    """Returns the different numbers that the keys hold where `pattern` has its group, ascending."""
    return sorted({int(match[1]) for key in state if (match := re.match(pattern, key))})


def spectral(original: str, key: str, keys: set[str]) -> str:
    """Returns the authors' name of a weight: under spectral norm, which has a `_u` beside it, they call it `_orig`."""
    return f"{original}_orig" if f"{key}_u" in keys else original


def renamed(
    state: Mapping[str, Tensor],
    names: Mapping[str, str],
    mine: Mapping[str, Tensor],
    method: str,
    spare: Iterable[str] = (),
) -> dict[str, Tensor]:
    """Returns the authors' `plain` state under our names, copied.

    What old files may lack (`weight_v`, batch counters) is made up; what they hold too much of (the normalised `weight`
    beside `weight_orig`) is dropped.

    Args:
        state: the authors'.
        names: {our key: the authors' key}.
        mine: our network's state, for shapes and types.
        method: for messages.
        spare: keys of the authors' that may lie there and are not needed.

    Raises:
        ModelError: the first key that is missing, left over or of another shape: the network was then built with other
            options than the checkpoint.
    """
    out = {ours: _entry(state, original, mine[ours], method) for ours, original in names.items()}
    known = {*names.values(), *spare}
    extra = [key for key in state if key not in known and f"{key}_orig" not in known]
    if extra:
        raise ModelError(f"checkpoint holds {extra[0]!r} and {len(extra) - 1} more that the network has no place for")
    return out


def _entry(state: Mapping[str, Tensor], key: str, mine: Tensor, method: str) -> Tensor:
    if key not in state and key.endswith(".num_batches_tracked"):
        return torch.zeros(mine.shape, dtype=mine.dtype)
    if key not in state and key.endswith("weight_v") and f"{key[:-1]}u" in state:
        rows = state[f"{key[:-1]}orig"].float().flatten(1)
        return F.normalize(rows.t() @ state[f"{key[:-1]}u"].float(), dim=0)
    value = take(state, key, method)
    if value.shape != mine.shape:
        raise ModelError(
            f"checkpoint's {key!r} is {tuple(value.shape)}, the network's {tuple(mine.shape)};"
            " build it with the options it was trained with"
        )
    return value.to(mine.dtype, copy=True)
