"""SemIA's encoder; one sees layouts, another of the same build the photo."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from scenebrush.methods.semia.blocks import ConvBlock, DownBlock
from scenebrush.methods.semia.translation import Translation, modulate


class Encoded(NamedTuple):
    """Features after each level, (B, 2w, H/2, W/2) first, and what the tail makes of the last; None: it was not run."""

    levels: list[Tensor]
    tail: Tensor | None


class Encoder(nn.Module):
    """A 7x7 convolution, `levels` halvings that double the channels, a 3x3 convolution."""

    def __init__(self, in_channels: int, *, width: int = 32, levels: int = 3) -> None:
        super().__init__()
        self.widths = [width * 2**level for level in range(1, levels + 1)]
        self.head = ConvBlock(in_channels, width, 7)
        self.down_blocks = nn.ModuleList(DownBlock(width * 2**level) for level in range(levels))
        self.tail = ConvBlock(self.widths[-1], self.widths[-1], 3)

    def forward(self, x: Tensor, translation: Translation | None = None, *, with_tail: bool = True) -> Encoded:
        """Returns the features of a layout or photo (B, C, H, W), whose sides 2^levels divides.

        Args:
            x: the layout or the photo.
            translation: scales and shifts for each level's features, applied before the next level; None = none.
            with_tail: also run the tail.
        """
        x = self.head(x)
        features: list[Tensor] = []
        for level, block in enumerate(self.down_blocks):
            x = block(x)
            if translation is not None:
                x = modulate(x, translation.scales[level], translation.shifts[level])
            features.append(x)
        return Encoded(features, self.tail(x) if with_tail else None)
