"""Semantic feature translation: from the features of two layouts to scales and shifts of the photo's features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from scenebrush.layers.spectral_norm import SpectralConv2d
from scenebrush.methods.semia.blocks import ResidualBottleneck

TINY: Final = 1e-14  # the released code's guard of the division; in float32 it protects from 0 alone
VARIANCE_FLOOR: Final = 1e-5


class Translation(NamedTuple):
    """Scales and shifts, one (B, C, h, w) per level, the finest (half size) first."""

    scales: list[Tensor]
    shifts: list[Tensor]


class Change(NamedTuple):
    """How the features of the target layout differ from the source's: quotients and differences per level."""

    ratios: list[Tensor]
    differences: list[Tensor]


class TranslationHead(nn.Module):
    """Turns one level's quotients or differences into scales or shifts: a bottleneck and two 1x1 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bottleneck = ResidualBottleneck(channels, norm=False)
        self.narrow = SpectralConv2d(channels, channels // 2, 1)
        self.widen = SpectralConv2d(channels // 2, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Returns a tensor like `x` (B, C, h, w)."""
        translated: Tensor = self.widen(torch.relu(self.narrow(self.bottleneck(x))))
        return translated


class FeatureTranslation(nn.Module):
    """The scale and shift heads of all levels (gamma_img = B(gamma_seg), beta_img = B(beta_seg))."""

    def __init__(self, channels: Sequence[int]) -> None:
        super().__init__()
        self.scale_heads = nn.ModuleList(TranslationHead(c) for c in channels)
        self.shift_heads = nn.ModuleList(TranslationHead(c) for c in channels)

    def forward(self, change: Change) -> Translation:
        """Returns scales and shifts of a `change` of layouts, level by level."""
        return Translation(
            [head(ratio) for head, ratio in zip(self.scale_heads, change.ratios, strict=True)],
            [head(gap) for head, gap in zip(self.shift_heads, change.differences, strict=True)],
        )


def feature_change(source: Sequence[Tensor], target: Sequence[Tensor]) -> Change:
    """Returns, per level, (F_t + tiny) / (F_s + tiny) and F_t - F_s of layout features (B, C, h, w), in float32.

    The features have passed a leaky ReLU and may be as good as 0: then the quotient is huge, as in the released code.
    """
    pairs = [(s.float(), t.float()) for s, t in zip(source, target, strict=True)]
    return Change([(t + TINY) / (s + TINY) for s, t in pairs], [t - s for s, t in pairs])


def modulate(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Returns scale * (x - mean) / deviation + shift, all (B, C, h, w).

    Mean and deviation are those of each channel of each sample over its places, the variance unbiased and 1e-5 more.
    Scale 1 and shift 0 leave nothing but the normalised features.
    """
    values = x.float()
    variance, mean = torch.var_mean(values, dim=(2, 3), keepdim=True, correction=1)
    normalized = (values - mean) * torch.rsqrt(variance + VARIANCE_FLOOR)
    return scale * normalized + shift
