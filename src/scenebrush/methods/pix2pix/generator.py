"""The U-Net generator of pix2pix (section 3.2.1, appendix 6.1.1)."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.errors import InputError
from scenebrush.layers.initialisation import normal_

MAX_MULTIPLE: Final = 8
DROPOUT_LAYERS: Final = 3
KERNEL: Final = 4


class UNetGenerator(nn.Module):
    """Halves the condition to a few places and doubles it again; every size hands its map over to the way back.

    Widths are 1, 2, 4, 8, 8, ... times `width`. Batch norm always takes the statistics of the batch at hand, in
    evaluation too, as in the paper: with one picture it is an instance norm. The innermost map, one place at 256x256,
    has no norm, for it would be zero.
    """

    def __init__(
        self,
        condition_channels: int,
        *,
        width: int = 64,
        depth: int = 8,
        dropout: float = 0.5,
        image_channels: int = 3,
    ) -> None:
        """Builds the network for a one-hot condition; `depth` is the number of halvings."""
        super().__init__()
        self.condition_channels = condition_channels
        self.divisor = 2**depth
        self.dropout = dropout
        widths = [width * min(2**i, MAX_MULTIPLE) for i in range(depth)]
        downs = pairwise([condition_channels, *widths])
        self.down_layers = nn.ModuleList(nn.Conv2d(a, b, KERNEL, 2, 1, bias=False) for a, b in downs)
        self.down_norms = nn.ModuleList(_norm(channels) for channels in widths[1:-1])
        # Into every layer of the way back but the first go two maps: its own and the one handed over.
        ups = [(broad * (1 if i == 0 else 2), narrow) for i, (broad, narrow) in enumerate(pairwise(widths[::-1]))]
        self.up_layers = nn.ModuleList(nn.ConvTranspose2d(a, b, KERNEL, 2, 1, bias=False) for a, b in ups)
        self.up_norms = nn.ModuleList(_norm(channels) for _, channels in ups)
        self.to_image = nn.ConvTranspose2d(2 * width, image_channels, KERNEL, 2, 1)
        normal_(self)

    def forward(self, condition: Tensor, noise: torch.Generator | None = None) -> Tensor:
        """Returns the picture, (B, 3, H, W) in [-1, 1], for a condition (B, S, H, W).

        Dropout is the only noise. In training it is always on; in evaluation only with `noise`, to draw one of
        several pictures as the paper does, and without it the same condition gives the same picture.
        """
        self._check(condition)
        seen = self._down(condition)
        x = seen.pop()
        for number, (layer, norm) in enumerate(zip(self.up_layers, self.up_norms, strict=True)):
            x = norm(layer(F.relu(x)))
            if number < DROPOUT_LAYERS and (self.training or noise is not None):
                x = dropped(x, self.dropout, noise)
            x = torch.cat([seen.pop(), x], 1)
        return torch.tanh(self.to_image(F.relu(x)))

    def _down(self, x: Tensor) -> list[Tensor]:
        """Returns the map of every size, largest first."""
        seen = [self.down_layers[0](x)]
        for layer, norm in zip(self.down_layers[1:-1], self.down_norms, strict=True):
            seen.append(norm(layer(F.leaky_relu(seen[-1], 0.2))))
        return [*seen, self.down_layers[-1](F.leaky_relu(seen[-1], 0.2))]

    def _check(self, condition: Tensor) -> None:
        if condition.shape[1] != self.condition_channels:
            raise InputError(
                f"condition has {condition.shape[1]} channels, expected {self.condition_channels};"
                " build the generator for this label set"
            )
        height, width = condition.shape[2:]
        if height % self.divisor or width % self.divisor:
            raise InputError(f"layout is {width}x{height}; expected sides divisible by {self.divisor}; pad it")


def dropped(x: Tensor, share: float, noise: torch.Generator | None = None) -> Tensor:
    """Returns x with `share` of its values 0 and the others scaled up; drawn from `noise`, or torch's global seed."""
    device = x.device if noise is None else noise.device
    keep = torch.rand(x.shape, generator=noise, device=device).to(x.device) >= share
    return x * keep / (1 - share)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, track_running_stats=False)
