"""The training loop: one visible loop; Fabric only wraps devices and precision."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.utilities.exceptions import MisconfigurationException
from PIL import Image
from torch import Tensor

from scenebrush.errors import InputError, TrainingError
from scenebrush.training.checkpoint import list_checkpoints
from scenebrush.training.log import MetricsLog
from scenebrush.training.recipe import Recipe
from scenebrush.training.state import TrainingState
from scenebrush.training.trainee import Trainee

Report = Callable[[int, int, Mapping[str, float]], None]
"""Told (steps done, steps in all, latest losses) after every step; the sum that is minimised is `losses["loss"]`."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Args:
        step, total: steps done, of all.
        seconds: time trained, in all calls together.
        model: the folder with the averaged generator as it is now.
        is_main: False in the helper processes of a run on several devices, which have nothing to tell.
    """

    step: int
    total: int
    seconds: float
    model: Path
    is_main: bool = True


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
    start: Mapping[str, Tensor] | None = None,
) -> Outcome:
    """Trains into a run folder and returns how far it came; the averaged generator is exported to `run/model`.

    A resumed run sees what an uninterrupted one would have seen, so on one CPU both end bit-equal: every batch and
    every random choice depends on (seed, step) alone. `time_budget` is in seconds and ends the run after the step,
    at least one, in which it is spent, with a checkpoint; go on with `resume`. A step's windows are shared out among
    the `devices`, rounded up to as many for each. Helper processes start the program again by its command line.
    `start` has the weights, by name, that the export is mixed with by the recipe's `start_share`.

    Raises:
        TrainingError: a NaN (the last good checkpoint is left), a folder that holds another run, or a checkpoint
            that does not fit.
        InputError: devices that are not there.
    """
    fabric = _fabric(recipe, devices, accelerator)
    state = TrainingState.begin(fabric, recipe, trainee)
    spent = _resume(state, run, resume)
    began = time.monotonic()
    log = MetricsLog(run, state.step, enabled=fabric.is_global_zero)
    if fabric.is_global_zero:
        (run / "recipe.yaml").write_text(recipe.dump(), encoding="utf-8")

    for step in range(state.step, recipe.total_steps):
        stage_index, stage, stage_step = recipe.stage_at(step)
        losses = _Losses(fabric, stage.accumulate)
        state.set_learning_rates(recipe, stage)

        made = []
        for batch in _batches(recipe, trainee, fabric, step):  # more than one when gradients are accumulated
            with state.frozen_discriminator(), fabric.autocast():
                loss, parts, fake = trainee.generator_step(batch, stage_index, stage.ramp(stage_step))
            fabric.backward(loss / stage.accumulate)
            losses.add({**parts, "loss": loss})
            made.append((batch, fake))
        _check(losses.mean(), step, run)
        gradient = state.step_generator(fabric, recipe)

        if state.discriminator_optimizer is not None and trainee.adversarial(stage_index):
            for batch, fake in made:
                with fabric.autocast():
                    loss, parts = trainee.discriminator_step(batch, fake, stage_index)
                fabric.backward(loss / stage.accumulate)
                losses.add(parts)
            _check(losses.mean(), step, run)
            state.discriminator_optimizer.step()
            state.discriminator_optimizer.zero_grad(set_to_none=True)

        state.average(recipe.ema)
        state.step = step + 1
        seconds = time.monotonic() - began
        last = state.step == recipe.total_steps
        # One clock decides for all devices, or some would wait for the others for ever.
        out_of_time = fabric.broadcast(time_budget is not None and seconds > time_budget)
        if report is not None and fabric.is_global_zero:
            report(state.step, recipe.total_steps, losses.mean())
        if state.step % recipe.log_every == 0 or last:
            facts = {"step": state.step, "stage": stage.name, "seconds": round(spent + seconds, 1)}
            log.write({**facts, **losses.mean(), "gradient": round(float(gradient), 4)})
        if fabric.is_global_zero and (state.step % recipe.sample_every == 0 or last or out_of_time):
            _write_sheet(trainee.sample(state.averaged), run / "samples" / f"step-{state.step:07d}.png")
        if state.step % recipe.checkpoint_every == 0 or last or out_of_time:
            _check(state.largest_weights(), step, run)
            if fabric.is_global_zero:
                state.save(run / "checkpoints", spent + seconds)
            fabric.barrier()
        if out_of_time:
            break

    spent += time.monotonic() - began
    if fabric.is_global_zero:
        facts = {"steps": state.step, "seconds": round(spent), "recipe": recipe.name}
        trainee.export(mixed(state.averaged, start or {}, recipe.start_share), run / "model", facts)
    return Outcome(state.step, recipe.total_steps, spent, run / "model", fabric.is_global_zero)


@torch.no_grad()
def mixed(network: torch.nn.Module, start: Mapping[str, Tensor], share: float) -> torch.nn.Module:
    """Returns the network with `share` of the start's weights in its own; itself where there is nothing to mix."""
    if not start or not share:
        return network
    result = copy.deepcopy(network)
    for name, own in result.state_dict().items():
        if name in start and own.is_floating_point():
            own.lerp_(start[name].to(own), share)
    return result


