"""SemIA's discriminator: patches judged at a quarter and an eighth of the size, after FPSE (Liu et al. 2019).

It shares with `layers.discriminators.feature_pyramid` the idea, not the numbers: three halvings, two levels, one logit
a patch, and the layout, where it is shown at all, added to that logit.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.errors import InputError
from scenebrush.layers.discriminators.base import ConditionalDiscriminator, Judgement, split
from scenebrush.layers.norms import InstanceNorm
from scenebrush.layers.spectral_norm import SpectralConv2d


class SemiaDiscriminator(ConditionalDiscriminator):
    """Judges pictures (B, 3, H, W), sides divisible by 8; by default without looking at the layout.

    `Judgement.features` are [[(B, 2w, H/4, W/4)], [(B, 4w, H/8, W/8)]], `Judgement.logits` maps of the same sizes.
    The fourth halving and its heads are built and never run: the authors' checkpoints hold them.

    Args:
        condition_channels: channels of a layout; None = it does not see layouts.
        image_channels: of a picture.
        width: channels of the first layer.
    """

    def __init__(self, condition_channels: int | None = None, *, image_channels: int = 3, width: int = 64) -> None:
        super().__init__()
        widths = [image_channels, width, 2 * width, 4 * width, 8 * width]
        self.encoder = nn.ModuleList(_layer(a, b, 3, stride=2) for a, b in pairwise(widths))
        self.laterals = nn.ModuleList(_layer(broad, 4 * width, 1) for broad in widths[2:])
        self.smooth = nn.ModuleList(_layer(4 * width, 2 * width, 3) for _ in range(3))
        self.realness = nn.Conv2d(2 * width, 1, 1)  # shared by the levels
        self.embedding = None if condition_channels is None else nn.Conv2d(condition_channels, 2 * width, 1)
        self.matching = None if condition_channels is None else nn.Conv2d(2 * width, 2 * width, 1)

    def embed(self, condition: Tensor) -> list[Tensor]:
        """Returns the embedded layout (B, 2w, h, w) at both levels; an empty list where layouts are not seen."""
        if self.embedding is None:
            return []
        return [self.embedding(F.avg_pool2d(condition, size)) for size in (4, 8)]

    def judge(self, embedded: Sequence[Tensor], images: Sequence[Tensor]) -> list[Judgement]:
        """Returns one `Judgement` per batch of pictures, one pass for all; `InputError` where 8 divides no side."""
        height, width = images[0].shape[2:]
        if height % 8 or width % 8:
            raise InputError(f"picture is {width}x{height}; expected sides divisible by 8: crop or pad it")
        features = self._encode(torch.cat(list(images)))
        known: list[Tensor | None] = [*embedded] or [None, None]
        levels = zip(self._decode(features), known, strict=True)
        logits = [self._judge_level(level, layout, len(images)) for level, layout in levels]
        return split([[feature] for feature in features], logits, len(images))

    def _encode(self, x: Tensor) -> list[Tensor]:
        """Returns the features at 1/4 and 1/8 of the size."""
        features: list[Tensor] = []
        for layer in self.encoder[:3]:
            x = layer(x)
            features.append(x)
        return features[1:]

    def _decode(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Returns the levels to be judged, (B, 2w, h, w) at 1/4 and 1/8 of the size."""
        fine, coarse = self.laterals[0](features[0]), self.laterals[1](features[1])
        fine = fine + F.interpolate(coarse, scale_factor=2, mode="bilinear", align_corners=True)
        return [self.smooth[0](fine), self.smooth[1](coarse)]

    def _judge_level(self, level: Tensor, known: Tensor | None, count: int) -> Tensor:
        logits: Tensor = self.realness(level)
        if known is None or self.matching is None:
            return logits
        matching: Tensor = self.matching(level) * known.repeat(count, 1, 1, 1)
        return logits + matching.sum(1, keepdim=True)


def _layer(in_channels: int, out_channels: int, kernel_size: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        SpectralConv2d(in_channels, out_channels, kernel_size, stride=stride, padding=kernel_size // 2, bias=False),
        InstanceNorm(out_channels),
        nn.LeakyReLU(0.2),
    )
