"""Checkpoints that are there whole or not at all; no pickle."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from scenebrush.errors import TrainingError

KEEP = 2


def save_checkpoint(
    folder: Path, step: int, modules: Mapping[str, nn.Module], optimizers: Mapping[str, Optimizer], facts: Mapping[str, Any]
) -> Path:
    """Writes `folder/step-000123` (beside, synced, renamed) and removes all but the last two; returns its path.

    A process that is killed at any moment leaves either the old checkpoints or the new one as well.
    """
    tensors = {f"module/{n}/{k}": v for n, m in modules.items() for k, v in m.state_dict().items()}
    for name, optimizer in optimizers.items():
        tensors |= {f"optimizer/{name}/{key}": value for key, value in _optimizer_tensors(optimizer).items()}
    beside = folder / f".writing-{os.getpid()}"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    # clone: safetensors refuses tensors that share memory; contiguous: it stores no channels_last strides
    save_file({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}, beside / "state.safetensors")
    (beside / "facts.json").write_text(json.dumps({"step": step, **facts}))
    for path in beside.iterdir():
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
    return sorted(path for path in folder.glob("step-*") if (path / "facts.json").is_file())


def load_checkpoint(
    path: Path, modules: Mapping[str, nn.Module], optimizers: Mapping[str, Optimizer]
) -> dict[str, Any]:
    """Fills modules and optimisers from a checkpoint and returns its facts."""
    with safe_open(path / "state.safetensors", framework="pt") as file:
        tensors: dict[str, Tensor] = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    try:
        for name, module in modules.items():
            module.load_state_dict(_below(tensors, f"module/{name}/"))
    except RuntimeError as error:
        raise TrainingError(f"{path} does not fit this recipe ({str(error).splitlines()[-1].strip()})") from error
    for name, optimizer in optimizers.items():
        _fill_optimizer(optimizer, _below(tensors, f"optimizer/{name}/"))
    facts: dict[str, Any] = json.loads((path / "facts.json").read_text())
    return facts


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {f"{i}/{k}": torch.as_tensor(v) for i, values in state.items() for k, v in values.items()}


def _fill_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split("/")
        state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
