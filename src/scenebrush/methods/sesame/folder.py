"""Model folders of SESAME: config.json, model.safetensors in half precision, README.md."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from scenebrush.errors import ModelError
from scenebrush.methods.sesame.config import SesameConfig
from scenebrush.methods.sesame.networks import WindowGenerator, build_generator
from scenebrush.scene.label_set import LabelClass, LabelSet

FORMAT = 1


def save_model(
    folder: Path, generator: nn.Module, config: SesameConfig, label_set: LabelSet, training: Mapping[str, Any]
) -> None:
    """Writes a model folder; each file beside and renamed. Weights are stored in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {k: v.detach().cpu().half().contiguous().clone() for k, v in generator.state_dict().items()}
    beside = folder / f".{os.getpid()}.safetensors"
    save_file(tensors, beside)
    beside.rename(folder / "model.safetensors")
    facts = {
        "format": FORMAT,
        "method": "sesame",
        "label_set": dataclasses.asdict(label_set),
        "config": dataclasses.asdict(config),
        "training": dict(training),
    }
    beside = folder / f".{os.getpid()}.json"
    beside.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    beside.rename(folder / "config.json")


def load_generator(folder: Path) -> tuple[WindowGenerator, LabelSet]:
    """Returns the generator of a model folder in evaluation mode, float32, and its label set."""
    path = folder / "config.json"
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        given = {k: tuple(v) if isinstance(v, list) else v for k, v in facts["config"].items()}
        config = SesameConfig(**given)
        label_set = _label_set(facts["label_set"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} is no SESAME configuration ({error}); take the model folder from its source again") from error
    generator = build_generator(config)
    weights = folder / "model.safetensors"
    try:
        tensors = {key: value.float() for key, value in load_file(weights).items()}
        generator.load_state_dict(tensors)
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise ModelError(f"{weights} does not hold the weights that config.json describes ({reason})") from error
    return generator.eval().requires_grad_(False).to(memory_format=torch.channels_last), label_set


def _label_set(data: Mapping[str, Any]) -> LabelSet:
    classes = tuple(LabelClass(c["id"], c["name"], tuple(c["color"]), c["kind"]) for c in data["classes"])
    return LabelSet(data["name"], classes, data["ignore_id"])
