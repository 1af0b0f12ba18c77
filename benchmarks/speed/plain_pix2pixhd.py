"""pix2pixHD's generator as a plain module graph: what the networks are measured against.

torch's own layers, one after another, in the order and under the numbers that the authors' checkpoints have, so that
their weights load strictly. Contiguous memory, no tricks.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn

LAST_MODULES = 3  # of the global generator: padding, convolution, tanh; an enhancer takes their place


def global_generator(in_channels: int, width: int, num_downsamplings: int, num_blocks: int) -> nn.Sequential:
    """Returns G1: c7s1-w, halving, residual blocks at the smallest size, doubling, c7s1-3, tanh."""
    widths = [width * 2**i for i in range(num_downsamplings + 1)]
    layers = [nn.ReflectionPad2d(3), *_normed(nn.Conv2d(in_channels, width, 7))]
    for narrow, broad in pairwise(widths):
        layers += _normed(nn.Conv2d(narrow, broad, 3, stride=2, padding=1))
    layers += [Residual(widths[-1]) for _ in range(num_blocks)]
    for broad, narrow in pairwise(reversed(widths)):
        layers += _normed(_doubling(broad, narrow))
    return nn.Sequential(*layers, *_picture(width))


class Residual(nn.Module):
    """x + two 3x3 convolutions, padded by reflection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        first, second = (nn.Conv2d(channels, channels, 3) for _ in range(2))
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1), *_normed(first), nn.ReflectionPad2d(1), second, nn.InstanceNorm2d(channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, C, H, W) for x of the same shape."""
        total: Tensor = x + self.conv_block(x)
        return total


class PlainGenerator(nn.Module):
    """G1, or G1 and one G2 around it."""

    def __init__(
        self,
        in_channels: int,
        *,
        width: int = 64,
        num_downsamplings: int = 4,
        num_blocks: int = 9,
        num_enhancers: int = 0,
        num_enhancer_blocks: int = 3,
    ) -> None:
        """Builds it; `width` is G1's, `num_enhancers` 0 or 1."""
        super().__init__()
        self.model = global_generator(in_channels, width, num_downsamplings, num_blocks)
        self.enhanced = num_enhancers == 1
        if self.enhanced:
            self.model = self.model[:-LAST_MODULES]
            half = width // 2
            self.halve = nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False)
            self.model1_1 = nn.Sequential(
                nn.ReflectionPad2d(3),
                *_normed(nn.Conv2d(in_channels, half, 7)),
                *_normed(nn.Conv2d(half, width, 3, stride=2, padding=1)),
            )
            blocks = [Residual(width) for _ in range(num_enhancer_blocks)]
            self.model1_2 = nn.Sequential(*blocks, *_normed(_doubling(width, half)), *_picture(half))

    def forward(self, x: Tensor) -> Tensor:
        """Returns the picture (B, 3, H, W) in [-1, 1] of labels, boundaries and styles (B, in, H, W)."""
        if not self.enhanced:
            return torch.as_tensor(self.model(x))
        return torch.as_tensor(self.model1_2(self.model1_1(x) + self.model(self.halve(x))))


def _normed(convolution: nn.Module) -> Iterator[nn.Module]:
    yield convolution
    yield nn.InstanceNorm2d(int(convolution.out_channels))  # type: ignore[arg-type]
    yield nn.ReLU(inplace=True)


def _doubling(broad: int, narrow: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(broad, narrow, 3, stride=2, padding=1, output_padding=1)


def _picture(width: int) -> list[nn.Module]:
    return [nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Tanh()]
