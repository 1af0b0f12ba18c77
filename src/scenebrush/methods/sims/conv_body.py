"""The convolutions that the networks of SIMS share: VGG's pattern with layer norm."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STAGES: Final = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))
"""(width in multiples of the first, number of convolutions) of the five groups (facts 2.4)."""

SLOPE: Final = 0.2
"""Of the leaky ReLUs."""


class LayerNorm(nn.GroupNorm):
    """Normalises a sample over all its channels and pixels; a gain and a bias per channel.

    eps is 1e-5, not the released code's 1e-12: a constant map (nothing to see) would be blown up a million times.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(1, channels, eps=1e-5)


class NormedConvolution(nn.Sequential):
    """Convolution (no bias), layer norm, leaky ReLU 0.2; (B, in, H, W) -> (B, out, H, W)."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3) -> None:
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=False),
            LayerNorm(out_channels),
            nn.LeakyReLU(SLOPE),
        )


def normed_convolutions(in_channels: int, out_channels: int, count: int) -> nn.Sequential:
    """Returns `count` convolutions one after another, (B, in, H, W) -> (B, out, H, W)."""
    widths = [in_channels] + [out_channels] * count
    return nn.Sequential(*(NormedConvolution(a, b) for a, b in pairwise(widths)))


class ConvBody(nn.Module):
    """Five groups of 3x3 convolutions, a pool after each: first an average, then four maxima.

    Args:
        in_channels: of the input.
        width: channels of the first group (paper: 64); the last has eight times as many (`out_channels`).
    """

    def __init__(self, in_channels: int, width: int = 64) -> None:
        super().__init__()
        groups = []
        for multiple, convolutions in STAGES:
            groups.append(normed_convolutions(in_channels, multiple * width, convolutions))
            in_channels = multiple * width
        self.groups = nn.ModuleList(groups)
        self.out_channels = in_channels

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, out, h, w), h and w the sides halved five times, rounded up."""
        for index, group in enumerate(self.groups):
            x = same_pool(group(x), average=index == 0)
        return x


def same_pool(x: Tensor, *, average: bool) -> Tensor:
    """Returns (B, C, ceil(H / 2), ceil(W / 2)): a pool of 3x3 and stride 2, padded as TensorFlow's "SAME".

    Even sides are padded at the bottom or right alone, odd ones at both ends; an average leaves the padding out.
    """
    padding = (x.shape[-2] % 2, x.shape[-1] % 2)
    if average:
        return F.avg_pool2d(x, 3, 2, padding, ceil_mode=True, count_include_pad=False)
    return F.max_pool2d(x, 3, 2, padding, ceil_mode=True)


def resized(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Returns (B, C, *size), bilinear, smoothed where it shrinks; x may be uint8, which takes a quarter of the time.

    The released code samples with aligned corners and does not smooth: a pole of two pixels would fall between the
    samples of a small network. torch smooths with aligned borders only (with corners its result is shifted).
    """
    if x.dtype != torch.uint8:
        x = x.float()  # nothing smooths in half precision
    if x.shape[-2:] == size:
        return x
    return F.interpolate(x, size, mode="bilinear", align_corners=False, antialias=True)
