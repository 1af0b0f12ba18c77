"""The SESAME generator: encodes the photo around the hole, decodes under the labels (paper section 3.1, figure 2)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.errors import InputError
from scenebrush.layers.blocks import ConvolutionBlock, ResidualBlock
from scenebrush.layers.initialisation import xavier_
from scenebrush.layers.norms import ParameterFreeBatchNorm
from scenebrush.layers.spade import SPADEBlock


class SesameGenerator(nn.Module):
    """Draws a photo whose hole follows the labels; deterministic, for any size divisible by 2^num_downsamplings.

    Encoder: convolution, strided convolutions, residual blocks (dilated but for the first); instance norm.
    Decoder: SPADE blocks (dilated but for the last), then upsampling SPADE blocks; batch norm and spectral norm.
    """

    def __init__(
        self,
        condition_channels: int,
        *,
        width: int = 64,
        num_downsamplings: int = 2,
        num_residual_blocks: int = 4,
        num_spade_blocks: int = 5,
        first_kernel_size: int = 7,
        residual_kernel_size: int = 3,
        spade_kernel_size: int = 3,
        skips: bool = False,
        wide: bool = False,
        image_channels: int = 3,
        first_channels: int | None = None,
        norm: Callable[[int], nn.Module] = ParameterFreeBatchNorm,
    ) -> None:
        """Builds the network.

        Args:
            condition_channels: label channels + 1 for the hole mask (Cityscapes: 36).
            width: channels of the first layer; they double with each downsampling.
            num_residual_blocks: blocks of the encoder at the smallest size.
            num_spade_blocks: blocks of the decoder at the smallest size.
            skips: U-Net connections from the encoder (the released scripts switch them off).
            wide: the smallest size has twice the channels (no released script uses it).
            first_channels: what the first layer sees. None: masked image and condition together; a number: the
                first argument of `forward` alone, with so many channels (the released code's default, "184").
            norm: builds the parameter-free normalisation inside the SPADE layers.
        """
        super().__init__()
        if num_spade_blocks < 1:
            raise InputError(f"num_spade_blocks is {num_spade_blocks}; expected 1 or more: the last ends the core")
        self.condition_channels = condition_channels
        self.mixes_condition = first_channels is None
        first = image_channels + condition_channels if first_channels is None else first_channels
        self.skips = skips
        self.divisor = 2**num_downsamplings
        self.smallest = self.divisor * (2 * (residual_kernel_size // 2) + 1)  # dilated reflection needs so much
        widths = [width * 2**i for i in range(num_downsamplings + 1)]
        core = widths[-1] * (2 if wide else 1)
        self._build_encoder(first, widths, core, num_residual_blocks, first_kernel_size, residual_kernel_size)
        self._build_decoder(
            widths, core, num_spade_blocks, partial(SPADEBlock, kernel_size=spade_kernel_size, norm=norm)
        )
        self.to_image = nn.Conv2d(width + (first if skips else 0), image_channels, 3, padding=1)
        xavier_(self)

    def _build_encoder(
        self, first: int, widths: list[int], core: int, num_blocks: int, first_kernel_size: int, kernel_size: int
    ) -> None:
        self.first = ConvolutionBlock(first, widths[0], first_kernel_size, reflect=True)
        self.down_blocks = nn.ModuleList(
            ConvolutionBlock(narrow, broad, stride=2) for narrow, broad in pairwise(widths)
        )
        self.residual_blocks = nn.ModuleList(
            ResidualBlock(widths[-1] if i == 0 else core, core, kernel_size, dilation=1 if i == 0 else 2)
            for i in range(num_blocks)
        )

    def _build_decoder(self, widths: list[int], core: int, num_blocks: int, block: Callable[..., SPADEBlock]) -> None:
        condition, last = self.condition_channels, num_blocks - 1
        extra = widths[-1] if self.skips else 0
        blocks = [block(core, core, condition, dilation=2) for _ in range(last)]
        blocks.append(block(core + extra, widths[-1], condition))
        self.core_blocks = nn.ModuleList(blocks)
        self.up_blocks = nn.ModuleList(
            block(broad + (narrow if self.skips else 0), narrow, condition)
            for broad, narrow in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        """Returns the drawn image, (B, 3, H, W) in [-1, 1], before it is pasted (`preprocess.paste`).

        Args:
            image: (B, 3, H, W) in [-1, 1], 0 in the hole.
            condition: (B, S + 1, H, W): one-hot semantics, then the hole mask, 1 = to be drawn.
        """
        self._check(image, condition)
        x = torch.cat([image, condition], 1) if self.mixes_condition else image
        x, seen = self._encode(x)
        return self._decode(x, seen, condition)

    def _encode(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Returns the encoder's result and, for the skips, its input and the maps of each size, largest first."""
        seen = [x, self.first(x)]
        for block in self.down_blocks:
            seen.append(block(seen[-1]))
        x = seen[-1]
        for block in self.residual_blocks:
            x = block(x)
        return x, seen

    def _decode(self, x: Tensor, seen: list[Tensor], condition: Tensor) -> Tensor:
        for block in self.core_blocks[:-1]:
            x = block(x, condition)
        x = self.core_blocks[-1](self._join(x, seen), condition)
        for block in self.up_blocks:
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(self._join(x, seen), condition)
        x = self._join(x, seen)
        return torch.tanh(self.to_image(F.leaky_relu(x, 0.2)))

    def _join(self, x: Tensor, seen: list[Tensor]) -> Tensor:
        """Takes the smallest map not joined yet; order: decoder, encoder."""
        return torch.cat([x, seen.pop()], 1) if self.skips else x

    def _check(self, image: Tensor, condition: Tensor) -> None:
        if condition.shape[1] != self.condition_channels:
            raise InputError(
                f"condition has {condition.shape[1]} channels, expected {self.condition_channels}"
                " (label channels + 1 for the hole); build the generator for this label set"
            )
        height, width = image.shape[2:]
        if height % self.divisor or width % self.divisor:
            raise InputError(f"image is {width}x{height}; expected sides divisible by {self.divisor}; pad it")
        if min(height, width) < self.smallest:
            raise InputError(
                f"image is {width}x{height}; expected sides of at least {self.smallest}; take more context"
            )
