"""Adversarial losses of patch discriminators over several scales: hinge and least squares.

All functions take the logits of each scale, a sequence of (B, 1, h, w). The hinge losses return the mean over the
scales of the mean over the positions (SESAME Eq. 4-6, SPADE), and a weight map says which positions count. The
least-squares losses return the SUM over the scales, as pix2pixHD's loss weights expect.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

UntouchedPatches = Literal["fake", "real", "ignore"]
"""What the patches of a fake count as whose receptive field holds no edited pixel (`hinge_discriminator`)."""


class DiscriminatorLoss(NamedTuple):
    """The two terms of a discriminator step; the step minimises `total` (least squares: half of it)."""

    fake: Tensor
    real: Tensor

    @property
    def total(self) -> Tensor:
        """The sum of both terms, without a factor 1/2."""
        return self.fake + self.real


def hinge_real(logits: Sequence[Tensor], weights: Sequence[Tensor] | None = None) -> Tensor:
    """Returns E[max(0, 1 - D)]: small where the discriminator calls the patches real. `weights`: (B, 1, h, w) >= 0."""
    return _mean([F.relu(1 - d.float()) for d in logits], weights)


def hinge_fake(logits: Sequence[Tensor], weights: Sequence[Tensor] | None = None) -> Tensor:
    """Returns E[max(0, 1 + D)]: small where the discriminator calls the patches fake."""
    return _mean([F.relu(1 + d.float()) for d in logits], weights)


def hinge_targets(logits: Sequence[Tensor], targets: Sequence[Tensor]) -> Tensor:
    """Returns E[max(0, 1 - t D)] for target maps t in [-1, 1], (B, 1, h, w): 1 = real, -1 = fake, 0 = constant."""
    return _mean([F.relu(1 - t * d.float()) for d, t in zip(logits, targets, strict=True)], None)


def hinge_generator(logits: Sequence[Tensor], weights: Sequence[Tensor] | None = None) -> Tensor:
    """Returns -E[D] on fakes: what the generator minimises."""
    return _mean([-d.float() for d in logits], weights)


def hinge_discriminator(
    real: Sequence[Tensor],
    fake: Sequence[Tensor],
    *,
    touched: Sequence[Tensor] | None = None,
    untouched_patches: UntouchedPatches = "fake",
) -> DiscriminatorLoss:
    """Returns the discriminator's hinge loss when only a hole of each fake was generated.

    `touched`, bool (B, 1, h, w) per scale, says which patches see a generated pixel (`layers.receptive_field`).
    The others show nothing but the real photo. `untouched_patches` says what they count as in the fake:
    "fake" as the papers have it, "real" as they are, or "ignore": not at all, neither in the fake nor, so
    that both sides are shown the same places, in the real photo.
    """
    if touched is None or untouched_patches == "fake":
        return DiscriminatorLoss(hinge_fake(fake), hinge_real(real))
    if untouched_patches == "real":
        targets = [1 - 2 * t.float() for t in touched]  # touched -> -1, untouched -> +1
        return DiscriminatorLoss(hinge_targets(fake, targets), hinge_real(real))
    return DiscriminatorLoss(hinge_fake(fake, touched), hinge_real(real, touched))


def least_squares(logits: Sequence[Tensor], target: float) -> Tensor:
    """Returns the sum over scales of E[(D - target)^2] (LSGAN, Mao et al. 2017; pix2pixHD)."""
    return torch.stack([(d.float() - target).square().mean() for d in logits]).sum()


def least_squares_generator(logits: Sequence[Tensor]) -> Tensor:
    """Returns E[(D - 1)^2] on fakes, summed over scales: what the generator minimises."""
    return least_squares(logits, 1.0)


def least_squares_discriminator(real: Sequence[Tensor], fake: Sequence[Tensor]) -> DiscriminatorLoss:
    """Returns E[D^2] on fakes and E[(D - 1)^2] on real photos, each summed over scales.

    pix2pixHD's discriminator step minimises half of their sum.
    """
    return DiscriminatorLoss(least_squares(fake, 0.0), least_squares(real, 1.0))


def generator_weights(
    touched: Sequence[Tensor] | None, untouched_patches: UntouchedPatches = "fake"
) -> Sequence[Tensor] | None:
    """Returns the weight maps for `hinge_generator`: all patches ("fake", None), else only the touched ones."""
    return None if untouched_patches == "fake" else touched


def _mean(losses: Sequence[Tensor], weights: Sequence[Tensor] | None) -> Tensor:
    if weights is None:
        return torch.stack([loss.mean() for loss in losses]).mean()
    return torch.stack([_weighted(loss, w) for loss, w in zip(losses, weights, strict=True)]).mean()


def _weighted(loss: Tensor, weight: Tensor) -> Tensor:
    """Returns the weighted mean over batch and places; 0 where nothing counts."""
    weight = weight.to(loss.dtype).expand_as(loss)
    total = weight.sum()
    return (loss * weight).sum() / torch.where(total > 0, total, torch.ones_like(total))
