"""Pieces of SEIGAN's generators: a U-Net for both kinds, and CycleGAN's ResNet for the paper's."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.errors import InputError
from scenebrush.layers.norms import InstanceNorm

DIVISOR = 16


class UNet(nn.Module):
    """Halves a picture a few times and doubles it again; every size hands its map over to the way back.

    Args:
        in_channels: of the picture with all that is told with it.
        out_channels: of the map that comes back, without an activation.
        widths: channels at full size, half, a quarter, ...: at most five.
        normed: with instance norm. Without, residual branches start small, which is as stable and costs half on a CPU.
    """

    def __init__(self, in_channels: int, out_channels: int, widths: Sequence[int], *, normed: bool) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.stem = _convolution(in_channels, widths[0], normed=False)
        self.downs = nn.ModuleList(_convolution(a, b, stride=2, normed=normed) for a, b in pairwise(widths))
        self.encoders = nn.ModuleList(Residual(channels, normed=normed) for channels in widths[1:])
        self.bottom = Residual(widths[-1], normed=normed, dilation=2)
        ups = list(pairwise(reversed(widths)))
        self.merges = nn.ModuleList(_convolution(a + b, b, normed=normed) for a, b in ups)
        self.to_map = nn.Conv2d(widths[0], out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, out, H, W) for (B, in, H, W), sides divisible by 16; `InputError` for others."""
        check_shape(x, self.in_channels)
        seen = [self.stem(x)]
        for down, encoder in zip(self.downs, self.encoders, strict=True):
            seen.append(encoder(down(seen[-1])))
        x = self.bottom(seen.pop())
        for merge in self.merges:
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)  # nearest left a grid of dots
            x = merge(torch.cat([x, seen.pop()], 1))
        mapped: Tensor = self.to_map(x)
        return mapped


class ResNet(nn.Module):
    """CycleGAN's generator: two halvings, residual blocks at a quarter of the size, two doublings; instance norm."""

    def __init__(self, in_channels: int, out_channels: int, *, width: int = 64, num_blocks: int = 9) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(3),
            nn.Conv2d(in_channels, width, 7, bias=False),
            InstanceNorm(width),
            nn.ReLU(),
            *_halving(width, 2 * width),
            *_halving(2 * width, 4 * width),
            *(ReflectedResidual(4 * width) for _ in range(num_blocks)),
            *_doubling(4 * width, 2 * width),
            *_doubling(2 * width, width),
            nn.ReflectionPad2d(3),
            nn.Conv2d(width, out_channels, 7),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, out, H, W), without an activation, for (B, in, H, W), sides divisible by 16."""
        check_shape(x, self.in_channels)
        mapped: Tensor = self.layers(x)
        return mapped


class Residual(nn.Module):
    """x + conv(leaky ReLU(conv(x))); the second convolution starts at a tenth where there is no norm."""

    def __init__(self, channels: int, *, normed: bool, dilation: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm: nn.Module = InstanceNorm(channels) if normed else nn.Identity()
        self.later_norm: nn.Module = InstanceNorm(channels) if normed else nn.Identity()
        if not normed:
            with torch.no_grad():
                self.second.weight.mul_(0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, C, H, W) for (B, C, H, W)."""
        added: Tensor = self.later_norm(self.second(F.leaky_relu(self.norm(self.first(x)), 0.2)))
        return F.leaky_relu(x + added, 0.2)


class ReflectedResidual(nn.Module):
    """CycleGAN's residual block: reflection padding, instance norm, no activation after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=False),
            InstanceNorm(channels),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3, bias=False),
            InstanceNorm(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, C, H, W) for (B, C, H, W)."""
        added: Tensor = self.layers(x)
        return x + added


def check_shape(x: Tensor, channels: int) -> None:
    """Raises `InputError` where a batch (B, C, H, W) has other channels, or sides that 16 does not divide."""
    if x.shape[1] != channels:
        raise InputError(f"input has {x.shape[1]} channels; expected {channels}")
    height, width = x.shape[2:]
    if height % DIVISOR or width % DIVISOR:
        raise InputError(f"crop is {width}x{height}; expected sides divisible by {DIVISOR}; resize it")


def _convolution(in_channels: int, out_channels: int, *, stride: int = 1, normed: bool) -> nn.Sequential:
    norm = [InstanceNorm(out_channels)] if normed else []
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, stride, 1), *norm, nn.LeakyReLU(0.2))


def _halving(in_channels: int, out_channels: int) -> list[nn.Module]:
    convolution = nn.Conv2d(in_channels, out_channels, 3, stride=2, padding=1, bias=False)
    return [convolution, InstanceNorm(out_channels), nn.ReLU()]


def _doubling(in_channels: int, out_channels: int) -> list[nn.Module]:
    convolution = nn.ConvTranspose2d(in_channels, out_channels, 3, 2, 1, output_padding=1, bias=False)
    return [convolution, InstanceNorm(out_channels), nn.ReLU()]
