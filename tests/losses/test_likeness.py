"""The distances that `--adapt` learns by: what is nearer and what is farther."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from scenebrush.losses.likeness import DetailLikeness, VggLikeness, likeness


@pytest.fixture
def texture() -> Tensor:
    """Squares of 2x2 in random greys, (1, 3, 48, 48)."""
    small = torch.rand(1, 1, 24, 24, generator=torch.Generator().manual_seed(0)) - 0.5
    return F.interpolate(small, scale_factor=2.0).expand(1, 3, 48, 48)


def test_blur_is_farther_than_another_tint(texture: Tensor) -> None:
    blurred = F.avg_pool2d(texture, 5, stride=1, padding=2, count_include_pad=False)
    tinted = texture + 0.3
    distance = DetailLikeness()
    assert float(distance(texture, texture)) == 0
    assert float(distance(tinted, texture)) < 1e-5 < float(distance(blurred, texture))


def test_texture_at_another_place_is_nearer_than_no_texture(texture: Tensor) -> None:
    moved = texture.roll(6, 3)
    flat = torch.zeros_like(texture)
    distance = DetailLikeness()
    assert float(distance(moved, texture)) < float(distance(flat, texture))
    assert float((moved - texture).abs().mean()) > float((flat - texture).abs().mean())  # plain differences like blur


def test_a_step_by_hand() -> None:
    real, fake = torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 32)
    fake[..., 16:] = 1  # one step, in column 15 of 31 differences
    expected = 0.0
    for side in (32, 16, 8):
        columns = (side - 1) // 4  # whole squares; the step lies in one of them, in one of its four columns
        expected += 1 / (side - 1) + 2 * 0.25 / columns
    assert float(DetailLikeness()(fake, real)) == pytest.approx(expected)


def test_every_picture_counts_for_itself(texture: Tensor) -> None:
    real = texture.expand(2, 3, 48, 48)
    fake = torch.cat([texture, texture.roll(1, 2)])
    distances = DetailLikeness()(fake, real)
    assert distances.shape == (2,) and distances[0] == 0 < distances[1]


def test_without_vgg_it_is_detail(tmp_path: Path) -> None:
    assert isinstance(likeness(tmp_path), DetailLikeness)


def test_vgg_distances_are_the_perceptual_loss_of_each(shared: Path, texture: Tensor) -> None:
    found = likeness(shared / "weights")
    assert isinstance(found, VggLikeness) and found.name == "vgg16 features"
    fake = torch.cat([texture.roll(1, 2), texture * 0.5]).requires_grad_(True)
    distances = found(fake, texture.expand(2, 3, 48, 48))
    alone = [float(found.loss(f[None], texture)) for f in fake.detach()]
    assert distances.tolist() == pytest.approx(alone, rel=1e-4)
    assert torch.autograd.grad(distances.sum(), fake)[0].abs().sum() > 0
