"""The training loop: one visible loop; Fabric only wraps devices and precision."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from PIL import Image
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from scenebrush.errors import TrainingError
from scenebrush.training.checkpoint import list_checkpoints, load_checkpoint, save_checkpoint
from scenebrush.training.log import MetricsLog
from scenebrush.training.recipe import Recipe, Stage
from scenebrush.training.trainee import Trainee

Report = Callable[[int, int, Mapping[str, float]], None]
"""Told (steps done, steps in all, latest losses) after every step."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended: steps done of all, seconds trained in all calls, and the model folder if it is complete."""

    step: int
    total: int
    seconds: float
    model: Path


def train(
    recipe: Recipe,
    trainee: Trainee,
    run: Path,
    *,
    resume: bool = False,
    time_budget: float | None = None,
    devices: int = 1,
    accelerator: str = "auto",
    report: Report | None = None,
) -> Outcome:
    """Trains into a run folder and returns how far it came; the averaged generator is exported to `run/model`.

    A resumed run sees what an uninterrupted one would have seen, so on one machine both end bit-equal: every
    batch and every random choice depends on (seed, step) alone. `time_budget` is in seconds and ends the run
    after a checkpoint; go on with `resume`. A NaN raises `TrainingError` and leaves the last good checkpoint.
    """
    fabric = Fabric(accelerator=accelerator, devices=devices, precision=recipe.precision)
    fabric.launch()
    started = time.monotonic()
    state = _State.begin(fabric, recipe, trainee)
    spent = _resume(state, run, resume)
    log = MetricsLog(run, state.step, enabled=fabric.is_global_zero)
    if fabric.is_global_zero:
        (run / "recipe.yaml").write_text(recipe.dump(), encoding="utf-8")

    def seconds() -> float:
        return spent + time.monotonic() - started

    for step in range(state.step, recipe.total_steps):
        stage_index, stage, stage_step = recipe.stage_at(step)
        losses: dict[str, float] = {}
        batches = _batches(recipe, trainee, fabric, step, stage_index, stage, stage_step)
        _set_learning_rates(state, recipe, stage, step)
        made = []
        for batch in batches:  # more than one when gradients are accumulated
            made.append((batch, *_generator_backward(state, trainee, fabric, batch, stage_index, stage, stage_step, losses)))
        _check(losses, step, run)
        state.generator_optimizer.step()
        state.generator_optimizer.zero_grad(set_to_none=True)
        if state.discriminator_optimizer is not None and trainee.adversarial(stage_index):
            for batch, fake in made:
                with fabric.autocast():
                    loss, parts = trainee.discriminator_step(batch, fake, stage_index)
                fabric.backward(loss / stage.accumulate)
                _collect(losses, parts, stage.accumulate)
            _check(losses, step, run)
            state.discriminator_optimizer.step()
            state.discriminator_optimizer.zero_grad(set_to_none=True)
        state.average(recipe.ema)
        state.step = step + 1

        last = state.step == recipe.total_steps
        out_of_time = time_budget is not None and time.monotonic() - started > time_budget
        if report is not None:
            report(state.step, recipe.total_steps, losses)
        if state.step % recipe.log_every == 0 or last:
            log.write({"step": state.step, "stage": stage.name, "seconds": round(seconds(), 1), **losses})
        if fabric.is_global_zero and (state.step % recipe.sample_every == 0 or last or out_of_time):
            _write_sheet(trainee.sample(state.averaged), run / "samples" / f"step-{state.step:07d}.png")
        if state.step % recipe.checkpoint_every == 0 or last or out_of_time:
            state.save(run, seconds(), enabled=fabric.is_global_zero)
            fabric.barrier()
        if out_of_time:
            break
    if fabric.is_global_zero:
        trainee.export(state.averaged, run / "model", {"steps": state.step, "seconds": round(seconds()), "recipe": recipe.name})
    return Outcome(state.step, recipe.total_steps, seconds(), run / "model")


@dataclass
class _State:
    """Everything that a checkpoint holds."""

    generator: nn.Module
    averaged: nn.Module
    discriminator: nn.Module | None
    generator_optimizer: Optimizer
    discriminator_optimizer: Optimizer | None
    step: int = 0

    @classmethod
    def begin(cls, fabric: Fabric, recipe: Recipe, trainee: Trainee) -> _State:
        averaged = fabric.to_device(copy.deepcopy(trainee.generator)).eval().requires_grad_(False)
        optimizer = _adam(trainee.generator, recipe.optimizer.generator, recipe)
        generator, generator_optimizer = fabric.setup(trainee.generator, optimizer)
        trainee.generator = generator
        if trainee.discriminator is None:
            return cls(generator, averaged, None, generator_optimizer, None)
        optimizer = _adam(trainee.discriminator, recipe.optimizer.discriminator, recipe)
        discriminator, discriminator_optimizer = fabric.setup(trainee.discriminator, optimizer)
        trainee.discriminator = discriminator
        return cls(generator, averaged, discriminator, generator_optimizer, discriminator_optimizer)

    @torch.no_grad()
    def average(self, decay: float) -> None:
        """Moves the averaged generator; the decay grows from 0 so that the start is forgotten soon."""
        decay = min(decay, (1 + self.step) / (10 + self.step))
        ours, theirs = list(self.averaged.parameters()), list(self.generator.parameters())
        torch._foreach_lerp_(ours, [p.detach() for p in theirs], 1 - decay)
        for ours_b, theirs_b in zip(self.averaged.buffers(), self.generator.buffers(), strict=True):
            ours_b.copy_(theirs_b)

    def _modules(self) -> dict[str, nn.Module]:
        modules = {"generator": _unwrapped(self.generator), "averaged": self.averaged}
        return modules if self.discriminator is None else modules | {"discriminator": _unwrapped(self.discriminator)}

    def _optimizers(self) -> dict[str, Optimizer]:
        optimizers = {"generator": _unwrapped(self.generator_optimizer)}
        if self.discriminator_optimizer is not None:
            optimizers["discriminator"] = _unwrapped(self.discriminator_optimizer)
        return optimizers

    def save(self, run: Path, seconds: float, *, enabled: bool) -> None:
        if enabled:
            save_checkpoint(run / "checkpoints", self.step, self._modules(), self._optimizers(), {"seconds": seconds})

    def load(self, path: Path) -> float:
        facts = load_checkpoint(path, self._modules(), self._optimizers())
        self.step = int(facts["step"])
        return float(facts["seconds"])


