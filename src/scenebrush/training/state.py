"""What a run carries from step to step, and what a checkpoint holds of it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.optim import Adam, Optimizer

from scenebrush.training.checkpoint import load_checkpoint, save_checkpoint
from scenebrush.training.recipe import Recipe, Stage
from scenebrush.training.trainee import Memory, Trainee


@dataclass
class TrainingState:
    """Networks and optimisers, wrapped by Fabric, and how many steps are done.

    `averaged` is the moving average of the generator, in evaluation mode; there may be no discriminator.
    """

    generator: nn.Module
    averaged: nn.Module
    discriminator: nn.Module | None
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer | None
    memories: Mapping[str, Memory] = field(default_factory=dict)
    step: int = 0
    frozen_until: dict[int, int] = field(default_factory=dict)
    """By a parameter's place: the first step in which it was trained, where that is not step 0."""

    @classmethod
    def begin(cls, fabric: Fabric, recipe: Recipe, trainee: Trainee) -> TrainingState:
        """Returns the state before the first step, and puts the wrapped networks in the trainee's place."""
        averaged = fabric.to_device(copy.deepcopy(trainee.generator)).eval().requires_grad_(False)
        optimizer = _adam(trainee.generator, recipe.optimizer.generator, recipe)
        generator, generator_optimizer = fabric.setup(trainee.generator, optimizer)
        trainee.generator = generator
        if trainee.discriminator is None:
            return cls(generator, averaged, None, generator_optimizer, None, trainee.memories)
        optimizer = _adam(trainee.discriminator, recipe.optimizer.discriminator, recipe)
        discriminator, discriminator_optimizer = fabric.setup(trainee.discriminator, optimizer)
        trainee.discriminator = discriminator
        return cls(generator, averaged, discriminator, generator_optimizer, discriminator_optimizer, trainee.memories)

    def set_learning_rates(self, recipe: Recipe, stage: Stage) -> None:
        """Sets the rates of the next step: rising, constant, then falling linearly towards 0 after the last step."""
        share, begin = self.step / recipe.total_steps, recipe.optimizer.decay_from
        factor = stage.learning_rate * (1.0 if share < begin else (1 - share) / max(1 - begin, 1e-9))
        factor *= min(1.0, (self.step + 1) / max(recipe.optimizer.warmup, 1))
        rates = (recipe.optimizer.generator, recipe.optimizer.discriminator)
        for optimizer, rate in zip((self.generator_optimizer, self.discriminator_optimizer), rates, strict=True):
            for group in optimizer.param_groups if optimizer is not None else ():
                group["lr"] = rate * factor

    def step_generator(self, fabric: Fabric, recipe: Recipe) -> torch.Tensor:
        """Moves the generator by its gradients, clipped as the recipe says; returns their norm before clipping."""
        most = recipe.optimizer.clip or float("inf")
        norm = fabric.clip_gradients(self.generator, self.generator_optimizer, max_norm=most, error_if_nonfinite=False)
        self.generator_optimizer.step()
        self.generator_optimizer.zero_grad(set_to_none=True)
        return torch.as_tensor(norm).detach()

    @torch.no_grad()
    def average(self, decay: float) -> None:
        """Moves the averaged generator; the decay grows from 0 so that the start is forgotten soon.

        The start of a weight that was frozen is the step that it is trained in first: else what a later phase trains
        would be averaged with its random start.
        """
        groups: dict[int, tuple[list[torch.Tensor], list[torch.Tensor]]] = {}
        pairs = zip(self.averaged.parameters(), self.generator.parameters(), strict=True)
        for index, (own, other) in enumerate(pairs):
            if not other.requires_grad:
                self.frozen_until[index] = self.step + 1
            ours, theirs = groups.setdefault(self.frozen_until.get(index, 0), ([], []))
            ours.append(own.detach())
            theirs.append(other.detach())
        for first, (ours, theirs) in groups.items():
            done = self.step - first  # -1 for what is frozen: its average is itself
            torch._foreach_lerp_(ours, theirs, 1 - min(decay, (1 + done) / (10 + done)))
        for buffer, theirs_now in zip(self.averaged.buffers(), self.generator.buffers(), strict=True):
            buffer.copy_(theirs_now)

    @contextmanager
    def frozen_discriminator(self) -> Iterator[None]:
        """Keeps the discriminator from collecting gradients in the generator's step: they cost a third of it."""
        if self.discriminator is not None:
            self.discriminator.requires_grad_(False)
        yield
        if self.discriminator is not None:
            self.discriminator.requires_grad_(True)

    @torch.no_grad()
    def largest_weights(self) -> dict[str, float]:
        """Returns the largest absolute weight of each network: NaN or infinite where any weight is."""
        found = {}
        for name, module in self._modules().items():
            largest = torch._foreach_norm(list(module.parameters()), torch.inf)
            found[f"largest weight of the {name}"] = float(torch.stack(largest).max())
        return found

    def save(self, folder: Path, seconds: float) -> None:
        """Writes a checkpoint into a folder."""
        save_checkpoint(folder, self.step, self._kept(), self._optimizers(), self._facts(seconds))

    def load(self, path: Path) -> float:
        """Fills itself from a checkpoint; returns the seconds trained before it."""
        facts = load_checkpoint(path, self._kept(), self._optimizers())
        self.step = int(facts["step"])
        self.frozen_until = {int(place): int(step) for place, step in facts.get("frozen_until", {}).items()}
        return float(facts["seconds"])

    def _modules(self) -> Mapping[str, nn.Module]:
        modules = {"generator": _unwrapped(self.generator), "averaged": self.averaged}
        return modules if self.discriminator is None else modules | {"discriminator": _unwrapped(self.discriminator)}

    def _facts(self, seconds: float) -> dict[str, Any]:
        return {"seconds": seconds, "frozen_until": self.frozen_until}

    def _kept(self) -> Mapping[str, nn.Module | Memory]:
        return {**self._modules(), **{f"memory-{name}": memory for name, memory in self.memories.items()}}

    def _optimizers(self) -> Mapping[str, Optimizer]:
        optimizers = {"generator": _unwrapped(self.generator_optimizer)}
        if self.discriminator_optimizer is not None:
            optimizers["discriminator"] = _unwrapped(self.discriminator_optimizer)
        return optimizers


def _adam(module: nn.Module, learning_rate: float, recipe: Recipe) -> Adam:
    first, second = recipe.optimizer.betas
    return Adam(module.parameters(), lr=learning_rate, betas=(float(first), float(second)))  # torch wants floats


def _unwrapped(wrapped: Any) -> Any:
    """Returns the network or optimiser behind Fabric's wrapper."""
    return getattr(wrapped, "module", getattr(wrapped, "optimizer", wrapped))
