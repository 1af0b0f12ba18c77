"""Perceptual and adversarial loss of whole pictures on one set of frozen features (`FeatureDiscriminator`).

The features of a fake and of its photo are computed once and serve both losses and both steps. There is no feature
matching: the discriminator's image features are the perceptual network's, whose distance is the perceptual loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from scenebrush.layers.discriminators.base import resting
from scenebrush.layers.discriminators.feature_heads import FeatureDiscriminator
from scenebrush.losses.adversarial import hinge_discriminator, hinge_generator
from scenebrush.losses.perceptual import PerceptualLoss


class Seen(NamedTuple):
    """What the generator's step leaves for the discriminator's: features of both pictures, and their semantics."""

    fake: list[Tensor]
    real: list[Tensor]
    semantics: Tensor


class FeatureAdversary:
    """Both losses of a generator's step, and the discriminator's step.

    Args:
        perceptual: the frozen network and its layers.
        discriminator: perhaps wrapped for several devices, or None for training without an adversary.
        judge: the same, not wrapped, for the generator's step, which gives it no gradients; None likewise.
    """

    def __init__(
        self, perceptual: PerceptualLoss, discriminator: nn.Module | None, judge: FeatureDiscriminator | None
    ) -> None:
        self.perceptual, self.discriminator, self.judge = perceptual, discriminator, judge

    def generator_parts(
        self, fake: Tensor, real: Tensor, semantics: Tensor, *, adversarial: bool = True
    ) -> tuple[dict[str, Tensor], Seen]:
        """Returns the unweighted losses "perceptual" and "adversarial" of `fake` (B, 3, H, W), and what was seen.

        `semantics` (B, S, H, W) are those of both pictures. The hinge term of each level counts its share
        (`FeatureDiscriminator.shares`).
        """
        seen = Seen(self.perceptual.vgg(fake, self.perceptual.layers), self.perceptual.real_features(real), semantics)
        parts = {"perceptual": self.perceptual.distance(seen.fake, seen.real)}
        if adversarial and self.judge is not None:
            with resting(self.judge):
                logits = self.judge(seen.fake, semantics)
            levels = [share * hinge_generator([d]) for share, d in zip(self.judge.shares, logits, strict=True)]
            parts["adversarial"] = torch.stack(levels).sum()
        return parts, seen._replace(fake=[f.detach() for f in seen.fake])

    def discriminator_step(self, seen: Seen) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the discriminator's hinge loss on what the generator's step saw, and its parts."""
        assert self.discriminator is not None
        fake, real = self.discriminator(seen.fake, seen.semantics), self.discriminator(seen.real, seen.semantics)
        loss = hinge_discriminator(real, fake)
        return loss.total, {"d_fake": loss.fake, "d_real": loss.real}


def same_crop(side: int, generator: torch.Generator, *planes: Tensor) -> Sequence[Tensor]:
    """Returns the same random square of each (B, C, H, W): for losses that are dear on whole pictures.

    0, or a side that is no smaller than the picture's, leaves that axis whole. `generator` is a CPU generator.
    """
    height, width = planes[0].shape[2:]
    top, tall = _span(height, side, generator)
    left, wide = _span(width, side, generator)
    return [p[:, :, top : top + tall, left : left + wide] for p in planes]


def _span(whole: int, side: int, generator: torch.Generator) -> tuple[int, int]:
    if not 0 < side < whole:
        return 0, whole
    return int(torch.randint(whole - side + 1, (), generator=generator)), side
