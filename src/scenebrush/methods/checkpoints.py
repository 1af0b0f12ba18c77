"""The authors' checkpoint files: read without running them, and what their channels of labels mean."""

from __future__ import annotations

import dataclasses
import pickle
import re
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor, nn

from scenebrush.errors import InputError, ModelError, nearest_name
from scenebrush.scene.label_set import LabelSet

RELEASED: Final = ("spade", "sesame", "pix2pixhd")
"""The methods whose authors released checkpoints; `methods/<method>/released.py` has `Options` and `convert`."""

_ENCODERS: Final = {"spade": "a style encoder", "pix2pixhd": "a feature encoder"}

_SPARE: Final = {"cityscapes": 1}  # the authors' 35 classes are our 34 ids and the licence plate, which maps never hold
_BROKEN: Final = (  # all that reading a file that is no checkpoint, or a part of one, can end in
    RuntimeError,
    EOFError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    struct.error,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    AssertionError,
)


class EncoderError(ModelError):
    """The fault lies in the encoder's file, not in the generator's."""


class States(NamedTuple):
    """The state dicts of one checkpoint, under the authors' names; `encoder` is None where there is none."""

    generator: Mapping[str, Tensor]
    encoder: Mapping[str, Tensor] | None = None


class Converted(NamedTuple):
    """A method's configuration and its networks with the checkpoint's weights, under our names."""

    config: Any
    network: nn.Module


class Channels(NamedTuple):
    """What the channels of a network's semantics are: so many classes, then perhaps the boundaries."""

    num_classes: int
    boundaries: bool


OptionsT = TypeVar("OptionsT")
NetworkT = TypeVar("NetworkT", bound=nn.Module)


def read_checkpoint(path: Path) -> dict[str, Tensor]:
    """Returns the state dict of a `.pth` file, on the CPU. No code of the file is run (`weights_only`).

    Raises:
        ModelError: a file that is missing, truncated, no checkpoint, or holds more than named tensors.
    """
    if not path.is_file():
        raise ModelError(f"{path} does not exist; give the authors' *_net_G.pth")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of old pickles; what cannot be read raises
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ModelError(
            f"{path} is no state dict, or a damaged one ({_reason(error)}); expected named tensors alone: nothing else"
            " is loaded, for it could run code"
        ) from error
    except _BROKEN as error:
        raise ModelError(f"{path} cannot be read ({_reason(error)}); fetch the file again") from error
    if not isinstance(state, Mapping) or not state:
        raise ModelError(f"{path} holds a {type(state).__name__}; expected the state dict of one network, *_net_G.pth")
    for key, value in state.items():
        if not isinstance(key, str) or not isinstance(value, Tensor):
            raise ModelError(f"{path}: {key!r} is no tensor; expected the state dict of one network, *_net_G.pth")
    return {key: value.detach() for key, value in state.items()}


def check_kind(path: Path, state: Mapping[str, Tensor], method: str) -> None:
    """Raises `ModelError` for a discriminator, an encoder, or another method's generator, as its keys tell."""
    found = _kind(state)
    if found is None:
        first = next(iter(state))
        raise ModelError(f"{path} is no generator of {' or '.join(RELEASED)}: its first key is {first!r}")
    if found not in RELEASED:
        raise ModelError(f"{path} is {found}; give the generator, *_net_G.pth")
    if found != method:
        raise ModelError(f"{path} is a generator of {found}, not of {method}; say --method {found}")


def read_encoder(read: Callable[[Mapping[str, Tensor]], NetworkT], state: Mapping[str, Tensor]) -> NetworkT:
    """Returns what `read` makes of an encoder's state; what is wrong with it is an `EncoderError`."""
    try:
        return read(state)
    except ModelError as error:
        raise EncoderError(str(error)) from error


def check_encoder(path: Path, state: Mapping[str, Tensor], method: str) -> None:
    """Raises `ModelError` for a file that is no encoder of the method, as its keys tell."""
    found, wanted = _kind(state), _ENCODERS.get(method)
    if wanted is None:
        raise ModelError(f"{path} has no use: {method} has no encoder; leave it out")
    if found != wanted:
        what = f"a generator of {found}" if found in RELEASED else found or "no network of the authors'"
        raise ModelError(f"{path} is {what}; expected {wanted} of {method}, *_net_E.pth")


def read_options(options: type[OptionsT], settings: Mapping[str, str]) -> OptionsT:
    """Returns a method's options for converting, from text; `InputError` for one that it has not, or a wrong value."""
    names = [field.name for field in dataclasses.fields(options)]  # type: ignore[arg-type]
    for name in settings:
        if name not in names:
            raise InputError(f"unknown setting {name!r}{nearest_name(name, names)}; there are {', '.join(names)}")
    try:
        return TypeAdapter(options).validate_python(dict(settings))
    except ValidationError as error:
        fault = error.errors()[0]
        name = str(fault["loc"][0])
        raise InputError(f"setting {name}={settings[name]}: {fault['msg']}") from error


def label_channels(channels: int, label_set: LabelSet, boundaries: bool | None) -> Channels:
    """Returns what a network's `channels` of semantics are for a label set.

    `boundaries` says whether the last one is the boundaries of objects; None finds out. `ModelError` where the numbers
    do not come out: the network was trained with another label set.
    """
    count = len(label_set.classes)
    left = channels - count
    spare = _SPARE.get(label_set.name, 0)
    possible = [
        Channels(count + more, edges)
        for more in (0, spare)
        for edges in (False, True)
        if more + edges == left and boundaries in (None, edges)
    ]
    if not possible:
        asked = {None: "0, or 1 for boundaries", True: "1 for boundaries", False: "0 without boundaries"}[boundaries]
        raise ModelError(
            f"the network sees {channels} channels of labels, label set {label_set.name!r} has {count} classes, which"
            f" leaves {left}, expected {asked}; give the label set that it was trained with"
        )
    return possible[-1]


def unlabelled_first(semantic: Tensor, num_classes: int) -> Tensor:
    """Returns a convolution's weight (out, in, k, k) with the last class's input channel moved to the front."""
    order = [num_classes - 1, *range(num_classes - 1), *range(num_classes, semantic.shape[1])]
    return semantic[:, order].contiguous()


def _kind(state: Mapping[str, Tensor]) -> str | None:
    keys = {key.removeprefix("module.") for key in state}
    if any(key.startswith(("discriminator_", "scale0_layer", "layer0.")) for key in keys):
        return "a discriminator"
    if any(key.startswith(("fc_mu.", "fc_var.")) for key in keys):
        return "a style encoder"
    if any(key.startswith("init_block.") for key in keys):
        return "sesame"
    if any(key.startswith("head_0.") for key in keys):
        return "spade"
    if any(re.match(r"model\.\d+\.conv_block\.", key) for key in keys):
        return "pix2pixhd"
    return "a feature encoder" if any(re.match(r"model\.\d+\.weight$", key) for key in keys) else None


def _reason(error: Exception) -> str:
    """Returns the first sentence of an error; of torch's long advice on unpickling what it could not read."""
    text = str(error).strip() or type(error).__name__
    found = re.search(r"Unsupported (global: GLOBAL \S+|[^.\n]+)", text)
    return (found[0] if found else text.splitlines()[0].partition(". ")[0]).strip()[:120]
