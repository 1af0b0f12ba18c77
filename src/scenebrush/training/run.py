"""From a recipe and a scene folder to a run folder: what `scenebrush train` calls."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path

from scenebrush.errors import InputError
from scenebrush.methods.sesame.trainee import SesameTrainee
from scenebrush.training.loop import Outcome, Report, train
from scenebrush.training.recipe import Recipe

Prepared = Callable[[int, int], None]
"""Told (windows there, windows in all) while windows are prepared."""


def run_recipe(
    recipe: Recipe,
    data: Path,
    run: Path,
    *,
    resume: bool = False,
    time_budget: float | None = None,
    devices: int = 1,
    accelerator: str = "auto",
    cache: Path | None = None,
    report: Report | None = None,
) -> Outcome:
    """Trains `recipe` on a scene folder; see `loop.train`. `cache` defaults to `run/windows`."""
    check_data(data)
    trainee = build_trainee(recipe, data, cache or run / "windows")
    return train(
        recipe,
        trainee,
        run,
        resume=resume,
        time_budget=time_budget,
        devices=devices,
        accelerator=accelerator,
        report=report,
    )


def check_data(data: Path) -> None:
    """Raises `InputError` where the folder is no scene folder."""
    if not (data / "classes.json").is_file():
        raise InputError(f"{data} is no scene folder: classes.json is missing; see docs/formats.md")


def build_trainee(recipe: Recipe, data: Path, cache: Path) -> SesameTrainee:
    """Returns the method's networks, windows and losses for a recipe."""
    stages = [(stage.windows.model_dump(), stage.losses) for stage in recipe.stages]
    half = recipe.precision == "bf16-mixed"
    return SesameTrainee(recipe.config, stages, data, seed=recipe.seed, cache=cache, half=half)


def prepare_windows(recipe: Recipe, data: Path, cache: Path, *, workers: int = 2, report: Prepared | None = None) -> int:
    """Makes all windows of all stages and their canvases beforehand; returns how many there are. May be cut off."""
    check_data(data)
    counts = [stage.windows.count for stage in recipe.stages]
    jobs = [(stage, index) for stage, count in enumerate(counts) for index in range(count)]
    with multiprocessing.get_context("fork").Pool(workers, _begin, (recipe, data, cache)) as pool:
        for done, _ in enumerate(pool.imap_unordered(_make, jobs, chunksize=16), 1):
            if report is not None:
                report(done, len(jobs))
    return len(jobs)


_trainees: list[SesameTrainee] = []  # one a worker process


def _begin(recipe: Recipe, data: Path, cache: Path) -> None:
    without_losses = recipe.model_copy(
        update={"stages": [s.model_copy(update={"losses": {"adversarial": 0.0, "perceptual": 0.0}}) for s in recipe.stages]}
    )
    _trainees[:] = [build_trainee(without_losses, data, cache)]


def _make(job: tuple[int, int]) -> None:
    stage, index = job
    _trainees[0].windows[stage][index]
