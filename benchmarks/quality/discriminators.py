"""The five discriminators at equal budget: how a discriminator should be told the labels (SESAME section 3.2).

    SCENEBRUSH_ASSETS=../shared/weights python benchmarks/quality/discriminators.py --data ../shared/data/camvid

One SPADE generator is trained without an adversary; from there each discriminator, new, trains it on for the same
steps on the same pictures in the same order, with the paper's losses. Each is then measured on whole pictures of
`test`: label agreement, FID, KID. Prints the table and writes <out>/table.md, report.json and sheet.png. A run that was
cut off goes on.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from safetensors.torch import load_file

from scenebrush.cli import main as scenebrush
from scenebrush.layers.discriminators import DISCRIMINATORS
from scenebrush.methods.spade.trainee import SpadeTrainee
from scenebrush.training.checkpoint import list_checkpoints
from scenebrush.training.loop import train
from scenebrush.training.recipe import Recipe
from scenebrush.training.run import build_trainee, run_recipe

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "spade" / "discriminators.yaml"


@dataclass(frozen=True)
class Settings:
    """What is run.

    Args:
        data: a scene folder.
        recipe: two stages: without, then with the adversary; its `config.discriminator` is exchanged.
        only: names of single discriminators; all by default.
        n: pictures that are measured.
        size: their shorter side.
        threads: CPU threads.
        out: runs, table, report and sheet.
    """

    data: Path
    recipe: Path = RECIPE
    only: tuple[str, ...] = ()
    n: int = 150
    size: int = 96
    threads: int = 2
    out: Path = Path("out/discriminators")


def main(settings: Settings) -> None:
    """Trains what is not yet trained, and measures all."""
    torch.set_num_threads(settings.threads)
    data = Recipe.load(settings.recipe).model_dump()
    before, after = data["stages"]
    start = settings.out / "start"
    if not done(start):
        run_recipe(Recipe.parse({**data, "stages": [before]}, "start"), settings.data, start, resume=True)
    state = load_file(list_checkpoints(start / "checkpoints")[-1] / "state.safetensors")
    generator = {k.removeprefix("module/generator/"): v for k, v in state.items() if k.startswith("module/generator/")}
    names = settings.only or DISCRIMINATORS
    for name in names:
        run = settings.out / name
        if done(run):
            continue
        began = time.perf_counter()
        config = {**data["config"], "discriminator": name}
        recipe = Recipe.parse({**data, "config": config, "stages": [after]}, name)
        trainee = build_trainee(recipe, settings.data, None)
        assert isinstance(trainee, SpadeTrainee)
        trainee.networks.load_state_dict(generator)
        train(recipe, trainee, run, resume=True)
        print(f"{name}: {time.perf_counter() - began:.0f} s", flush=True)
    models = ["start=" + str(start / "model"), *(f"{name}={settings.out / name / 'model'}" for name in names)]
    words = ["compare", *models, "--data", str(settings.data), "--task", "synthesize", "-n", str(settings.n)]
    words += ["--size", str(settings.size), "--threads", str(settings.threads), "-o", str(settings.out)]
    raise SystemExit(scenebrush([*words, "--baseline", "concatenated"] if "concatenated" in names else words))


def done(run: Path) -> bool:
    """Returns whether a run has ended: its model is written last."""
    return (run / "model" / "config.json").is_file()


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
