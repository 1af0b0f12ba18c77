"""Reads state dicts under the authors' key names (pix2pixHD's `*_net_G.pth`, `*_net_D.pth`, `*_net_E.pth`) and back.

The authors number the modules of flat sequences: `model.16.conv_block.1.weight`. Norms without parameters, ReLUs and
paddings count too, so that a place depends on how many layers lie before it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from scenebrush.errors import ModelError
from scenebrush.methods.original_state import count, numbers, plain, renamed, take
from scenebrush.methods.pix2pixhd.blocks import NORMS
from scenebrush.methods.pix2pixhd.config import NormName
from scenebrush.methods.pix2pixhd.discriminator import MultiscaleDiscriminator
from scenebrush.methods.pix2pixhd.encoder import FeatureEncoder
from scenebrush.methods.pix2pixhd.generator import CoarseToFineGenerator

_METHOD: Final = "pix2pixHD"
_STATISTICS: Final = ("running_mean", "running_var", "num_batches_tracked")
_PARTS: Final = {"convolution": 0, "norm": 1, "convolution_0": 1, "norm_0": 2, "convolution_1": 5, "norm_1": 6}


def original_names(keys: Iterable[str], *, features: bool = True) -> dict[str, str]:
    """Returns {our key: the authors' key} for all keys of one of our networks' state dicts.

    `features` says how a discriminator was saved: with its inner features (`scale0_layer1.0`), as all released ones,
    or without (`layer0.2`).
    """
    ours = set(keys)
    modules = {key: key.rpartition(".")[0] for key in ours}
    places = _discriminator_places(ours, features) if "scales.0.first.weight" in ours else _generator_places(ours)
    return {key: f"{places[modules[key]]}.{key.rpartition('.')[2]}" for key in ours}


def from_original(state: Mapping[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """Returns the authors' state dict under our names, copied, to be loaded into `network`.

    The statistics that old files hold for instance norms are dropped; see `original_state.renamed` for the rest.
    """
    state = plain(state)
    mine = network.state_dict()
    if any(key.startswith("heads.") for key in mine) and sum(".weight" in k for k in mine if "heads." in k) > 1:
        raise ModelError("the network has a head for every level; the authors' checkpoints have one: build it so")
    names = original_names(mine, features=not _is_without_features(state))
    return renamed(state, names, mine, _METHOD, _old_statistics(names.values()))


def to_original(state: Mapping[str, Tensor], *, features: bool = True) -> dict[str, Tensor]:
    """Returns our state dict under the authors' names; of a generator with several heads the finest alone."""
    finest = max((key.split(".")[1] for key in state if key.startswith("heads.")), default="")
    kept = [key for key in state if not key.startswith("heads.") or key.split(".")[1] == finest]
    return {original: state[ours] for ours, original in original_names(kept, features=features).items()}


def generator_from_original(state: Mapping[str, Tensor]) -> CoarseToFineGenerator:
    """Returns the generator of the authors' `*_net_G.pth`, its options read off the shapes, the weights loaded."""
    state = plain(state)
    first, found = take(state, "model.1.weight", _METHOD, 4), _sequence(state)
    with torch.device("meta"):  # no memory, no random draws: every tensor comes from the file
        generator = CoarseToFineGenerator(
            first.shape[1],
            image_channels=take(state, f"{found.head}.weight", _METHOD, 4).shape[0],
            width=first.shape[0],
            num_downsamplings=found.num_downsamplings,
            num_blocks=found.num_blocks,
            num_enhancers=found.num_enhancers,
            num_enhancer_blocks=found.num_enhancer_blocks,
            norm=NORMS[_norm(state)],
        )
    generator.load_state_dict(from_original(state, generator), assign=True)
    return generator


def encoder_from_original(state: Mapping[str, Tensor]) -> FeatureEncoder:
    """Returns the encoder of the authors' `*_net_E.pth`, its options read off the shapes, the weights loaded."""
    state = plain(state)
    first, found = take(state, "model.1.weight", _METHOD, 4), _sequence(state)
    with torch.device("meta"):
        encoder = FeatureEncoder(
            take(state, f"{found.head}.weight", _METHOD, 4).shape[0],
            image_channels=first.shape[1],
            width=first.shape[0],
            num_downsamplings=found.num_downsamplings,
            norm=NORMS[_norm(state)],
        )
    encoder.load_state_dict(from_original(state, encoder), assign=True)
    return encoder


def discriminator_from_original(state: Mapping[str, Tensor], *, image_channels: int = 3) -> MultiscaleDiscriminator:
    """Returns the discriminator of the authors' `*_net_D.pth`, its options read off the shapes, the weights loaded."""
    state = plain(state)
    without = _is_without_features(state)
    first = take(state, "layer0.0.weight" if without else "scale0_layer0.0.weight", _METHOD)
    pattern = r"^layer0\.(\d+)\.weight$" if without else r"^scale0_layer(\d+)\.0\.weight$"
    with torch.device("meta"):
        discriminator = MultiscaleDiscriminator(
            first.shape[1] - image_channels,
            image_channels=image_channels,
            width=first.shape[0],
            num_layers=max(_count(state, pattern, dimensions=4) - 2, 1),
            num_scales=_count(state, r"^layer(\d+)\.0\.weight$" if without else r"^scale(\d+)_layer0\.0\.weight$"),
            norm=NORMS[_norm(state)],
        )
    discriminator.load_state_dict(from_original(state, discriminator), assign=True)
    return discriminator


def _generator_places(keys: set[str]) -> dict[str, str]:
    """Returns {our module: the authors'} of a generator or an encoder."""
    num_down, num_blocks = (
        count(keys, r"^trunk\.down_blocks\.(\d+)\."),
        count(keys, r"^trunk\.residual_blocks\.(\d+)\."),
    )
    num_enhancers = count(keys, r"^enhancers\.(\d+)\.")
    up = 4 + 3 * num_down + num_blocks
    places = _block("trunk.first", "model.1")
    for i in range(num_down):
        places |= _block(f"trunk.down_blocks.{i}", f"model.{4 + 3 * i}") | _block(
            f"trunk.up_blocks.{i}", f"model.{up + 3 * i}"
        )
    places |= _residual_blocks("trunk.residual_blocks", "model", num_blocks, 4 + 3 * num_down)
    places["heads.0"] = places["head"] = f"model.{up + 3 * num_down + 1}"
    for level in range(1, num_enhancers + 1):
        places |= _enhancer_places(keys, level)
    return places


def _enhancer_places(keys: set[str], level: int) -> dict[str, str]:
    ours, original = f"enhancers.{level - 1}", f"model{level}"
    num_blocks = count(keys, rf"^{re.escape(ours)}\.residual_blocks\.(\d+)\.")
    places = _block(f"{ours}.first", f"{original}_1.1") | _block(f"{ours}.down_block", f"{original}_1.4")
    places |= _residual_blocks(f"{ours}.residual_blocks", f"{original}_2", num_blocks, 0)
    places |= _block(f"{ours}.up_block", f"{original}_2.{num_blocks}")
    places[f"heads.{level}"] = f"{original}_2.{num_blocks + 4}"
    return places


def _discriminator_places(keys: set[str], features: bool) -> dict[str, str]:
    """Returns {our module: the authors'}; both count the scales from the coarsest."""
    num_layers = count(keys, r"^scales\.0\.layers\.(\d+)\.")
    places = {}
    for scale in range(count(keys, r"^scales\.(\d+)\.")):
        ours = f"scales.{scale}"
        # Without features all layers of a scale are one sequence: convolution, ReLU, then convolution, norm, ReLU each.
        layers = [
            f"scale{scale}_layer{i}.0" if features else f"layer{scale}.{3 * i - 1}" for i in range(num_layers + 2)
        ]
        places[f"{ours}.first"] = layers[0] if features else f"layer{scale}.0"
        places[f"{ours}.prediction"] = layers[-1]
        for i in range(num_layers):
            places |= _block(f"{ours}.layers.{i}", layers[i + 1])
    return places


def _block(ours: str, original: str) -> dict[str, str]:
    """Returns the places of a convolution and of the norm that follows it."""
    sequence, _, number = original.rpartition(".")
    return {f"{ours}.convolution": original, f"{ours}.norm": f"{sequence}.{int(number) + 1}"}


def _residual_blocks(ours: str, sequence: str, count: int, first: int) -> dict[str, str]:
    parts = ("convolution_0", "norm_0", "convolution_1", "norm_1")
    return {
        f"{ours}.{i}.{part}": f"{sequence}.{first + i}.conv_block.{_PARTS[part]}"
        for i in range(count)
        for part in parts
    }


def _old_statistics(originals: Iterable[str]) -> set[str]:
    """Returns the keys that PyTorch before 0.4 wrote for norms without parameters: each follows its convolution."""
    places = {key.rpartition(".")[0].rpartition(".") for key in originals}
    return {f"{sequence}.{int(number) + 1}.{name}" for sequence, _, number in places for name in _STATISTICS}


def _is_without_features(state: Mapping[str, Tensor]) -> bool:
    return "layer0.0.weight" in state


def _norm(state: Mapping[str, Tensor]) -> NormName:
    """Returns the norm: instance norms have no scale to save, though old files hold statistics of theirs."""
    scales = (
        key for key, value in state.items() if re.match(r"^(model|scale|layer).*\.weight$", key) and value.ndim == 1
    )
    return "batch" if any(scales) else "instance"


def _count(state: Mapping[str, Tensor], pattern: str, *, dimensions: int | None = None) -> int:
    """Returns how many numbers the pattern finds in the keys of tensors with so many dimensions."""
    return count([key for key, value in state.items() if dimensions in (None, value.ndim)], pattern)


class _Sequence(NamedTuple):
    """What the flat sequences of a generator or an encoder hold; `head` is the place of the last convolution."""

    num_downsamplings: int
    num_blocks: int
    num_enhancers: int
    num_enhancer_blocks: int
    head: str


def _sequence(state: Iterable[str]) -> _Sequence:
    """Returns what the places of the keys tell, not how many there are: a key that is missing is then told by name."""
    keys = list(state)
    places, blocks = numbers(keys, r"^model\.(\d+)\."), numbers(keys, r"^model\.(\d+)\.conv_block\.")
    local = max(numbers(keys, r"^model1_2\.(\d+)\.conv_block\."), default=-1) + 1
    num_enhancers = max(numbers(keys, r"^model(\d+)_[12]\."), default=0)
    num_blocks = blocks[-1] - blocks[0] + 1 if blocks else 0
    # The blocks lie behind pad, convolution, norm, ReLU and three modules for each halving. Without any (an encoder),
    # as many follow for the doublings, then pad and head, which the trunk of an enhancer has not.
    num_down = (blocks[0] - 4) // 3 if blocks else (places[-1] - (1 if num_enhancers else 5)) // 6
    head = f"model{num_enhancers}_2.{local + 4}" if num_enhancers else f"model.{5 + 6 * num_down + num_blocks}"
    return _Sequence(max(num_down, 0), num_blocks, num_enhancers, local, head)
