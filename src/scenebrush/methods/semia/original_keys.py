"""Reads state dicts under the authors' key names (SemIA's `*_net_G.pth` and its other networks) and writes them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

import torch
from torch import Tensor, nn

from scenebrush.methods.original_state import count, plain, renamed, spectral, take
from scenebrush.methods.semia.generator import SemiaGenerator

# Our name -> the authors', applied one after another; numbers in \1 stay.
_TO_ORIGINAL: Final = [
    (re.compile(pattern), original)
    for pattern, original in (
        (r"^translation\.scale_heads\.", r"FiLM_c2i_alpha.bottlenecks."),
        (r"^translation\.shift_heads\.", r"FiLM_c2i_beta.bottlenecks."),
        (r"bottlenecks\.(\d+)\.bottleneck\.narrow\.", r"bottlenecks.\1.0.conv_block.0."),
        (r"bottlenecks\.(\d+)\.bottleneck\.middle\.", r"bottlenecks.\1.0.conv_block.3."),
        (r"bottlenecks\.(\d+)\.bottleneck\.widen\.", r"bottlenecks.\1.0.conv_block.5."),
        (r"bottlenecks\.(\d+)\.narrow\.", r"bottlenecks.\1.1."),
        (r"bottlenecks\.(\d+)\.widen\.", r"bottlenecks.\1.3."),
        (r"^layout_encoder\.", r"encoder_c."),
        (r"^image_encoder\.", r"encoder_i."),
        (r"^decoder\.", r"decoder_i."),
        (r"\.(head|tail)\.convolution\.", r".\1_block.main.1."),
        (r"\.(head|tail)\.norm\.", r".\1_block.main.2."),
        (r"\.(down|up)_blocks\.(\d+)\.", r".\1_block.\2."),
        (r"\.bottleneck\.narrow\.", r".res_block.conv_block.0."),
        (r"\.bottleneck\.middle\.", r".res_block.conv_block.4."),
        (r"\.bottleneck\.widen\.", r".res_block.conv_block.7."),
        (r"\.bottleneck\.norms\.0\.", r".res_block.conv_block.1."),
        (r"\.bottleneck\.norms\.1\.", r".res_block.conv_block.5."),
        (r"\.bottleneck\.norms\.2\.", r".res_block.conv_block.8."),
        (r"_block\.(\d+)\.convolution\.", r"_block.\1.main.0."),
        (r"_block\.(\d+)\.norm\.", r"_block.\1.main.1."),
        (r"_block\.(\d+)\.resize\.", r"_block.\1.main.3."),
        (r"_block\.(\d+)\.resized_norm\.", r"_block.\1.main.4."),
        (r"^realness\.", r"tf."),
        (r"^matching\.", r"seg."),
        (r"^point\.", r"body.convs.0.0."),
        (r"^pooled\.", r"body.convs.3.1."),
        (r"^project\.", r"body.project.0."),
        (r"^convolution\.", r"tail.0."),
        (r"^norm\.", r"tail.1."),
        (r"^last\.", r"tail.3."),
    )
]
_NUMBERED: Final = re.compile(r"^(encoder|laterals|smooth|dilated)\.(\d+)\.")
_FIRST: Final = {"encoder": ("enc", 1), "laterals": ("lat", 2), "smooth": ("final", 2), "dilated": ("body.convs.", 1)}
"""Our list -> the authors' name and the number of its first; each is a block of theirs that begins with the layer."""
_METHOD: Final = "SemIA"


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


def generator_from_original(state: Mapping[str, Tensor]) -> SemiaGenerator:
    """Returns the generator of the authors' `*_net_G.pth`, its sizes read off the shapes, the weights loaded.

    No shape tells whether scales and shifts were in both encoder and decoder; the authors' default, both, is taken.
    """
    state = plain(state)
    first = take(state, "encoder_c.head_block.main.1.weight_orig", _METHOD, 4)
    last = take(state, "decoder_i.tail_block.main.1.weight_orig", _METHOD, 4)
    with torch.device("meta"):
        generator = SemiaGenerator(
            first.shape[1],
            image_channels=last.shape[0],
            width=first.shape[0],
            levels=count(state, r"^encoder_c\.down_block\.(\d+)\."),
        )
    generator.load_state_dict(from_original(state, generator), assign=True)
    return generator


def _original_name(key: str, keys: set[str]) -> str:
    original = _NUMBERED.sub(_numbered, key)
    for pattern, replacement in _TO_ORIGINAL:
        original = pattern.sub(replacement, original)
    return spectral(original, key, keys)


def _numbered(match: re.Match[str]) -> str:
    name, first = _FIRST[match[1]]
    return f"{name}{int(match[2]) + first}.0."
