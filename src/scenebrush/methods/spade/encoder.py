"""The image encoder of SPADE's VAE: a photo's style as a normal distribution (section 3, facts 2.3)."""

from __future__ import annotations

from itertools import pairwise
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.layers.initialisation import xavier_
from scenebrush.layers.norms import InstanceNorm
from scenebrush.layers.spectral_norm import SpectralConv2d

SIZE: Final = 256
"""Side in pixels to which every photo is brought."""
WIDTHS: Final = (1, 2, 4, 8, 8, 8)
"""Multiples of the width after each of the six convolutions, which leave 4x4 places of 256x256."""


class Style(NamedTuple):
    """A normal distribution of style vectors: `mean` and `log_variance`, both (B, style_channels)."""

    mean: Tensor
    log_variance: Tensor

    def draw(self, generator: torch.Generator | None = None) -> Tensor:
        """Returns one style per photo, mean + deviation * noise, differentiable in both; noise from `generator`."""
        noise = torch.randn(self.mean.shape, generator=generator, dtype=self.mean.dtype, device=self.mean.device)
        return self.mean + torch.exp(0.5 * self.log_variance) * noise


class ImageEncoder(nn.Module):
    """Six strided convolutions with spectral and instance norm, then mean and log variance."""

    def __init__(self, *, width: int = 64, style_channels: int = 256, image_channels: int = 3) -> None:
        """Builds the encoder; the released code takes its width from the generator's (64)."""
        super().__init__()
        widths = [image_channels, *(width * multiple for multiple in WIDTHS)]
        self.convolutions = nn.ModuleList(
            SpectralConv2d(narrow, broad, 3, stride=2, padding=1, bias=False) for narrow, broad in pairwise(widths)
        )
        self.norms = nn.ModuleList(InstanceNorm(broad) for broad in widths[1:])
        places = (SIZE // 2 ** len(WIDTHS)) ** 2
        self.mean = nn.Linear(widths[-1] * places, style_channels)
        self.log_variance = nn.Linear(widths[-1] * places, style_channels)
        xavier_(self)

    def forward(self, image: Tensor) -> Style:
        """Returns the style of photos (B, 3, H, W) in [-1, 1], brought to 256x256 first."""
        x = image
        if image.shape[2:] != (SIZE, SIZE):
            x = F.interpolate(image, size=(SIZE, SIZE), mode="bilinear")
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = F.leaky_relu(norm(convolution(x)), 0.2)
        flat = x.flatten(1)
        return Style(self.mean(flat), self.log_variance(flat))
