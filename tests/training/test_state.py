"""What a step does to the networks: learning rates and clipped gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from scenebrush.training.recipe import Recipe
from scenebrush.training.state import TrainingState


class Line:
    """A trainee whose generator is one weight."""

    def __init__(self) -> None:
        self.generator: nn.Module = nn.Linear(1, 1, bias=False)
        self.discriminator: nn.Module | None = None
        self.memories: dict[str, Any] = {}


def begin(tiny_recipe: dict[str, Any], **optimizer: Any) -> tuple[Fabric, Recipe, TrainingState]:
    recipe = Recipe.parse({**tiny_recipe, "optimizer": {"generator": 1.0, **optimizer}}, "tiny")
    fabric = Fabric(accelerator="cpu", devices=1)
    return fabric, recipe, TrainingState.begin(fabric, recipe, Line())  # type: ignore[arg-type]


def test_rates_rise_stay_and_fall(tiny_recipe: dict[str, Any]) -> None:
    _, recipe, state = begin(tiny_recipe, warmup=2, decay_from=0.5)  # 8 steps in all
    rates = []
    for step in range(recipe.total_steps):
        state.step = step
        state.set_learning_rates(recipe, recipe.stages[0])
        rates.append(state.generator_optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([0.5, 1, 1, 1, 1, 0.75, 0.5, 0.25])


@pytest.mark.parametrize(("clip", "kept"), [(0.0, 12.0), (3.0, 3.0), (100.0, 12.0)])
def test_the_generators_gradient_is_clipped_and_its_norm_told(
    tiny_recipe: dict[str, Any], clip: float, kept: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabric, recipe, state = begin(tiny_recipe, clip=clip)
    (weight,) = state.generator.parameters()
    weight.grad = torch.full_like(weight, -12.0)
    seen = []
    monkeypatch.setattr(state.generator_optimizer, "step", lambda: seen.append(float(weight.grad.norm())))
    assert float(state.step_generator(fabric, recipe)) == pytest.approx(12)
    assert seen == [pytest.approx(kept, rel=1e-5)]
    assert weight.grad is None


def test_a_weight_that_was_frozen_is_averaged_from_its_first_step_on(tiny_recipe: dict[str, Any]) -> None:
    *_, state = begin(tiny_recipe)
    (weight,) = state.generator.parameters()
    (averaged,) = state.averaged.parameters()
    weight.requires_grad_(False).fill_(9.0)  # a random start, frozen for 500 steps
    for state.step in range(500):
        state.average(0.999)
    assert float(averaged) == 9
    weight.data.fill_(1.0)
    weight.requires_grad_(True)
    for state.step in range(500, 530):
        state.average(0.999)
    assert float(averaged) == pytest.approx(1, abs=1e-3)  # with the run's own decay, 0.98 at step 500, 5.4 were left