def _resume(state: _State, run: Path, resume: bool) -> float:
    """Fills the state from the last whole checkpoint; returns the seconds trained before."""
    checkpoints = list_checkpoints(run / "checkpoints")
    if checkpoints and not resume:
        raise TrainingError(f"{run} holds a run at {checkpoints[-1].name}; go on with --resume or name another folder")
    run.mkdir(parents=True, exist_ok=True)
    return state.load(checkpoints[-1]) if checkpoints else 0.0


def _batches(
    recipe: Recipe, trainee: Trainee, fabric: Fabric, step: int, stage_index: int, stage: Stage, stage_step: int
) -> Iterator[Any]:
    """Yields this step's batches for this device, as many as are accumulated."""
    per_device = math.ceil(stage.batch_size / fabric.world_size)
    count = trainee.num_windows(stage_index)
    for part in range(stage.accumulate):
        first = ((stage_step * stage.accumulate + part) * fabric.world_size + fabric.global_rank) * per_device
        indices = [_shuffled(recipe.seed + stage_index, first + k, count) for k in range(per_device)]
        rng = torch.Generator().manual_seed(hash((recipe.seed, step, part, fabric.global_rank)) & 0x7FFF_FFFF_FFFF)
        yield trainee.batch(stage_index, indices, rng).to(fabric.device)


_permutations: dict[tuple[int, int, int], np.ndarray] = {}


def _shuffled(seed: int, position: int, count: int) -> int:
    """Returns the window at a position of an endless stream that holds every window once an epoch."""
    epoch, place = divmod(position, count)
    key = (seed, epoch, count)
    if key not in _permutations:
        _permutations.clear()
        _permutations[key] = np.random.default_rng((seed, epoch)).permutation(count)
    return int(_permutations[key][place])


def _generator_backward(
    state: _State,
    trainee: Trainee,
    fabric: Fabric,
    batch: Any,
    stage_index: int,
    stage: Stage,
    stage_step: int,
    losses: dict[str, float],
) -> tuple[Any]:
    ramp = min(1.0, (stage_step + 1) / stage.adversarial_ramp) if stage.adversarial_ramp else 1.0
    if state.discriminator is not None:
        state.discriminator.requires_grad_(False)  # its gradients are not wanted here and cost a third of the step
    with fabric.autocast():
        loss, parts, fake = trainee.generator_step(batch, stage_index, ramp)
    fabric.backward(loss / stage.accumulate)
    if state.discriminator is not None:
        state.discriminator.requires_grad_(True)
    _collect(losses, {**parts, "loss": loss}, stage.accumulate)
    return (fake,)


def _collect(losses: dict[str, float], parts: Mapping[str, Tensor], accumulate: int) -> None:
    for name, value in parts.items():
        losses[name] = losses.get(name, 0.0) + float(value.detach()) / accumulate


def _check(losses: Mapping[str, float], step: int, run: Path) -> None:
    for name, value in losses.items():
        if not math.isfinite(value):
            kept = list_checkpoints(run / "checkpoints")
            where = f"the last good checkpoint is {kept[-1]}" if kept else "there is no checkpoint yet"
            raise TrainingError(f"step {step + 1}: {name} is {value}; {where}; lower the learning rate and --resume")


def _set_learning_rates(state: _State, recipe: Recipe, stage: Stage, step: int) -> None:
    share = step / recipe.total_steps
    begin = recipe.optimizer.decay_from
    factor = stage.learning_rate * (1.0 if share < begin else (1 - share) / max(1 - begin, 1e-9))
    for group in state.generator_optimizer.param_groups:
        group["lr"] = recipe.optimizer.generator * factor
    if state.discriminator_optimizer is not None:
        for group in state.discriminator_optimizer.param_groups:
            group["lr"] = recipe.optimizer.discriminator * factor


def _adam(module: nn.Module, learning_rate: float, recipe: Recipe) -> Adam:
    first, second = recipe.optimizer.betas
    return Adam(module.parameters(), lr=learning_rate, betas=(float(first), float(second)))


def _unwrapped(wrapped: Any) -> Any:
    return getattr(wrapped, "module", getattr(wrapped, "optimizer", wrapped))


def _write_sheet(sheet: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".writing.png")
    Image.fromarray(sheet).save(beside)
    beside.rename(path)
