"""Checkpoints that are there whole or not at all; no pickle."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from scenebrush.errors import TrainingError
from scenebrush.training.trainee import Memory

KEEP = 2

_FILES = ("state.safetensors", "facts.json")


def save_checkpoint(
    folder: Path,
    step: int,
    modules: Mapping[str, nn.Module | Memory],
    optimizers: Mapping[str, Optimizer],
    facts: Mapping[str, Any],
) -> Path:
    """Writes `folder/step-0000123` (beside, synced, renamed) and removes all but the last two; returns its path.

    A process that is killed at any moment leaves either the old checkpoints or the new one as well. One process
    writes into a folder: what another left half written is removed.
    """
    tensors = {f"module/{n}/{k}": v for n, m in modules.items() for k, v in m.state_dict().items()}
    for name, optimizer in optimizers.items():
        tensors |= {f"optimizer/{name}/{key}": value for key, value in _optimizer_tensors(optimizer).items()}
    for left in folder.glob(".writing-*"):
        shutil.rmtree(left)
    beside = folder / f".writing-{os.getpid()}"
    beside.mkdir(parents=True)
    # clone: safetensors refuses tensors that share memory; contiguous: it stores no channels_last strides
    save_file({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, beside / "state.safetensors")
    (beside / "facts.json").write_text(json.dumps({"step": step, **facts}), encoding="utf-8")
    for path in (*beside.iterdir(), beside):
        _sync(path)
    final = folder / f"step-{step:07d}"
    shutil.rmtree(final, ignore_errors=True)
    beside.rename(final)
    _sync(folder)
    for old in list_checkpoints(folder)[:-KEEP]:
        shutil.rmtree(old)
    return final


def list_checkpoints(folder: Path) -> list[Path]:
    """Returns the whole checkpoints in a folder, oldest first."""
    whole = (path for path in folder.glob("step-[0-9]*") if all((path / name).is_file() for name in _FILES))
    return sorted(whole, key=lambda path: int(path.name.removeprefix("step-")))


def load_checkpoint(
    path: Path, modules: Mapping[str, nn.Module | Memory], optimizers: Mapping[str, Optimizer]
) -> dict[str, Any]:
    """Fills modules and optimisers from a checkpoint and returns its facts.

    One that cannot be read or belongs to another configuration raises `TrainingError`.
    """
    try:
        facts: dict[str, Any] = json.loads((path / "facts.json").read_text(encoding="utf-8"))
        tensors = load_file(path / "state.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise TrainingError(f"{path} cannot be read ({error}); remove it to go on from the one before") from error
    try:
        for name, module in modules.items():
            module.load_state_dict(_below(tensors, f"module/{name}/"))
        for name, optimizer in optimizers.items():
            _fill_optimizer(optimizer, _below(tensors, f"optimizer/{name}/"))
    except (RuntimeError, ValueError, IndexError) as error:
        raise TrainingError(f"{path} does not fit this recipe ({str(error).splitlines()[-1].strip()})") from error
    return facts


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {f"{i}/{k}": torch.as_tensor(v) for i, values in state.items() for k, v in values.items()}


def _fill_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split("/")
        parameter = parameters[int(index)]
        # Moments lie in memory as their parameter does: channels_last is not stored, but needed for speed.
        filled = torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value
        state.setdefault(int(index), {})[name] = filled.detach()
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
