"""The coarse-to-fine generator of pix2pixHD (paper section 3.1, figure 3): G1, and any number of G2 around it.

Labels of the full size are averaged down to G1's size; G1 (`GlobalTrunk`) makes features of it; each `LocalEnhancer`
adds features of its own, finer size and doubles. A head turns the last features into the picture. Without an enhancer
this is the global generator (Johnson et al. 2016), 182,546,755 parameters in the authors' 512p model.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from scenebrush.errors import InputError
from scenebrush.layers.discriminators.patches import pyramid
from scenebrush.layers.initialisation import normal_
from scenebrush.methods.pix2pixhd.blocks import ConvolutionBlock, Norm, ResidualBlock, UpBlock, instance_norm, reflect

HEAD_KERNEL = 7


class GlobalTrunk(nn.Module):
    """G1 without its head: c7s1-w, halving, residual blocks, doubling (paper's d128 ... R1024 ... u64)."""

    def __init__(
        self,
        in_channels: int,
        *,
        width: int = 64,
        num_downsamplings: int = 4,
        num_blocks: int = 9,
        norm: Norm = instance_norm,
    ) -> None:
        super().__init__()
        widths = [width * 2**i for i in range(num_downsamplings + 1)]
        self.first = ConvolutionBlock(in_channels, width, HEAD_KERNEL, reflect=True, norm=norm)
        self.down_blocks = nn.ModuleList(
            ConvolutionBlock(narrow, broad, stride=2, norm=norm) for narrow, broad in pairwise(widths)
        )
        self.residual_blocks = nn.ModuleList(ResidualBlock(widths[-1], norm=norm) for _ in range(num_blocks))
        self.up_blocks = nn.ModuleList(
            UpBlock(broad, narrow, norm=norm) for broad, narrow in pairwise(reversed(widths))
        )
        # A reflected pixel needs a neighbour: two at the smallest size, four at the full one.
        self.smallest = max(HEAD_KERNEL // 2 + 1, 2**num_downsamplings + 1)

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, width, h, w) for x (B, in, H, W); h and w are H and W, rounded up to the divisor."""
        height, width = x.shape[2:]
        if min(height, width) < self.smallest:
            raise InputError(
                f"the coarsest level is {width}x{height}; expected sides of at least {self.smallest}; take more context"
            )
        for block in self.blocks():
            x = block(x)
        return x

    def blocks(self) -> Iterator[nn.Module]:
        """Yields the blocks in the order in which they are applied."""
        yield self.first
        yield from self.down_blocks
        yield from self.residual_blocks
        yield from self.up_blocks


class LocalEnhancer(nn.Module):
    """G2 without its head: features of the full size, added to those of half the size, residual blocks, doubling."""

    def __init__(self, in_channels: int, *, width: int = 32, num_blocks: int = 3, norm: Norm = instance_norm) -> None:
        super().__init__()
        self.first = ConvolutionBlock(in_channels, width, HEAD_KERNEL, reflect=True, norm=norm)
        self.down_block = ConvolutionBlock(width, width * 2, stride=2, norm=norm)
        self.residual_blocks = nn.ModuleList(ResidualBlock(width * 2, norm=norm) for _ in range(num_blocks))
        self.up_block = UpBlock(width * 2, width, norm=norm)

    def forward(self, x: Tensor, coarse: Tensor) -> Tensor:
        """Returns (B, width, H, W) for x (B, in, H, W) and the coarser level's features (B, 2 width, H / 2, W / 2)."""
        fine = self.down_block(self.first(x))
        if fine.shape != coarse.shape:
            raise InputError(
                f"input is {x.shape[3]}x{x.shape[2]}; expected sides that can be halved all the way down; pad it"
            )
        fine = fine + coarse
        for block in self.residual_blocks:
            fine = block(fine)
        doubled: Tensor = self.up_block(fine)
        return doubled


class CoarseToFineGenerator(nn.Module):
    """Draws a picture from labels, boundaries and styles; deterministic.

    Level 0 is the global generator; each enhancer is one level more, of twice the size. Every level that is to give
    pictures has a head of its own.
    """

    def __init__(
        self,
        in_channels: int,
        *,
        image_channels: int = 3,
        width: int = 64,
        num_downsamplings: int = 4,
        num_blocks: int = 9,
        num_enhancers: int = 0,
        num_enhancer_blocks: int = 3,
        norm: Norm = instance_norm,
        every_level: bool = False,
    ) -> None:
        """Builds the network.

        Args:
            in_channels: one-hot labels + boundary map + style features (Cityscapes: 36, with styles 39).
            width: channels of G1's first layer; the finest enhancer has width / 2^num_enhancers (the authors' ngf).
            every_level: a head for every level, to train coarse to fine in one run; else for the finest alone, as in
                the authors' checkpoints.
        """
        super().__init__()
        self.in_channels = in_channels
        self.trunk = GlobalTrunk(
            in_channels, width=width, num_downsamplings=num_downsamplings, num_blocks=num_blocks, norm=norm
        )
        widths = [width // 2**level for level in range(num_enhancers + 1)]
        self.enhancers = nn.ModuleList(
            LocalEnhancer(in_channels, width=w, num_blocks=num_enhancer_blocks, norm=norm) for w in widths[1:]
        )
        levels = range(num_enhancers + 1) if every_level else [num_enhancers]
        self.heads = nn.ModuleDict(
            {str(level): nn.Conv2d(widths[level], image_channels, HEAD_KERNEL) for level in levels}
        )
        self.divisor = 2 ** (num_downsamplings + num_enhancers)
        self.smallest = self.divisor * 2
        normal_(self)

    @property
    def num_levels(self) -> int:
        """1 for the global generator alone, and one more for every enhancer."""
        return len(self.enhancers) + 1

    def forward(self, x: Tensor, level: int | None = None) -> Tensor:
        """Returns the picture (B, 3, H, W) in [-1, 1].

        Args:
            x: (B, in_channels, H, W), of the level's own size; sides divisible by `divisor`. G1 alone takes any: its
                picture is rounded up.
            level: how far up; None = the finest.
        """
        level = len(self.enhancers) if level is None else level
        if x.shape[1] != self.in_channels:
            raise InputError(
                f"input has {x.shape[1]} channels, expected {self.in_channels} (classes + boundaries + style features);"
                " build the generator for this label set"
            )
        inputs = pyramid(x, level + 1)
        features = self.trunk(inputs.pop())
        for enhancer in self.enhancers[:level]:
            features = enhancer(inputs.pop(), features)
        return torch.tanh(self.head(level)(reflect(features, HEAD_KERNEL // 2)))

    def head(self, level: int) -> nn.Conv2d:
        """Returns the last convolution of a level; `InputError` where that level has none."""
        if str(level) not in self.heads:
            raise InputError(f"level {level} has no head; there are heads for {', '.join(self.heads)}")
        return cast(nn.Conv2d, self.heads[str(level)])
