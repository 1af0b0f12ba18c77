"""The losses of one training step: generator with style encoder, and discriminator (section 3, facts 2.5)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.layers.discriminators.base import ConditionalDiscriminator, Judgement, resting
from scenebrush.losses.adversarial import hinge_discriminator, hinge_generator
from scenebrush.losses.divergence import kl_to_standard_normal
from scenebrush.losses.feature_matching import feature_matching
from scenebrush.losses.perceptual import PerceptualLoss
from scenebrush.methods.spade.networks import Drawing
from scenebrush.methods.spade.preprocess import LayoutBatch


@dataclass(frozen=True)
class LossWeights:
    """What each loss counts; 0 = off. The defaults are the paper's (facts 2.5).

    Args:
        adversarial: hinge loss against the discriminator.
        feature_matching: L1 of the discriminator's inner maps; off where `adversarial` is.
        perceptual: L1 of VGG features.
        divergence: KL of the photos' styles from N(0, 1), summed over the batch; only with a style encoder.
        reconstruction: mean absolute difference from the photo (ours; off in the papers): a short training finds the
            colours by it, which the perceptual loss hardly tells.
        crop: side in pixels of the random square that the losses look at, 0 = the whole picture; only with the
            discriminator "features".
    """

    adversarial: float = 1.0
    feature_matching: float = 10.0
    perceptual: float = 10.0
    divergence: float = 0.05
    reconstruction: float = 0.0
    crop: int = 0

    @property
    def any(self) -> bool:
        """Whether there is anything that the generator is asked for."""
        return max(self.adversarial, self.perceptual, self.reconstruction) > 0


class Objective:
    """Losses of generator and discriminator on a batch of photos with their layouts.

    Args:
        networks: batch -> `Drawing` (`networks.SpadeNetworks`), perhaps wrapped for several devices.
        discriminator: any of `layers.discriminators`, perhaps wrapped, or None for training without an adversary.
        judge: the same, not wrapped, for the generator's step, which gives it no gradients; None likewise.
        perceptual: frozen network, or None where its weight is 0.
    """

    def __init__(
        self,
        networks: nn.Module,
        discriminator: nn.Module | None,
        *,
        judge: ConditionalDiscriminator | None,
        perceptual: PerceptualLoss | None = None,
    ) -> None:
        self.networks = networks
        self.discriminator = discriminator
        self.judge = judge
        self.perceptual = perceptual

    def generator_step(
        self,
        batch: LayoutBatch,
        semantics: Tensor,
        weights: LossWeights,
        noise: torch.Generator | None = None,
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Returns the loss of generator and encoder, its unweighted parts by name, and the pictures (B, 3, H, W).

        `semantics` (B, S, H, W) are the batch's (`SpadeNetworks.semantics`). At least one loss with a weight must
        have its network (`LossWeights.any`).
        """
        drawing: Drawing = self.networks(batch, noise)
        parts: dict[str, Tensor] = {}
        if weights.reconstruction:
            parts["reconstruction"] = F.l1_loss(drawing.image.float(), batch.image)
        if weights.perceptual and self.perceptual is not None:
            parts["perceptual"] = self.perceptual(drawing.image, batch.image)
        if weights.divergence and drawing.style is not None:
            parts["divergence"] = kl_to_standard_normal(*drawing.style)
        if weights.adversarial and self.judge is not None:
            parts |= self._adversarial(semantics, drawing.image, batch.image, weights)
        loss = torch.stack([getattr(weights, name) * value for name, value in parts.items()]).sum()
        return loss, parts, drawing.image

    def _adversarial(self, semantics: Tensor, fake: Tensor, real: Tensor, weights: LossWeights) -> dict[str, Tensor]:
        assert self.judge is not None
        with resting(self.judge):
            with torch.no_grad():  # nothing but the fake's path needs a gradient here
                embedded = self.judge.embed(semantics)
                judged_real = self.judge.judge(embedded, [real])[0]
            judged_fake = self.judge.judge(embedded, [fake])[0]
        return generator_losses(judged_fake, judged_real, weights)

    def discriminator_step(self, semantics: Tensor, real: Tensor, fake: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the discriminator's loss on real photos against `fake` (detached here), and its parts."""
        assert self.discriminator is not None
        judged_fake, judged_real = self.discriminator(semantics, [fake.detach(), real])
        loss = hinge_discriminator(judged_real.logits, judged_fake.logits)
        return loss.total, {"d_fake": loss.fake, "d_real": loss.real}


def generator_losses(fake: Judgement, real: Judgement, weights: LossWeights) -> dict[str, Tensor]:
    """Returns the unweighted adversarial parts of the generator's loss: "adversarial", and "feature_matching" if on."""
    parts = {"adversarial": hinge_generator(fake.logits)}
    if weights.feature_matching:
        parts["feature_matching"] = feature_matching(fake.features, real.features)
    return parts
