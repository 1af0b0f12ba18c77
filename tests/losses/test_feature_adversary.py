"""Perceptual and adversarial loss on shared features: the numbers, the gradients, the crop."""

from __future__ import annotations

import pytest
import torch

from scenebrush.layers.discriminators.feature_heads import CHANNELS, new_feature_discriminator
from scenebrush.layers.vgg import VGG, layer_indices
from scenebrush.losses.feature_adversary import FeatureAdversary, same_crop
from scenebrush.losses.perceptual import PerceptualLoss


@pytest.fixture(scope="module")
def perceptual() -> PerceptualLoss:
    """A VGG16 of random weights."""
    rng = torch.Generator().manual_seed(0)
    tensors, before = {}, 3
    for layer, index in layer_indices("vgg16").items():
        width = CHANNELS[int(layer[4]) - 1]
        tensors[f"features.{index}.weight"] = torch.randn(width, before, 3, 3, generator=rng) * (2 / before / 9) ** 0.5
        tensors[f"features.{index}.bias"] = torch.zeros(width)
        before = width
    return PerceptualLoss(VGG(tensors, "vgg16"))


@pytest.fixture
def pictures() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(1)
    fake, real = (torch.rand(2, 3, 32, 48, generator=rng) * 2 - 1 for _ in range(2))
    return fake.requires_grad_(), real, torch.rand(2, 4, 32, 48, generator=rng)


def test_the_perceptual_part_is_the_perceptual_loss(
    perceptual: PerceptualLoss, pictures: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
) -> None:
    fake, real, semantics = pictures
    parts, _ = FeatureAdversary(perceptual, None, None).generator_parts(fake, real, semantics)
    assert parts.keys() == {"perceptual"}
    assert torch.allclose(parts["perceptual"], perceptual(fake, real))


def test_who_gets_a_gradient(
    perceptual: PerceptualLoss, pictures: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
) -> None:
    fake, real, semantics = pictures
    judge = new_feature_discriminator(4, 8)
    adversary = FeatureAdversary(perceptual, judge, judge)
    judge.requires_grad_(False)
    parts, seen = adversary.generator_parts(fake, real, semantics)
    parts["adversarial"].backward()
    assert fake.grad is not None
    assert float(fake.grad.abs().sum()) > 0
    judge.requires_grad_(True)
    loss, terms = adversary.discriminator_step(seen)
    loss.backward()
    assert terms.keys() == {"d_fake", "d_real"}
    assert all(p.grad is not None for p in judge.parameters())
    assert not any(f.requires_grad for f in seen.fake + seen.real)


def test_the_discriminator_learns_to_tell_them_apart(
    perceptual: PerceptualLoss, pictures: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
) -> None:
    fake, real, semantics = pictures
    torch.manual_seed(0)
    judge = new_feature_discriminator(4, 8)
    adversary = FeatureAdversary(perceptual, judge, judge)
    _, seen = adversary.generator_parts(fake.detach() * 0.2, real, semantics)
    optimizer, history = torch.optim.Adam(judge.parameters(), lr=3e-3), []
    for _ in range(25):
        loss, _ = adversary.discriminator_step(seen)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        history.append(float(loss.detach()))
    assert history[-1] < 0.5 * history[0]


def test_full_size_is_not_judged_and_the_shares_are_whole() -> None:
    judge = new_feature_discriminator(4, 8)
    assert len(judge.heads) == len(CHANNELS) - 1
    assert sum(judge.shares) == pytest.approx(1)
    features = [torch.rand(1, c, 32 // 2**i, 32 // 2**i) for i, c in enumerate(CHANNELS)]
    assert [tuple(d.shape[2:]) for d in judge(features, torch.rand(1, 4, 32, 32))] == [(16, 16), (8, 8), (4, 4), (2, 2)]


def test_a_crop_is_the_same_place_of_every_plane() -> None:
    plane = torch.arange(40 * 60.0).view(1, 1, 40, 60)
    seen = set()
    for seed in range(6):
        first, second = same_crop(24, torch.Generator().manual_seed(seed), plane, plane.repeat(1, 3, 1, 1))
        assert first.shape[2:] == (24, 24)
        assert torch.equal(first[0, 0], second[0, 2])
        seen.add(float(first[0, 0, 0, 0]))
    assert len(seen) > 3
    assert same_crop(0, torch.Generator(), plane)[0] is not plane
    assert same_crop(0, torch.Generator(), plane)[0].shape == plane.shape
    assert same_crop(50, torch.Generator(), plane)[0].shape == (1, 1, 40, 50)
