"""Model folders, the same for all methods that make whole pictures: config.json, model.safetensors, README.md."""

from __future__ import annotations

import dataclasses
import json
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, TypeVar

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from scenebrush.errors import InputError, ModelError, ScenebrushError
from scenebrush.methods.base import read_config
from scenebrush.scene.label_set import LabelClass, LabelSet

FORMAT = 1


class Config(Protocol):
    """What the configurations of these methods have in common: frozen dataclasses.

    Where one has `num_classes`, the channels of its one-hot labels, the label set must fit into them.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]


ConfigT = TypeVar("ConfigT", bound=Config)
Network = TypeVar("Network", bound=nn.Module)


class ModelFacts(NamedTuple):
    """What `write_model` is told beside the weights; `training` is plain data, whatever there is to know."""

    method: str
    config: Any
    label_set: LabelSet
    training: Mapping[str, Any]


def write_model(
    folder: Path,
    facts: ModelFacts,
    state: Mapping[str, Tensor],
    card: str,
    *,
    exact: bool = False,
    write_more: Callable[[Path], None] | None = None,
) -> None:
    """Writes a model folder, whole or not at all; a folder that is there gets the new files one by one, config last.

    Args:
        folder: where to.
        facts: what `config.json` says.
        state: the weights; stored in half precision.
        card: the model card, README.md; one that is there already stays.
        exact: half precision only for what it holds without loss.
        write_more: writes further files into the folder that it is given.

    Raises:
        InputError: a place that cannot be written to.
    """
    beside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        beside.mkdir(parents=True)
        save_file({key: _stored(v.detach().cpu(), exact) for key, v in state.items()}, beside / "model.safetensors")
        if write_more is not None:
            write_more(beside)
        (beside / "README.md").write_text(card, encoding="utf-8")
        (beside / "config.json").write_text(_config_text(facts), encoding="utf-8")
        _put(beside, folder)
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error}); choose another place") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def read_facts(folder: Path, method: str, config_type: type[ConfigT]) -> tuple[ConfigT, LabelSet]:
    """Returns configuration and label set of a model folder; `ModelError` where its config.json does not hold."""
    facts = read_config(folder)
    try:
        if facts["method"] != method:
            raise ValueError(f"its method is {facts['method']!r}, not {method!r}")
        if facts.get("format", FORMAT) != FORMAT:
            raise ValueError(f"format {facts['format']}, this scenebrush reads {FORMAT}")
        unknown = facts["config"].keys() - config_type.__dataclass_fields__.keys()
        if unknown:
            raise ValueError(f"unknown settings {', '.join(sorted(unknown))}")
        config = TypeAdapter(config_type).validate_python(facts["config"])
        label_set = _label_set(facts["label_set"])
        channels = getattr(config, "num_classes", None)
        if channels is not None and channels < len(label_set.classes):  # a converted network may have more
            raise ValueError(f"{channels} classes, but its label set has {len(label_set.classes)}")
    except (KeyError, TypeError, AttributeError, ValueError, ScenebrushError) as error:
        reason = _first(error) if isinstance(error, ValidationError) else str(error)
        raise ModelError(
            f"{folder / 'config.json'} is no configuration of {method} ({reason});"
            " take the model folder from its source again"
        ) from error
    return config, label_set


def load_weights(folder: Path, build: Callable[[], Network]) -> Network:
    """Returns the network that `build` makes with the folder's weights, float32, ready to be asked.

    `ModelError` names a file that is missing or broken, or holds other weights than config.json describes.
    """
    path = folder / "model.safetensors"
    try:
        with torch.device("meta"):  # no memory, no random draws: every tensor comes from the file
            network = build()
        state = {key: v.float() if v.is_floating_point() else v for key, v in load_file(path).items()}
        network.load_state_dict(state, assign=True)
    except (OSError, SafetensorError, RuntimeError, ScenebrushError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise ModelError(
            f"{path} does not hold the weights that config.json describes ({reason});"
            " take the model folder from its source again"
        ) from error
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval().requires_grad_(False)


def _config_text(facts: ModelFacts) -> str:
    data = {
        "format": FORMAT,
        "method": facts.method,
        "label_set": dataclasses.asdict(facts.label_set),
        "config": dataclasses.asdict(facts.config),
        "training": dict(facts.training),
    }
    return json.dumps(data, indent=1) + "\n"


def _put(beside: Path, folder: Path) -> None:
    for path in beside.iterdir():
        path.chmod(0o644)  # safetensors writes files that nobody else may read
    if not folder.exists():
        beside.rename(folder)
        return
    if (folder / "README.md").exists():
        (beside / "README.md").unlink()
    for path in sorted(beside.iterdir(), key=lambda path: path.name == "config.json"):
        path.replace(folder / path.name)


def _label_set(data: Mapping[str, Any]) -> LabelSet:
    classes = tuple(LabelClass(c["id"], c["name"], tuple(c["color"]), c["kind"]) for c in data["classes"])
    return LabelSet(data["name"], classes, data["ignore_id"])


def _first(error: ValidationError) -> str:
    fault = error.errors()[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"


def _stored(tensor: Tensor, exact: bool) -> Tensor:
    """Returns a copy in half precision; a whole number, or what half precision cannot hold, stays as it is."""
    half = tensor.half() if tensor.is_floating_point() else tensor
    holds = torch.equal(half.to(tensor.dtype), tensor) if exact else bool(torch.isfinite(half).all())
    return (half if holds else tensor).contiguous().clone()
