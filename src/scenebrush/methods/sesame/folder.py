"""Model folders of SESAME: config.json, model.safetensors in half precision, README.md."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from scenebrush.errors import ModelError, ScenebrushError
from scenebrush.methods.sesame.config import SesameConfig
from scenebrush.methods.sesame.networks import WindowGenerator, build_generator, channels_last
from scenebrush.scene.label_set import LabelClass, LabelSet

FORMAT = 1

CARD = """# {name}

A SESAME model for the label set `{label_set}` ({classes}).
What it was trained on, for how long and from which recipe stands in `config.json` under `training`.
Say here before you pass it on: the data and its licence, the figures, the limits.
"""


def save_model(
    folder: Path, generator: nn.Module, config: SesameConfig, label_set: LabelSet, training: Mapping[str, Any]
) -> None:
    """Writes a model folder; each file beside and renamed. Weights are stored in half precision.

    `training` is what there is to know about the run, plain data. A model card is begun where there is none yet.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {k: _stored(v.detach().cpu()) for k, v in generator.state_dict().items()}
    facts = {
        "format": FORMAT,
        "method": "sesame",
        "label_set": dataclasses.asdict(label_set),
        "config": dataclasses.asdict(config),
        "training": dict(training),
    }
    names = ", ".join(c.name for c in label_set.classes)
    card = CARD.format(name=folder.resolve().name, label_set=label_set.name, classes=names)
    _write(folder / "model.safetensors", lambda path: save_file(tensors, path))
    _write(folder / "config.json", lambda path: path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8"))
    if not (folder / "README.md").exists():
        _write(folder / "README.md", lambda path: path.write_text(card, encoding="utf-8"))


def load_generator(folder: Path) -> tuple[WindowGenerator, LabelSet]:
    """Returns the generator of a model folder in evaluation mode, float32, and its label set.

    A folder that is not whole, or whose files do not fit each other, raises `ModelError`.
    """
    config, label_set = _read_config(folder / "config.json")
    weights = folder / "model.safetensors"
    try:
        tensors = {
            key: value.float() if value.is_floating_point() else value for key, value in load_file(weights).items()
        }
        generator = build_generator(config)
        generator.load_state_dict(tensors)
    except (OSError, SafetensorError, RuntimeError, ScenebrushError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise ModelError(
            f"{weights} does not hold the weights that config.json describes ({reason});"
            " take the model folder from its source again"
        ) from error
    return channels_last(generator.eval().requires_grad_(False)), label_set


def _read_config(path: Path) -> tuple[SesameConfig, LabelSet]:
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts.get("format", FORMAT) != FORMAT:
            raise ValueError(f"format {facts['format']}, this scenebrush reads {FORMAT}")
        unknown = facts["config"].keys() - {field.name for field in dataclasses.fields(SesameConfig)}
        if unknown:
            raise ValueError(f"unknown settings {', '.join(sorted(unknown))}")
        config = TypeAdapter(SesameConfig).validate_python(facts["config"])
        label_set = _label_set(facts["label_set"])
        spare = config.num_classes - len(label_set.classes) if config.network == "paper" else 0  # a converted one may
        if config.num_classes != len(label_set.classes) + max(spare, 0):
            raise ValueError(f"{config.num_classes} classes, but its label set has {len(label_set.classes)}")
    except (OSError, KeyError, TypeError, AttributeError, ValueError, ScenebrushError) as error:
        reason = _first(error) if isinstance(error, ValidationError) else str(error)
        raise ModelError(
            f"{path} is no SESAME configuration ({reason}); take the model folder from its source again"
        ) from error
    return config, label_set


def _first(error: ValidationError) -> str:
    fault = error.errors()[0]
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"


def _label_set(data: Mapping[str, Any]) -> LabelSet:
    classes = tuple(LabelClass(c["id"], c["name"], tuple(c["color"]), c["kind"]) for c in data["classes"])
    return LabelSet(data["name"], classes, data["ignore_id"])


def _stored(tensor: Tensor) -> Tensor:
    """Returns a copy in half precision; a whole number, or what half precision cannot hold, stays as it is."""
    half = tensor.half() if tensor.is_floating_point() else tensor
    return (half if bool(torch.isfinite(half).all()) else tensor).contiguous().clone()


def _write(path: Path, write: Callable[[Path], Any]) -> None:
    beside = path.with_name(f".{os.getpid()}-{path.name}")
    write(beside)
    beside.chmod(0o644)  # safetensors writes files that nobody else may read
    beside.rename(path)
