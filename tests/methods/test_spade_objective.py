"""The losses of one SPADE training step: what they are, which way they pull, and that they train."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from scenebrush.layers.discriminators import DISCRIMINATORS
from scenebrush.losses.perceptual import PerceptualLoss
from scenebrush.methods.spade.config import SpadeConfig
from scenebrush.methods.spade.networks import build_discriminator, build_networks
from scenebrush.methods.spade.objective import LossWeights, Objective
from scenebrush.methods.spade.preprocess import LayoutBatch


class Difference(PerceptualLoss):
    """Stands for the VGG loss: the L1 distance of the pictures."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        return (fake - real).abs().mean()


def batch(size: int = 64) -> LayoutBatch:
    generator = torch.Generator().manual_seed(2)
    labels = torch.randint(0, 4, (2, size // 16, size // 16), generator=generator)
    labels = labels.repeat_interleave(16, 1).repeat_interleave(16, 2)
    colours = torch.rand(4, 3, generator=generator) * 2 - 1
    return LayoutBatch(colours[labels].permute(0, 3, 1, 2), labels)


def build(**options: object) -> Objective:
    torch.manual_seed(0)
    sizes = {"width": 1, "crop_size": 64, "discriminator_width": 4, "boundary_channel": False} | options
    config = SpadeConfig(num_classes=4, **sizes)  # type: ignore[arg-type]
    discriminator = build_discriminator(config)
    return Objective(build_networks(config), discriminator, judge=discriminator, perceptual=Difference())


def step(objective: Objective, weights: LossWeights) -> tuple[Tensor, dict[str, Tensor], Tensor]:
    data = batch()
    semantics = objective.networks.semantics(data.label_map, data.instance_map)
    return objective.generator_step(data, semantics, weights, torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_every_discriminator_fits(name: str) -> None:
    objective = build(discriminator=name)
    loss, parts, fake = step(objective, LossWeights())
    assert set(parts) == {"perceptual", "adversarial", "feature_matching"}
    torch.testing.assert_close(loss, parts["adversarial"] + 10 * parts["feature_matching"] + 10 * parts["perceptual"])
    loss.backward()
    data = batch()
    semantics = objective.networks.semantics(data.label_map, None)
    loss, told = objective.discriminator_step(semantics, data.image, fake)
    torch.testing.assert_close(loss, told["d_fake"] + told["d_real"])  # no factor 1/2
    loss.backward()
    assert objective.judge is not None
    assert all(p.grad is not None for p in objective.judge.parameters())


def test_the_divergence_counts_with_styles_only() -> None:
    assert "divergence" not in step(build(), LossWeights())[1]
    loss, parts, _ = step(build(style=True), LossWeights(adversarial=0, perceptual=0))
    assert set(parts) == {"divergence"}
    torch.testing.assert_close(loss, 0.05 * parts["divergence"])


def test_the_discriminator_gets_no_gradient_into_the_generator() -> None:
    objective = build()
    _, _, fake = step(objective, LossWeights())
    data = batch()
    semantics = objective.networks.semantics(data.label_map, None)
    objective.discriminator_step(semantics, data.image, fake)[0].backward()
    assert all(p.grad is None for p in objective.networks.parameters())


def test_the_generators_step_leaves_the_judge_as_it_is() -> None:
    """Spectral norm does not go on, or fake and real would be seen by two networks."""
    objective = build()
    assert objective.judge is not None
    before = {k: v.clone() for k, v in objective.judge.state_dict().items()}
    step(objective, LossWeights())
    assert all(torch.equal(before[k], v) for k, v in objective.judge.state_dict().items())
    assert objective.judge.training


def test_switched_off_is_not_computed() -> None:
    parts = step(build(), LossWeights(feature_matching=0, perceptual=0))[1]
    assert set(parts) == {"adversarial"}
    assert LossWeights(adversarial=0, perceptual=0, divergence=1).any is False
    assert LossWeights(adversarial=0).any


def test_it_learns_the_colours_of_the_classes() -> None:
    """A flat world: after some steps of both networks the picture is closer to the photo than it was."""
    objective, data = build(crop_size=32), batch(32)
    assert objective.judge is not None
    semantics = objective.networks.semantics(data.label_map, None)
    g = torch.optim.Adam(objective.networks.parameters(), lr=1e-2, betas=(0.0, 0.9))
    d = torch.optim.Adam(objective.judge.parameters(), lr=1e-3, betas=(0.0, 0.9))
    distances = []
    for _ in range(20):
        loss, parts, fake = objective.generator_step(data, semantics, LossWeights(feature_matching=1))
        g.zero_grad()
        loss.backward()
        g.step()
        d_loss, _ = objective.discriminator_step(semantics, data.image, fake)
        d.zero_grad()
        d_loss.backward()
        d.step()
        distances.append(float(parts["perceptual"].detach()))
    assert sum(distances[-5:]) < 0.7 * sum(distances[:5])
