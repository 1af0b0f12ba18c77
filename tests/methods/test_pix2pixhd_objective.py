"""The losses of a step by hand, and the image pool."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from scenebrush.layers.discriminators import build_discriminator as any_discriminator
from scenebrush.layers.layouts import LayoutBatch
from scenebrush.losses.image_pool import ImagePool
from scenebrush.methods.pix2pixhd.config import Pix2PixHDConfig
from scenebrush.methods.pix2pixhd.networks import build_discriminator, build_networks
from scenebrush.methods.pix2pixhd.objective import LossWeights, Objective, matched_features

CONFIG = Pix2PixHDConfig(
    num_classes=3, num_features=2, width=8, num_downsamplings=1, num_blocks=1, encoder_width=4,
    encoder_downsamplings=1, discriminator_width=4,
)  # fmt: skip
NO_VGG = LossWeights(perceptual=0)


@pytest.fixture
def batch() -> LayoutBatch:
    labels = torch.randint(0, 3, (2, 1, 32, 32))
    return LayoutBatch(torch.rand(2, 3, 32, 32) * 2 - 1, labels, labels * 0)


def test_losses_of_both_steps_by_hand(batch: LayoutBatch) -> None:
    networks, discriminator = build_networks(CONFIG), build_discriminator(CONFIG)
    objective = Objective(networks, discriminator, judge=discriminator)
    semantics = networks.condition(batch.label_map, batch.instance_map).semantics
    loss, parts, fake = objective.generator_step(batch, semantics, NO_VGG)
    judged_fake, judged_real = discriminator(semantics, [fake, batch.image])
    adversarial = sum(((d - 1) ** 2).mean() for d in judged_fake.logits)
    matching = sum(
        (f - r).abs().mean()
        for scale in range(2)
        for f, r in zip(judged_fake.features[scale], judged_real.features[scale], strict=True)
    ) / 2  # fmt: skip
    assert torch.allclose(parts["adversarial"], torch.as_tensor(adversarial), rtol=1e-5)
    assert torch.allclose(parts["feature_matching"], torch.as_tensor(matching), rtol=1e-5)
    assert torch.allclose(loss, torch.as_tensor(adversarial + 10 * matching), rtol=1e-5)
    d_loss, d_parts = objective.discriminator_step(semantics, batch.image, fake)
    real = sum(((d - 1) ** 2).mean() for d in judged_real.logits)
    false = sum((d**2).mean() for d in judged_fake.logits)
    assert torch.allclose(d_loss, torch.as_tensor(0.5 * (real + false)), rtol=1e-5)
    assert set(d_parts) == {"d_fake", "d_real"}


def test_who_learns_in_which_step(batch: LayoutBatch) -> None:
    """The encoder learns with the generator, through the styles; the discriminator's step reaches neither."""
    networks, discriminator = build_networks(CONFIG), build_discriminator(CONFIG)
    objective = Objective(networks, discriminator, judge=discriminator)
    semantics = networks.condition(batch.label_map, batch.instance_map).semantics
    discriminator.requires_grad_(False)
    loss, _, fake = objective.generator_step(batch, semantics, NO_VGG)
    loss.backward()
    assert networks.encoder is not None
    for network in (networks.generator, networks.encoder):
        assert all(p.grad is not None for p in network.parameters())
        assert float(network.trunk.first.convolution.weight.grad.abs().sum()) > 0
    assert all(p.grad is None for p in discriminator.parameters())
    discriminator.requires_grad_(True)
    networks.zero_grad(set_to_none=True)
    objective.discriminator_step(semantics, batch.image, fake)[0].backward()
    assert all(p.grad is None for p in networks.parameters())
    assert all(p.grad is not None for p in discriminator.parameters())


def test_another_discriminator_takes_its_place(batch: LayoutBatch) -> None:
    networks = build_networks(CONFIG)
    semantics = networks.condition(batch.label_map, batch.instance_map).semantics
    judge = any_discriminator("two_streams", CONFIG.condition_channels, width=4)
    before = {name: b.clone() for name, b in judge.named_buffers()}
    objective = Objective(networks, judge, judge=judge)
    _, parts, fake = objective.generator_step(batch, semantics, NO_VGG)
    assert all(torch.equal(b, before[name]) for name, b in judge.named_buffers())  # spectral norm rests
    assert parts["adversarial"].item() > 0
    assert objective.discriminator_step(semantics, batch.image, fake)[0].requires_grad


def test_the_weight_means_the_same_with_more_layers() -> None:
    """4 / (n_layers_D + 1) / num_D (parity/README): with 4 equal maps and with 8 the loss is the same."""
    ones, zeros = torch.ones(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)
    for layers in (2, 4, 8):
        loss = matched_features([[ones] * layers] * 3, [[zeros] * layers] * 3)
        assert float(loss) == pytest.approx(4)


def pairs(values: list[float]) -> tuple[Tensor, Tensor]:
    image = torch.tensor(values).view(-1, 1, 1, 1)
    return image + 100, image


def test_a_pool_of_nothing_is_no_pool() -> None:
    condition, image = pairs([1.0, 2.0])
    out = ImagePool(0).query(condition, image.requires_grad_(), generator=torch.Generator())
    assert torch.equal(out[0], condition) and torch.equal(out[1], image) and not out[1].requires_grad


def test_the_pool_gives_older_pairs_half_of_the_time() -> None:
    pool, rng = ImagePool(5), torch.Generator().manual_seed(0)
    fresh, seen = 0, []
    for step in range(400):
        condition, image = pool.query(*pairs([float(step)]), generator=rng)
        assert torch.equal(condition, image + 100)  # a fake keeps its own condition
        fresh += int(image) == step
        seen.append(int(image))
        assert len(pool.kept) == min(step + 1, 5)
    assert seen[:5] == [0, 1, 2, 3, 4]
    assert 160 < fresh < 240
    old = [v for step, v in enumerate(seen) if v != step]
    assert len(old) == len(set(old))  # what was given back is gone from the pool


def test_a_pool_goes_on_from_a_checkpoint() -> None:
    def run(pool: ImagePool, steps: range) -> list[int]:
        rng = torch.Generator()
        return [int(pool.query(*pairs([float(s)]), generator=rng.manual_seed(s))[1]) for s in steps]

    whole, first = ImagePool(3), ImagePool(3)
    wanted = run(whole, range(30))
    begun = run(first, range(12))
    second = ImagePool(3)
    second.load_state_dict(first.state_dict())
    assert begun + run(second, range(12, 30)) == wanted


def test_the_discriminator_step_through_a_pool(batch: LayoutBatch) -> None:
    networks, discriminator = build_networks(CONFIG), build_discriminator(CONFIG)
    objective = Objective(networks, discriminator, judge=discriminator)
    semantics = networks.condition(batch.label_map, batch.instance_map).semantics
    fake = networks(batch)
    pool = ImagePool(4)
    pooled = objective.discriminator_step(semantics, batch.image, fake, pool=pool, generator=torch.Generator())[0]
    assert torch.allclose(pooled, objective.discriminator_step(semantics, batch.image, fake)[0])
    assert len(pool.kept) == 2
