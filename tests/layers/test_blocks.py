"""`layers.blocks` and `layers.initialisation`."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from scenebrush.layers.blocks import ConvolutionBlock, ResidualBlock
from scenebrush.layers.initialisation import xavier_


def normalised(x: torch.Tensor) -> torch.Tensor:
    mean, variance = x.mean((2, 3), keepdim=True), x.var((2, 3), keepdim=True, unbiased=False)
    return (x - mean) / (variance + 1e-5).sqrt()


@pytest.mark.parametrize("reflect", [True, False])
def test_convolution_block(reflect: bool) -> None:
    block = ConvolutionBlock(3, 4, 7, reflect=reflect)
    x = torch.randn(2, 3, 12, 10)
    padded = F.pad(x, (3, 3, 3, 3), mode="reflect" if reflect else "constant")
    wanted = normalised(F.conv2d(padded, block.convolution.weight)).clamp(min=0)
    torch.testing.assert_close(block(x), wanted, rtol=1e-4, atol=1e-4)


def test_stride_halves() -> None:
    assert ConvolutionBlock(3, 4, stride=2)(torch.randn(1, 3, 12, 10)).shape == (1, 4, 6, 5)


@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("width", [4, 8])
def test_residual_block(dilation: int, width: int) -> None:
    block = ResidualBlock(4, width, dilation=dilation)
    x = torch.randn(1, 4, 9, 11)
    pad = (dilation,) * 4
    y = F.conv2d(F.pad(x, pad, mode="reflect"), block.convolution_0.weight, dilation=dilation)
    y = normalised(y).clamp(min=0)
    y = normalised(F.conv2d(F.pad(y, pad, mode="reflect"), block.convolution_1.weight, dilation=dilation))
    torch.testing.assert_close(block(x), block.shortcut(x) + y, rtol=1e-4, atol=1e-4)
    assert isinstance(block.shortcut, nn.Identity) == (width == 4)


def test_a_residual_blocks_gradient_is_the_same_in_channels_last() -> None:
    """torch 2.13's own instance norm gives another one here, for a batch of one on the CPU."""
    torch.manual_seed(0)
    block, x, towards = ResidualBlock(4, 4), torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 8)
    gradients = []
    for layout in (torch.contiguous_format, torch.channels_last):
        block = block.to(memory_format=layout)
        given = x.clone().contiguous(memory_format=layout).requires_grad_()
        (block(given) * towards.contiguous(memory_format=layout)).sum().backward()
        assert given.grad is not None
        gradients.append(given.grad.clone())
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-5)


def test_initialisation_is_glorot_normal_with_gain() -> None:
    network = nn.Sequential(nn.Conv2d(40, 60, 3), nn.Linear(50, 70))
    xavier_(network, 0.02, generator=torch.Generator().manual_seed(0))
    assert float(network[0].weight.detach().std()) == pytest.approx(0.02 * (2 / (9 * 100)) ** 0.5, rel=0.02)
    assert float(network[1].weight.detach().std()) == pytest.approx(0.02 * (2 / 120) ** 0.5, rel=0.05)
    assert not network[0].bias.any()


def test_initialisation_repeats_with_its_generator() -> None:
    first, second = nn.Conv2d(3, 4, 3), nn.Conv2d(3, 4, 3)
    for layer in (first, second):
        xavier_(layer, generator=torch.Generator().manual_seed(7))
    assert torch.equal(first.weight, second.weight)
