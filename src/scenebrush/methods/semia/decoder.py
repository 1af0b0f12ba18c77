"""SemIA's decoder: from the photo's features, scaled and shifted at every level, to the picture."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from scenebrush.methods.semia.blocks import ConvBlock, UpBlock
from scenebrush.methods.semia.translation import Translation, modulate


class Decoder(nn.Module):
    """A 3x3 convolution, `levels` doublings that halve the channels, a 3x3 convolution to the picture.

    The last layer has batch norm and a leaky ReLU and no tanh, as in the released code: the picture is not bounded.
    """

    def __init__(self, *, width: int = 32, levels: int = 3, image_channels: int = 3) -> None:
        super().__init__()
        broadest = width * 2**levels
        self.head = ConvBlock(broadest, broadest, 3)
        self.up_blocks = nn.ModuleList(UpBlock(width * 2**level) for level in range(levels, 0, -1))
        self.tail = ConvBlock(width, image_channels, 3)

    def forward(
        self, x: Tensor, translation: Translation | None = None, skips: Sequence[Tensor] | None = None
    ) -> Tensor:
        """Returns the picture (B, 3, H, W), about [-1, 1].

        Args:
            x: features (B, C, H / 2^levels, W / 2^levels).
            translation: scales and shifts, the finest level first, each applied before the doubling; None = none.
            skips: the image encoder's features, the finest level first, added to ours of the same size; None = none.
        """
        x = self.head(x)
        for block, level in zip(self.up_blocks, reversed(range(len(self.up_blocks))), strict=True):
            if skips is not None:
                x = x + skips[level]
            if translation is not None:
                x = modulate(x, translation.scales[level], translation.shifts[level])
            x = block(x)
        picture: Tensor = self.tail(x)
        return picture
