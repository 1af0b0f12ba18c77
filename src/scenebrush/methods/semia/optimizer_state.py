"""What Adam remembers, as plain tensors: a fit that goes on needs it."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.optim import Optimizer


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """Returns the moments and counters of an optimiser under `<number of the parameter>/<name>`; no learning rates."""
    state = optimizer.state_dict()["state"]
    return {f"{index}/{name}": torch.as_tensor(v) for index, values in state.items() for name, v in values.items()}


def fill_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Gives an optimiser back what `optimizer_tensors` returned; `ValueError` for what does not fit its parameters."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        index, name = key.split("/")
        if int(index) >= len(parameters):
            raise ValueError(f"a moment of parameter {index}, but there are {len(parameters)}")
        parameter = parameters[int(index)]
        # Moments lie in memory as their parameter does; a file knows no channels_last.
        filled = torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape else value
        state.setdefault(int(index), {})[name] = filled.detach()
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Returns the tensors whose names begin with `prefix`, without it."""
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
