"""The losses of one pix2pix training step, against torch's own, and that they train."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from scenebrush.layers.layouts import LayoutBatch
from scenebrush.methods.pix2pix.config import Pix2PixConfig
from scenebrush.methods.pix2pix.networks import build_discriminator, build_network
from scenebrush.methods.pix2pix.objective import LossWeights, Objective, logistic


def batch(size: int = 32) -> LayoutBatch:
    generator = torch.Generator().manual_seed(2)
    labels = torch.randint(0, 4, (2, size // 8, size // 8), generator=generator)
    labels = labels.repeat_interleave(8, 1).repeat_interleave(8, 2)
    colours = torch.rand(4, 3, generator=generator) * 2 - 1
    return LayoutBatch(colours[labels].permute(0, 3, 1, 2), labels)


def build() -> tuple[Objective, LayoutBatch, Tensor]:
    torch.manual_seed(0)
    config = Pix2PixConfig(num_classes=4, width=8, depth=4, discriminator_width=4, discriminator_layers=2)
    discriminator, data = build_discriminator(config), batch()
    objective = Objective(build_network(config), discriminator, judge=discriminator)
    return objective, data, objective.network.semantics(data.label_map)


def test_logistic_is_binary_cross_entropy() -> None:
    logits = [torch.randn(2, 1, 5, 6) * 4, torch.randn(2, 1, 3, 3) * 4]
    for real in (True, False):
        wanted = [F.binary_cross_entropy_with_logits(d, torch.full_like(d, float(real))) for d in logits]
        torch.testing.assert_close(logistic(logits, real=real), torch.stack(wanted).mean())
    assert torch.isfinite(logistic([torch.full((1, 1, 2, 2), -1e4)], real=True))


def test_the_generators_loss() -> None:
    objective, data, semantics = build()
    loss, parts, fake = objective.generator_step(data, semantics, LossWeights(), torch.Generator().manual_seed(0))
    assert set(parts) == {"l1", "adversarial"}
    torch.testing.assert_close(parts["l1"], (fake - data.image).abs().mean())
    assert objective.judge is not None
    torch.testing.assert_close(parts["adversarial"], logistic(objective.judge(semantics, [fake])[0].logits, real=True))
    torch.testing.assert_close(loss, parts["adversarial"] + 100 * parts["l1"])
    assert set(objective.generator_step(data, semantics, LossWeights(adversarial=0))[1]) == {"l1"}
    assert LossWeights(0, 0).any is False


def test_the_discriminators_loss_is_halved_and_reaches_no_generator() -> None:
    objective, data, semantics = build()
    fake = objective.network(data)
    loss, parts = objective.discriminator_step(semantics, data.image, fake)
    torch.testing.assert_close(loss, (parts["d_fake"] + parts["d_real"]) / 2)
    loss.backward()
    assert all(p.grad is None for p in objective.network.parameters())
    assert objective.discriminator is not None
    assert all(p.grad is not None for p in objective.discriminator.parameters())


def test_it_learns_the_colours_of_the_classes() -> None:
    objective, data, semantics = build()
    assert objective.discriminator is not None
    g = torch.optim.Adam(objective.network.parameters(), lr=2e-3, betas=(0.5, 0.999))
    d = torch.optim.Adam(objective.discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    distances = []
    for _ in range(40):
        loss, parts, fake = objective.generator_step(data, semantics, LossWeights())
        g.zero_grad()
        loss.backward()
        g.step()
        d_loss, _ = objective.discriminator_step(semantics, data.image, fake)
        d.zero_grad()
        d_loss.backward()
        d.step()
        distances.append(float(parts["l1"].detach()))
    assert distances[-1] < 0.4 * distances[0]
