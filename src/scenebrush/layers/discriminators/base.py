"""What every conditional patch discriminator promises, and what those of several scales have in common.

A discriminator judges patches of pictures under a condition: one-hot labels, boundaries, a hole mask, whatever the
method calls it. It works in two steps, so that what depends on the condition alone is computed once for fake and real:

    embedded = discriminator.embed(condition)
    judged_fake, judged_real = discriminator.judge(embedded, [fake, real])
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from scenebrush.layers.discriminators.patches import HALVE, pyramid
from scenebrush.layers.initialisation import xavier_
from scenebrush.layers.receptive_field import Window, touched_patches


class Judgement(NamedTuple):
    """What a discriminator says of one batch of images.

    `features[scale][layer]` are inner maps of the image, (B, C, h, w), for feature matching; they never hold a map of
    the condition alone. `logits[i]` are (B, 1, h, w), one per patch: one map per scale, or several per level where
    a discriminator gives several scores. Scale 0 is the full size.
    """

    features: list[list[Tensor]]
    logits: list[Tensor]


class ConditionalDiscriminator(nn.Module, ABC):
    """Judges patches of images (B, 3, H, W) under a condition (B, S, H, W)."""

    def forward(self, condition: Tensor, images: Sequence[Tensor]) -> list[Judgement]:
        """Returns one `Judgement` per batch of images, all (B, 3, H, W), under the same condition (B, S, H, W)."""
        return self.judge(self.embed(condition), images)

    @abstractmethod
    def embed(self, condition: Tensor) -> list[Tensor]:
        """Returns what depends on the condition alone, one tensor (B, C, h, w) per scale or level, for `judge`."""

    @abstractmethod
    def judge(self, embedded: Sequence[Tensor], images: Sequence[Tensor]) -> list[Judgement]:
        """Returns one `Judgement` per batch of images under what `embed` made of their condition.

        One pass: the images are stacked on the batch axis. Instance norm works per sample, so this gives the same
        numbers as separate passes.
        """


class PatchScale(nn.Module, ABC):
    """One scale of a `MultiScaleDiscriminator`; `windows` is the geometry from its input to its logits."""

    windows: list[Window]

    def embed(self, condition: Tensor) -> Tensor:
        """Returns what depends on the condition (B, S, H, W) of this scale alone; by default the condition itself."""
        return condition

    @abstractmethod
    def judge(self, image: Tensor, embedded: Tensor) -> tuple[list[Tensor], Tensor]:
        """Returns the inner maps (B, C, h, w) and the logits (B, 1, h, w) of an image (B, 3, H, W) of this scale."""


class MultiScaleDiscriminator(ConditionalDiscriminator):
    """The same kind of network at full, half, quarter, ... size; the scales share nothing (pix2pixHD section 3.2)."""

    def __init__(self, scales: Iterable[PatchScale]) -> None:
        super().__init__()
        self.scales = nn.ModuleList(scales)
        xavier_(self)

    def embed(self, condition: Tensor) -> list[Tensor]:
        """Returns per scale what depends on the condition (B, S, H, W) alone."""
        scales = self._scales()
        return [scale.embed(level) for scale, level in zip(scales, pyramid(condition, len(scales)), strict=True)]

    def judge(self, embedded: Sequence[Tensor], images: Sequence[Tensor]) -> list[Judgement]:
        """Returns one `Judgement` per batch of images, one pass for all."""
        scales = self._scales()
        judged = [
            scale.judge(level, known.repeat(len(images), 1, 1, 1))
            for scale, level, known in zip(scales, pyramid(torch.cat(list(images)), len(scales)), embedded, strict=True)
        ]
        return split([maps for maps, _ in judged], [logits for _, logits in judged], len(images))

    def touched_patches(self, hole: Tensor) -> list[Tensor]:
        """Returns for every scale, bool (B, 1, h, w), the patches that see a pixel of the hole (B, 1, H, W)."""
        return [touched_patches(hole, [HALVE] * i + scale.windows) for i, scale in enumerate(self._scales())]

    def _scales(self) -> list[PatchScale]:
        return cast("list[PatchScale]", list(self.scales))


def split(features: Sequence[Sequence[Tensor]], logits: Sequence[Tensor], count: int) -> list[Judgement]:
    """Returns the `Judgement`s of `count` batches that were stacked on the batch axis."""
    maps = [[m.chunk(count) for m in scale] for scale in features]
    predictions = [d.chunk(count) for d in logits]
    return [Judgement([[m[i] for m in scale] for scale in maps], [d[i] for d in predictions]) for i in range(count)]


@contextmanager
def resting(network: nn.Module) -> Iterator[None]:
    """Keeps spectral norm from going on: fake and real features are to be compared under the same weights."""
    training = network.training
    network.eval()
    yield
    network.train(training)
