"""The SPADE generator: from a few pixels of layout, or a style, up to a picture under the labels (section 3).

Every block is a SPADE residual block that sees the labels at its own size, so they are never washed away by a norm.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Final, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.errors import InputError, RecipeError
from scenebrush.layers.initialisation import xavier_
from scenebrush.layers.norms import ParameterFreeBatchNorm
from scenebrush.layers.spade import HIDDEN_WIDTH, SPADEBlock

Upsampling = Literal["normal", "more", "most"]

UPSAMPLINGS: Final[dict[Upsampling, int]] = {"normal": 5, "more": 6, "most": 7}
"""How often the generator doubles the size: 32, 64 and 128 times in all."""


def latent_size(upsampling: Upsampling, crop_size: int, aspect_ratio: float) -> tuple[int, int]:
    """Returns (height, width) of the generator's smallest map for pictures `crop_size` wide.

    Width = crop / 32, 64 or 128, height = width / aspect ratio, rounded as Python does it: halves to the even number.
    `RecipeError` where nothing is left.
    """
    factor = 2 ** UPSAMPLINGS[upsampling]
    width = crop_size // factor
    height = round(width / aspect_ratio)
    if min(height, width) < 1:
        raise RecipeError(
            f"crop size {crop_size} with aspect ratio {aspect_ratio} leaves {width}x{height} places at 1/{factor}"
            f" of the size ({upsampling!r}); take a larger crop or less upsampling"
        )
    return height, width


class SPADEGenerator(nn.Module):
    """Draws a picture from one-hot semantics, and from a style vector where it was built for styles.

    Widths are 16, 16, 16, 8, 4, 2, 1 ("most": and 1/2) times `width`; batch norm and spectral norm in all blocks.
    """

    def __init__(
        self,
        condition_channels: int,
        *,
        width: int = 64,
        modulation_width: int = HIDDEN_WIDTH,
        upsampling: Upsampling = "normal",
        crop_size: int = 256,
        aspect_ratio: float = 1.0,
        style_channels: int | None = None,
        image_channels: int = 3,
        spade_kernel_size: int = 3,
        any_size: bool = True,
        norm: Callable[[int], nn.Module] = ParameterFreeBatchNorm,
    ) -> None:
        """Builds the network.

        Args:
            condition_channels: channels of the semantics (Cityscapes 36, COCO-Stuff 184, ADE20K 151).
            width: ngf, channels at full size ("most" halves them once more).
            modulation_width: channels inside the SPADE layers, between labels and scales (128 in the paper).
            upsampling: how often the size doubles; see `UPSAMPLINGS`.
            crop_size: width in pixels of the training pictures.
            aspect_ratio: their width / height.
            style_channels: length of the style vector (256 in the paper), or None: no styles, start from the labels.
            any_size: the picture is as large as the semantics (ours). False: always the crop's size, as in the
                released code, which stretches every layout to it.
            norm: builds the parameter-free normalisation inside the SPADE layers.

        Raises:
            RecipeError: the crop leaves no place at the smallest size, or the width no channel at the largest.
        """
        super().__init__()
        self.condition_channels = condition_channels
        self.style_channels = style_channels
        self.upsampling: Upsampling = upsampling
        self.divisor = 2 ** UPSAMPLINGS[upsampling]
        self.latent_size = latent_size(upsampling, crop_size, aspect_ratio)
        self.any_size = any_size
        broadest = 16 * width
        if broadest < 32 and upsampling == "most":
            raise RecipeError(f"width is {width}, which 'most' upsampling cannot halve at full size; take 2 or more")
        self.first: nn.Module = nn.Conv2d(condition_channels, broadest, 3, padding=1)
        if style_channels is not None:
            self.first = nn.Linear(style_channels, broadest * self.latent_size[0] * self.latent_size[1])
        block = partial(
            SPADEBlock,
            condition_channels=condition_channels,
            kernel_size=spade_kernel_size,
            hidden=modulation_width,
            norm=norm,
        )
        widths = [broadest // 2**i for i in range(6 if upsampling == "most" else 5)]
        self.head = block(broadest, broadest)
        self.middle_blocks = nn.ModuleList(block(broadest, broadest) for _ in range(2))
        self.up_blocks = nn.ModuleList(block(a, b) for a, b in pairwise(widths))
        self.to_image = nn.Conv2d(widths[-1], image_channels, 3, padding=1)
        xavier_(self)

    def forward(self, semantics: Tensor, style: Tensor | None = None) -> Tensor:
        """Returns the picture, (B, 3, H, W) in [-1, 1], for semantics (B, S, H, W) and a style (B, style_channels).

        `InputError` names sides that do not halve often enough, channels that do not fit, a missing style.
        """
        x = self.head(self._start(semantics, style), semantics)
        x = self.middle_blocks[0](_doubled(x), semantics)
        if self.upsampling != "normal":
            x = _doubled(x)
        x = self.middle_blocks[1](x, semantics)
        for block in self.up_blocks:
            x = block(_doubled(x), semantics)
        return torch.tanh(self.to_image(F.leaky_relu(x, 0.2)))

    def _start(self, semantics: Tensor, style: Tensor | None) -> Tensor:
        """Returns the smallest map: the labels, convolved, or what the style says at every place of it."""
        size = self._size(semantics)
        if self.style_channels is None:
            start: Tensor = self.first(F.interpolate(semantics, size=size, mode="nearest"))
            return start
        if style is None or style.shape[1:] != (self.style_channels,):
            given = "none" if style is None else str(tuple(style.shape))
            raise InputError(f"style is {given}; expected (batch, {self.style_channels}): draw or encode one")
        places = self.first(style).unflatten(1, (-1, *self.latent_size))
        # A style knows the places of the training crop; other sizes spread them.
        return places if size == self.latent_size else F.interpolate(places, size=size, mode="nearest")

    def _size(self, semantics: Tensor) -> tuple[int, int]:
        if semantics.shape[1] != self.condition_channels:
            raise InputError(
                f"semantics have {semantics.shape[1]} channels, expected {self.condition_channels} (classes, and one"
                " each for unlabelled pixels and boundaries where used); build the generator for this label set"
            )
        if not self.any_size:
            return self.latent_size
        height, width = semantics.shape[2:]
        if height % self.divisor or width % self.divisor:
            raise InputError(f"layout is {width}x{height}; expected sides divisible by {self.divisor}; pad it")
        return height // self.divisor, width // self.divisor


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
