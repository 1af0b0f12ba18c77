"""Feature-pyramid semantics-embedding discriminator, FPSE (Liu et al., NeurIPS 2019, "CC-FPSE").

An encoder looks at the image alone; a decoder brings what it saw back to a quarter of the size. At every level of the
decoder each patch gets two scores: how real it looks, and how well it matches the labels, the inner product of its
features with the embedded labels of its place. Written from the paper's idea and the account of it in SESAME's
related work; widths and levels (encoder w, 2w, 4w, 8w, 8w, decoder 4w) are as we recall the authors' network and were
not checked against it. The two scores stay two logits, as the paper tells of them; their sum would be a projection.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.errors import InputError
from scenebrush.layers.discriminators.base import ConditionalDiscriminator, Judgement, split
from scenebrush.layers.discriminators.patches import shares, through
from scenebrush.layers.initialisation import xavier_
from scenebrush.layers.norms import InstanceNorm
from scenebrush.layers.spectral_norm import SpectralConv2d

ENCODER_WIDTHS: Final = (1, 2, 4, 8, 8)
"""Multiples of the width; every layer of the encoder halves."""
LEVELS: Final = 3
"""Levels that are judged, finest first: at 1/4, 1/8 and 1/16 of the image's size."""

SMALLEST: Final = 2 ** len(ENCODER_WIDTHS) + 1
"""The longer side in pixels: the coarsest map needs more than one place for its instance norm."""


class FeaturePyramidDiscriminator(ConditionalDiscriminator):
    """Gives every patch of three levels a realness and a semantic-matching score.

    `Judgement.logits` are realness and matching of 1/4, of 1/8, of 1/16 of the size: six maps, 64x64 to 16x16 at
    256x256. `Judgement.features` holds one list: the encoder's maps from the second on.
    """

    def __init__(self, condition_channels: int, *, image_channels: int = 3, width: int = 64) -> None:
        super().__init__()
        widths = [image_channels, *(width * multiple for multiple in ENCODER_WIDTHS)]
        self.encoder = nn.ModuleList(_layer(narrow, broad, stride=2) for narrow, broad in pairwise(widths))
        self.laterals = nn.ModuleList(_layer(broad, 4 * width, kernel=1) for broad in widths[2:])  # 1/4 ... 1/32
        self.smooth = nn.ModuleList(_layer(4 * width, 2 * width) for _ in range(LEVELS))
        # The heads are shared by the levels, so that a class looks alike in all of them.
        self.realness = nn.Conv2d(2 * width, 1, 1)
        self.matching = nn.Conv2d(2 * width, 2 * width, 1)
        self.embedding = nn.Conv2d(condition_channels, 2 * width, 1)
        xavier_(self)

    def embed(self, condition: Tensor) -> list[Tensor]:
        """Returns per level the embedded labels of each place, (B, E, h, w) at 1/4, 1/8 and 1/16 of the size.

        The mean of the pixels' embeddings is the embedding of their mean: averaging first is the same and cheaper.
        """
        height, width = condition.shape[2:]
        sizes = [(_halved(height, i), _halved(width, i)) for i in range(2, 2 + LEVELS)]
        return [self.embedding(shares(condition, size)) for size in sizes]

    def judge(self, embedded: Sequence[Tensor], images: Sequence[Tensor]) -> list[Judgement]:
        """Returns one `Judgement` per batch of images, one pass for all; `InputError` where both sides are below 33."""
        _check_size(images[0])
        seen = self._encode(torch.cat(list(images)))
        logits: list[Tensor] = []
        for level, known in zip(self._decode(seen), embedded, strict=True):
            matching = (self.matching(level) * known.repeat(len(images), 1, 1, 1)).sum(1, keepdim=True)
            logits += [self.realness(level), matching]
        return split([seen], logits, len(images))

    def _encode(self, x: Tensor) -> list[Tensor]:
        """Returns the maps at 1/4, 1/8, 1/16 and 1/32 of the size."""
        return through(self.encoder, x)[1:]

    def _decode(self, seen: Sequence[Tensor]) -> list[Tensor]:
        """Returns the levels to be judged, (B, 2w, h, w) at 1/4, 1/8 and 1/16 of the size."""
        levels = [lateral(x) for lateral, x in zip(self.laterals, seen, strict=True)]
        for fine in range(len(levels) - 2, -1, -1):
            size = levels[fine].shape[2:]
            levels[fine] = levels[fine] + F.interpolate(levels[fine + 1], size=size, mode="bilinear")
        return [smooth(level) for smooth, level in zip(self.smooth, levels, strict=False)]  # the coarsest only helps


def _layer(in_channels: int, out_channels: int, *, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        SpectralConv2d(in_channels, out_channels, kernel, stride=stride, padding=kernel // 2, bias=False),
        InstanceNorm(out_channels),
        nn.LeakyReLU(0.2),
    )


def _check_size(image: Tensor) -> None:
    height, width = image.shape[2:]
    if max(height, width) < SMALLEST:
        raise InputError(
            f"image is {width}x{height}; feature_pyramid needs a side of {SMALLEST} or more; take larger windows"
        )


def _halved(size: int, times: int) -> int:
    """Returns the length after as many 3x3 convolutions with stride 2 and padding 1: halves, rounded up."""
    for _ in range(times):
        size = (size + 1) // 2
    return size
