"""scenebrush train."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction, arg

from scenebrush.cli.console import say, say_json
from scenebrush.errors import InputError


@dataclass
class Arguments:
    """Train a model from a recipe. The run folder says all: recipe, metrics, samples, checkpoints, and the model.

    Example: scenebrush train recipes/sesame/street.yaml --data camvid -o runs/street --time-budget 2h
    """

    recipe: Annotated[Positional[Path], arg(metavar="RECIPE")]
    """The recipe, a YAML file."""
    data: Annotated[Path, arg(metavar="FOLDER")]
    """The scene folder to learn from."""
    out: Annotated[Path, arg(metavar="RUN", aliases=("-o",))]
    """The run folder; the model comes to lie in RUN/model."""
    resume: Annotated[bool, FlagCreatePairsOff] = False
    """Go on from the last checkpoint of RUN."""
    time_budget: Annotated[str | None, arg(metavar="TIME")] = None
    """Stop after this time, for instance 90s, 9m or 2h, with a checkpoint to go on from."""
    devices: Annotated[int, arg(metavar="N")] = 1
    """How many devices share each batch."""
    set: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="KEY=VALUE")] = ()
    """Change one setting of the recipe, for instance optimizer.generator=1e-4."""
    json: Annotated[bool, FlagCreatePairsOff] = False
    """Print JSON for a program to read."""


def run(arguments: Arguments, argv: Sequence[str]) -> None:
    """Trains, with a bar that tells loss and time left, and says where the model is."""
    budget = None if arguments.time_budget is None else seconds(arguments.time_budget)
    # torch comes in only here, after the arguments are known to be sound.
    from scenebrush.cli.training_bar import training_bar
    from scenebrush.training.recipe import Recipe
    from scenebrush.training.run import run_recipe

    recipe = Recipe.load(arguments.recipe, list(arguments.set))
    with training_bar(budget) as report:
        outcome = run_recipe(
            recipe,
            arguments.data,
            arguments.out,
            resume=arguments.resume,
            time_budget=budget,
            devices=arguments.devices,
            report=report,
        )
    if not outcome.is_main:
        return
    done = {"step": outcome.step, "steps": outcome.total, "seconds": round(outcome.seconds, 1)}
    if arguments.json:
        say_json(done | {"run": str(arguments.out), "model": str(outcome.model)})
        return
    more = "" if outcome.step == outcome.total else "; go on with --resume"
    say(f"{outcome.step} of {outcome.total} steps in {outcome.seconds:.0f} s; the model is {outcome.model}{more}")


def seconds(text: str) -> float:
    """Returns the seconds of `"90s"`, `"9m"`, `"1.5h"` or `"90"`."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smh]?)", text)
    if found is None or float(found[1]) == 0:
        raise InputError(f"--time-budget {text!r} is no time; write for instance 90s, 9m or 2h")
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]
