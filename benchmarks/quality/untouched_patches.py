"""What a fake's patches without any edited pixel should count as: three short trainings from one checkpoint.

    SCENEBRUSH_ASSETS=../shared/weights python benchmarks/quality/untouched_patches.py recipes/sesame/street.yaml \
        ../shared/data/camvid runs/street/checkpoints/step-0001800 --out out/untouched --steps 120

Trains the recipe's second stage with a new discriminator for "fake", "real" and "ignore" on the same windows and writes
<out>/<choice>, model folders that `scenebrush compare` takes.
"""

from __future__ import annotations

from pathlib import Path

import torch
import tyro
from safetensors.torch import load_file

from scenebrush.training.recipe import Recipe
from scenebrush.training.run import build_trainee

AVERAGE = 0.05  # of the averaged generator, a step: short trainings need a short memory


def main(
    recipe: tyro.conf.Positional[Path],
    data: tyro.conf.Positional[Path],
    checkpoint: tyro.conf.Positional[Path],
    *,
    out: Path,
    steps: int = 120,
) -> None:
    """Trains and exports the three choices."""
    start = load_file(checkpoint / "state.safetensors")
    prefix = "module/generator/"
    weights = {k.removeprefix(prefix): v for k, v in start.items() if k.startswith(prefix)}
    for choice in ("fake", "real", "ignore"):
        train(with_choice(Recipe.load(recipe), choice), data, weights, out, choice, steps)
        print(f"{choice}: {steps} steps, {out / choice}", flush=True)


def with_choice(recipe: Recipe, choice: str) -> Recipe:
    """Returns the recipe with its second stage alone, and the choice in its losses."""
    stage = recipe.stages[1]
    losses = {**stage.losses, "untouched_patches": choice}
    return recipe.model_copy(update={"stages": [stage.model_copy(update={"losses": losses})]})


def train(recipe: Recipe, data: Path, weights: dict[str, torch.Tensor], out: Path, choice: str, steps: int) -> None:
    """Trains one choice from the weights and writes the averaged generator's model folder."""
    trainee = build_trainee(recipe, data, out / "windows")
    generator, discriminator, batch_size = trainee.generator, trainee.discriminator, recipe.stages[0].batch_size
    assert discriminator is not None
    generator.load_state_dict(weights)
    first = torch.optim.Adam(generator.parameters(), lr=recipe.optimizer.generator, betas=recipe.optimizer.betas)
    second = torch.optim.Adam(
        discriminator.parameters(), lr=recipe.optimizer.discriminator, betas=recipe.optimizer.betas
    )
    averaged = {k: v.clone() for k, v in generator.state_dict().items()}
    for step in range(steps):
        indices = [(step * batch_size + k) % trainee.num_windows(0) for k in range(batch_size)]
        batch = trainee.batch(0, indices, torch.Generator().manual_seed(step))
        discriminator.requires_grad_(False)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bf16-mixed"):
            loss, _, made = trainee.generator_step(batch, 0, 1.0)
        _descend(loss, first)
        discriminator.requires_grad_(True)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bf16-mixed"):
            loss, _ = trainee.discriminator_step(batch, made, 0)
        _descend(loss, second)
        for name, value in generator.state_dict().items():
            averaged[name].lerp_(value, AVERAGE)
    generator.load_state_dict(averaged)
    trainee.export(generator, out / choice, {"steps": steps, "untouched_patches": choice})


def _descend(loss: torch.Tensor, optimizer: torch.optim.Optimizer) -> None:
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


if __name__ == "__main__":
    tyro.cli(main)
