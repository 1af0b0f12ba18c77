"""The losses of one training step: logistic adversary and L1 (Eq. 1-4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.layers.discriminators.base import ConditionalDiscriminator
from scenebrush.layers.layouts import LayoutBatch


@dataclass(frozen=True)
class LossWeights:
    """What each loss counts; 0 = off. The defaults are the paper's.

    Args:
        adversarial: logistic loss against the patch discriminator.
        l1: mean absolute difference from the photo (lambda, Eq. 4).
    """

    adversarial: float = 1.0
    l1: float = 100.0

    @property
    def any(self) -> bool:
        """Whether there is anything that the generator is asked for."""
        return max(self.adversarial, self.l1) > 0


class Objective:
    """Losses of generator and discriminator on a batch of photos with their layouts.

    Args:
        network: batch -> picture (`networks.Pix2PixNetwork`), perhaps wrapped for several devices.
        discriminator: the patch discriminator, perhaps wrapped, or None for training without an adversary.
        judge: the same, not wrapped, for the generator's step, which gives it no gradients; None likewise.
    """

    def __init__(
        self, network: nn.Module, discriminator: nn.Module | None, *, judge: ConditionalDiscriminator | None
    ) -> None:
        self.network = network
        self.discriminator = discriminator
        self.judge = judge

    def generator_step(
        self, batch: LayoutBatch, semantics: Tensor, weights: LossWeights, noise: torch.Generator | None = None
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Returns the generator's loss, its unweighted parts by name, and the pictures (B, 3, H, W).

        `semantics` (B, S, H, W) are the batch's (`Pix2PixNetwork.semantics`).
        """
        fake: Tensor = self.network(batch, noise)
        parts: dict[str, Tensor] = {}
        if weights.l1:
            parts["l1"] = F.l1_loss(fake.float(), batch.image)
        if weights.adversarial and self.judge is not None:
            parts["adversarial"] = logistic(self.judge(semantics, [fake])[0].logits, real=True)
        loss = torch.stack([getattr(weights, name) * value for name, value in parts.items()]).sum()
        return loss, parts, fake

    def discriminator_step(self, semantics: Tensor, real: Tensor, fake: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the discriminator's loss on real photos against `fake` (detached here), and its parts.

        Half the sum of both, which slows the discriminator down (section 3.3).
        """
        assert self.discriminator is not None
        judged_fake, judged_real = self.discriminator(semantics, [fake.detach(), real])
        d_fake, d_real = logistic(judged_fake.logits, real=False), logistic(judged_real.logits, real=True)
        return (d_fake + d_real) / 2, {"d_fake": d_fake, "d_real": d_real}


def logistic(logits: Sequence[Tensor], *, real: bool) -> Tensor:
    """Returns -E[log sigmoid(D)] for `real`, else -E[log(1 - sigmoid(D))]: the mean over scales of (B, 1, h, w) logits.

    The generator minimises the first on its fakes: -log D instead of log(1 - D), whose gradient vanishes (section 3.3).
    """
    sign = -1.0 if real else 1.0
    return torch.stack([F.softplus(sign * d.float()).mean() for d in logits]).mean()
