"""scenebrush convert."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction, arg

from scenebrush.cli.console import say, say_json
from scenebrush.errors import InputError, ModelError, nearest_name
from scenebrush.scene import LabelSet

if TYPE_CHECKING:
    from scenebrush.methods.checkpoints import Converted, States

_SOURCES = {
    "spade": "https://github.com/NVlabs/SPADE",
    "sesame": "https://github.com/vglsd/OpenSESAME",
    "pix2pixhd": "https://github.com/NVIDIA/pix2pixHD",
}

_CARD = """# {name}

Converted from the authors' released checkpoint `{file}` of {method}, for the label set `{label_set}`.

- Source: {source}
- SHA-256 of the file: `{sha256}`
- Licence: that of the authors' release. Their weights are for non-commercial use; read the terms at the source before
  you use this model or pass it on.
- Nothing was trained or changed; weights that half precision holds exactly are stored so.
"""


@dataclass
class Arguments:
    """Turn a checkpoint that the authors released into a model folder. None of its code is run; each key has its place.

    What the shapes of the weights do not tell is guessed from the label set, or said with --set: docs/converting.md.

    Example: scenebrush convert latest_net_G.pth --method pix2pixhd --label-set cityscapes -o pix2pixhd-city
    """

    checkpoint: Annotated[Positional[Path], arg(metavar="CHECKPOINT")]
    """The generator's weights, *_net_G.pth, or the folder where they lie as latest_net_G.pth."""
    method: Annotated[str, arg(metavar="METHOD")]
    """spade, sesame or pix2pixhd."""
    label_set: Annotated[str, arg(metavar="SET")]
    """The classes it was trained with: cityscapes, ade20k, cocostuff, ... or a .json file."""
    out: Annotated[Path, arg(metavar="MODEL", aliases=("-o",))]
    """The model folder to write."""
    encoder: Annotated[Path | None, arg(metavar="FILE")] = None
    """The encoder's weights, *_net_E.pth, of a model with styles; by default those beside CHECKPOINT, if there are."""
    set: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="KEY=VALUE")] = ()
    """What no shape tells, for instance upsampling=normal."""
    json: Annotated[bool, FlagCreatePairsOff] = False
    """Print JSON for a program to read."""


def run(arguments: Arguments, argv: Sequence[str]) -> None:
    """Reads, converts, writes, and says what the checkpoint holds."""
    if arguments.method not in _SOURCES:
        hint = nearest_name(arguments.method, _SOURCES)
        raise InputError(f"unknown method {arguments.method!r}{hint}; checkpoints are read of {', '.join(_SOURCES)}")
    check_place(arguments.out)
    label_set = LabelSet.load(arguments.label_set)
    settings = read_settings(arguments.set)
    # torch comes in only here, after the arguments are known to be sound.
    from scenebrush.methods.model_folder import ModelFacts, write_model

    arguments = replace(arguments, checkpoint=generator_file(arguments.checkpoint))
    arguments = replace(arguments, encoder=arguments.encoder or encoder_beside(arguments.checkpoint))
    states = read_states(arguments.checkpoint, arguments.encoder, arguments.method)
    converted = convert(arguments, states, label_set, settings)
    digest = hashlib.sha256(arguments.checkpoint.read_bytes()).hexdigest()
    facts = {"source": _SOURCES[arguments.method], "checkpoint": arguments.checkpoint.name, "sha256": digest}
    state = converted.network.state_dict()
    write_model(
        arguments.out,
        ModelFacts(arguments.method, converted.config, label_set, {"converted": facts}),
        state,
        card(arguments, label_set, digest),
        exact=True,
    )
    tell(arguments, states, sum(p.numel() for p in converted.network.parameters()))


def tell(arguments: Arguments, states: States, parameters: int) -> None:
    """Prints what was converted."""
    keys, encoder = len(states.generator) + len(states.encoder or {}), arguments.encoder
    if arguments.json:
        facts = {"model": str(arguments.out), "keys": keys, "parameters": parameters}
        say_json({**facts, "encoder": encoder and str(encoder)})
        return
    with_encoder = f", with the encoder {encoder.name}" if encoder else ""
    what = f"all {keys} keys have their place, {parameters:,} parameters{with_encoder}"
    say(f"{arguments.method}: {what}: {arguments.out}")


def check_place(out: Path) -> None:
    """Raises `InputError` where no new model folder can be made."""
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise InputError(f"{out} is there already; name a new model folder with -o")
    if not out.absolute().parent.is_dir() or not os.access(out.absolute().parent, os.W_OK):
        raise InputError(
            f"{out} cannot be written: the folder {out.parent} is missing or read-only; choose another place"
        )


def read_settings(values: Sequence[str]) -> dict[str, str]:
    """Returns {key: value} of `KEY=VALUE` words."""
    settings = {}
    for value in values:
        key, sign, text = value.partition("=")
        if not (key and sign):
            raise InputError(f"--set {value!r} is no setting; give KEY=VALUE, for instance upsampling=normal")
        settings[key] = text
    return settings


def generator_file(checkpoint: Path) -> Path:
    """Returns the generator's file: `checkpoint` itself, or of a folder its latest or only one."""
    if not checkpoint.is_dir():
        return checkpoint
    found = sorted(path.name for path in checkpoint.glob("*_net_G.pth"))
    if "latest_net_G.pth" in found:
        return checkpoint / "latest_net_G.pth"
    if len(found) == 1:
        return checkpoint / found[0]
    held = f"holds {', '.join(found)}; name one of them" if found else "holds no *_net_G.pth; name the file"
    raise ModelError(f"{checkpoint} is a folder that {held}")


def encoder_beside(checkpoint: Path) -> Path | None:
    """Returns the encoder beside a generator, `latest_net_E.pth` beside `latest_net_G.pth`, if there is one."""
    stem, sign, end = checkpoint.name.rpartition("_net_G")
    beside = checkpoint.with_name(f"{stem}_net_E{end}")
    return beside if sign and beside.is_file() else None


def read_states(checkpoint: Path, encoder: Path | None, method: str) -> States:
    """Returns the state dicts of the files; `ModelError` for files that are not what they should be."""
    from scenebrush.methods.checkpoints import States, check_encoder, check_kind, read_checkpoint

    generator = read_checkpoint(checkpoint)
    check_kind(checkpoint, generator, method)
    if encoder is None:
        return States(generator)
    styles = read_checkpoint(encoder)
    check_encoder(encoder, styles, method)
    return States(generator, styles)


def convert(arguments: Arguments, states: States, label_set: LabelSet, settings: dict[str, str]) -> Converted:
    """Returns what the method makes of the checkpoint; an error names the file."""
    from importlib import import_module

    from scenebrush.methods.checkpoints import EncoderError, read_options

    released: Any = import_module(f"scenebrush.methods.{arguments.method}.released")
    options = read_options(released.Options, settings)
    try:
        converted: Converted = released.convert(states, label_set, options)
    except ModelError as error:
        file = arguments.encoder if isinstance(error, EncoderError) else arguments.checkpoint
        raise ModelError(f"{file}: {error}") from error
    return converted


def card(arguments: Arguments, label_set: LabelSet, digest: str) -> str:
    """Returns the model card."""
    return _CARD.format(
        name=arguments.out.resolve().name,
        file=arguments.checkpoint.name,
        method=arguments.method,
        label_set=label_set.name,
        source=_SOURCES[arguments.method],
        sha256=digest,
    )
