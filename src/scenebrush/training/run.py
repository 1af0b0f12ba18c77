"""From a recipe and a scene folder to a run folder: what `scenebrush train` calls."""

from __future__ import annotations

import time
from pathlib import Path

from scenebrush.errors import InputError, RecipeError
from scenebrush.methods.picture_training import PictureStage, PictureTrainee
from scenebrush.methods.pix2pix.trainee import Pix2PixTrainee
from scenebrush.methods.pix2pixhd.trainee import Pix2PixHDTrainee
from scenebrush.methods.segmenter.trainee import SegmenterTrainee
from scenebrush.methods.seigan.trainee import SeiganTrainee
from scenebrush.methods.sesame.trainee import SesameTrainee
from scenebrush.methods.sims.trainee import SimsTrainee
from scenebrush.methods.spade.trainee import SpadeTrainee
from scenebrush.methods.warm_start import start_from, start_weights
from scenebrush.scene.label_set import LabelSet
from scenebrush.training.loop import Outcome, Report, train
from scenebrush.training.recipe import EDITING, Recipe
from scenebrush.training.trainee import Trainee


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
    """Trains `recipe` on a scene folder; see `loop.train`.

    `time_budget`, in seconds, counts from this call, preparation included. `cache` is where training windows are kept
    (`run/windows`; about 0.2 MB for each of 128 pixels, taken as they are made); whole pictures are not kept.
    """
    began = time.monotonic()
    if run.exists() and not run.is_dir():
        raise InputError(f"{run} is a file; name a folder for the run with -o")
    trainee = build_trainee(recipe, data, cache or run / "windows")
    return train(
        recipe,
        trainee,
        run,
        resume=resume,
        time_budget=None if time_budget is None else time_budget - (time.monotonic() - began),
        devices=devices,
        accelerator=accelerator,
        report=report,
        start=start_weights(recipe.start_from) if recipe.start_from is not None and recipe.start_share else None,
    )


def check_data(recipe: Recipe, data: Path) -> None:
    """Raises `InputError` where the folder is no scene folder, `RecipeError` where it has another label set."""
    classes = data / "classes.json"
    if not classes.is_file():
        raise InputError(f"{data} is no scene folder: classes.json is missing; see docs/formats.md")
    found = LabelSet.load(classes).name
    if found != recipe.label_set:
        raise RecipeError(
            f"{classes} is label set {found!r}, recipe {recipe.name!r} is for {recipe.label_set!r};"
            f" give other data or --set label_set={found}"
        )


def build_trainee(recipe: Recipe, data: Path, cache: Path | None) -> Trainee:
    """Returns the method's networks, data and losses for a recipe; `cache` as in `run_recipe`.

    What does not hold together raises `RecipeError`, before any data is read; a model to start from that does not fit,
    `ModelError`.
    """
    check_data(recipe, data)
    half = recipe.precision == "bf16-mixed"
    trainee: Trainee
    if recipe.method in EDITING:
        windows = [(stage.windows.model_dump(), stage.losses) for stage in recipe.stages]
        trainee = SesameTrainee(recipe.config, windows, data, seed=recipe.seed, cache=cache, half=half)
    else:
        stages = [PictureStage(stage.pictures.model_dump(), stage.losses, stage.phase) for stage in recipe.stages]
        trainee = PICTURE_TRAINEES[recipe.method](recipe.config, stages, data, seed=recipe.seed, half=half)
    if recipe.start_from is not None:
        label_set = LabelSet.load(data / "classes.json")
        start_from(trainee.generator, recipe.start_from, method=recipe.method, label_set=label_set)
    return trainee


PICTURE_TRAINEES: dict[str, type[PictureTrainee]] = {
    "pix2pix": Pix2PixTrainee,
    "pix2pixhd": Pix2PixHDTrainee,
    "segmenter": SegmenterTrainee,
    "seigan": SeiganTrainee,
    "sims": SimsTrainee,
    "spade": SpadeTrainee,
}
"""The trainees of the methods that learn from whole pictures: those that make them, and the segmenter."""
