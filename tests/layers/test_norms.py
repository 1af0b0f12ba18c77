"""`layers.norms` and `layers.initialisation` against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from scenebrush.layers.initialisation import normal_
from scenebrush.layers.norms import InstanceNorm

LAYOUTS = [torch.contiguous_format, torch.channels_last]


@pytest.mark.parametrize("incoming", LAYOUTS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("batch", [1, 3])
def test_instance_norm_and_its_gradient_in_every_layout(
    batch: int, layout: torch.memory_format, incoming: torch.memory_format
) -> None:
    x = (torch.randn(batch, 5, 7, 6) * 3 + 2).contiguous(memory_format=layout).requires_grad_()
    y = InstanceNorm(5)(x)
    wanted = by_definition(x)
    assert y.is_contiguous(memory_format=layout)
    assert torch.allclose(y, wanted, atol=1e-5)
    gradient = torch.randn_like(y).contiguous(memory_format=incoming)
    mine, true = (torch.autograd.grad(z, x, gradient)[0] for z in (y, wanted))
    assert torch.allclose(mine, true, atol=1e-5)


def test_a_large_map_is_normalised_to_the_last_digits() -> None:
    """Batch norm's channels_last sums are off by 1e-4 here."""
    x = (torch.randn(1, 2, 512, 512) + 2).contiguous(memory_format=torch.channels_last)
    wanted = by_definition(x.double())
    assert torch.allclose(InstanceNorm(2)(x).double(), wanted, atol=3e-6)
    assert torch.allclose(InstanceNorm(2)(x.requires_grad_()).double(), wanted, atol=3e-6)


@torch.no_grad()
def test_only_a_norm_that_may_write_over_its_input_does_so() -> None:
    x = (torch.randn(2, 64, 40, 70) + 2).contiguous(memory_format=torch.channels_last)  # summed in parts
    before = x.clone()
    y = InstanceNorm(64)(x)
    assert torch.equal(x, before) and torch.allclose(y, by_definition(before), atol=1e-5)
    assert y.is_contiguous(memory_format=torch.channels_last)
    z = InstanceNorm(64, inplace=True)(x)
    assert torch.equal(z, y) and z.data_ptr() == x.data_ptr()


def test_with_a_gradient_to_come_nothing_is_written_over() -> None:
    x = torch.randn(1, 3, 6, 6, requires_grad=True)
    before = x.detach().clone()
    y = InstanceNorm(3, inplace=True)(x)
    (gradient,) = torch.autograd.grad(y.square().sum() + y[..., 0].sum(), x)
    (wanted,) = torch.autograd.grad(by_definition(x).square().sum() + by_definition(x)[..., 0].sum(), x)
    assert torch.equal(x, before) and torch.allclose(gradient, wanted, atol=1e-5)


def test_relu_in_place_and_half_precision() -> None:
    x = torch.randn(2, 3, 8, 8, requires_grad=True)
    weights = torch.randn(2, 3, 8, 8)
    y = nn.functional.relu_(InstanceNorm(3)(x))
    (gradient,) = torch.autograd.grad((y * weights).sum(), x)
    (wanted,) = torch.autograd.grad((by_definition(x).relu() * weights).sum(), x)
    assert torch.allclose(gradient, wanted, atol=1e-5)
    low = InstanceNorm(3)(x.bfloat16())
    assert low.dtype == torch.bfloat16 and torch.allclose(low.float(), by_definition(x), atol=0.05)
    low.sum().backward()
    assert x.grad is not None and bool(torch.isfinite(x.grad).all())


def by_definition(x: torch.Tensor) -> torch.Tensor:
    return (x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), unbiased=False, keepdim=True) + 1e-5).sqrt()


def test_a_sample_does_not_feel_its_neighbour_and_nothing_is_learned() -> None:
    norm = InstanceNorm(2)
    x = torch.randn(2, 2, 4, 4)
    assert torch.equal(norm(x)[:1], norm(x[:1]))
    assert not norm.state_dict()


def test_normal_start() -> None:
    network = nn.Sequential(nn.Conv2d(8, 64, 3), nn.BatchNorm2d(64), nn.ConvTranspose2d(64, 8, 3))
    biases = [network[0].bias.clone(), network[2].bias.clone()]
    normal_(network, generator=torch.Generator().manual_seed(0))
    for layer in (network[0], network[2]):
        assert abs(layer.weight.mean().item()) < 1e-3
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert network[1].weight.mean().item() == pytest.approx(1, abs=0.01)
    assert network[1].bias.abs().max().item() == 0
    assert torch.equal(network[0].bias, biases[0]) and torch.equal(network[2].bias, biases[1])