def _fabric(recipe: Recipe, devices: int, accelerator: str) -> Fabric:
    try:
        fabric = Fabric(accelerator=accelerator, devices=devices, precision=recipe.precision)
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        mend = "give fewer" if devices > 1 else "give 1 or more"
        raise InputError(f"--devices {devices} cannot be had here ({reason}); {mend}") from error
    fabric.launch()
    return fabric


def _resume(state: TrainingState, run: Path, resume: bool) -> float:
    """Fills the state from the last whole checkpoint; returns the seconds trained before."""
    checkpoints = list_checkpoints(run / "checkpoints")
    if checkpoints and not resume:
        raise TrainingError(f"{run} holds a run at {checkpoints[-1].name}; go on with --resume or name another folder")
    run.mkdir(parents=True, exist_ok=True)
    return state.load(checkpoints[-1]) if checkpoints else 0.0


def _batches(recipe: Recipe, trainee: Trainee, fabric: Fabric, step: int) -> Iterator[Any]:
    """Yields a step's batches for this device, as many as are accumulated."""
    stage_index, stage, stage_step = recipe.stage_at(step)
    per_device = math.ceil(stage.batch_size / fabric.world_size)
    count = trainee.num_windows(stage_index)
    for part in range(stage.accumulate):
        first = ((stage_step * stage.accumulate + part) * fabric.world_size + fabric.global_rank) * per_device
        indices = [_shuffled(recipe.seed + stage_index, first + k, count) for k in range(per_device)]
        seed = np.random.SeedSequence((recipe.seed, step, part, fabric.global_rank)).generate_state(1, np.uint64)[0]
        rng = torch.Generator().manual_seed(int(seed) >> 1)
        yield trainee.batch(stage_index, indices, rng).to(fabric.device)


def _shuffled(seed: int, position: int, count: int) -> int:
    """Returns the window at a position of an endless stream that holds every window once an epoch."""
    epoch, place = divmod(position, count)
    return int(_permutation(seed, epoch, count)[place])


@lru_cache(maxsize=2)  # a batch may lie across the end of an epoch
def _permutation(seed: int, epoch: int, count: int) -> np.ndarray:
    return np.random.default_rng((seed, epoch)).permutation(count)


class _Losses:
    """The losses of one step: means over accumulated batches and devices."""

    def __init__(self, fabric: Fabric, accumulate: int) -> None:
        self._fabric, self._accumulate = fabric, accumulate
        self._sums: dict[str, Tensor] = {}
        self._mean: dict[str, float] = {}

    def add(self, parts: Mapping[str, Tensor]) -> None:
        """Takes the losses of one batch."""
        for name, value in parts.items():
            self._sums[name] = self._sums.get(name, 0.0) + value.detach().float() / self._accumulate

    def mean(self) -> dict[str, float]:
        """Returns the losses so far, the same on every device."""
        new = [name for name in self._sums if name not in self._mean]
        if new:
            values = cast(Tensor, self._fabric.all_reduce(torch.stack([self._sums[name] for name in new])))  # means
            self._mean |= dict(zip(new, values.tolist(), strict=True))
        return self._mean


def _check(values: Mapping[str, float], step: int, run: Path) -> None:
    for name, value in values.items():
        if not math.isfinite(value):
            kept = list_checkpoints(run / "checkpoints")
            where = f"the last good checkpoint is {kept[-1]}" if kept else "there is no checkpoint yet"
            raise TrainingError(f"step {step + 1}: {name} is {value}; {where}; lower the learning rate and --resume")


def _write_sheet(sheet: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".writing.png")
    Image.fromarray(sheet).save(beside)
    beside.rename(path)
