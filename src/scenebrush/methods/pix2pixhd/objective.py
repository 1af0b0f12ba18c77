"""The losses of one training step: generator with encoder, and discriminator (paper section 3.2-3.3, facts 1.5)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.layers.discriminators.base import ConditionalDiscriminator, Judgement, resting
from scenebrush.layers.layouts import LayoutBatch
from scenebrush.losses.adversarial import least_squares_discriminator, least_squares_generator
from scenebrush.losses.feature_matching import feature_matching
from scenebrush.losses.image_pool import ImagePool
from scenebrush.losses.perceptual import PerceptualLoss
from scenebrush.methods.pix2pixhd.discriminator import MultiscaleDiscriminator


@dataclass(frozen=True)
class LossWeights:
    """What each loss counts; 0 = off. The defaults are the paper's (facts 1.5).

    Args:
        adversarial: least squares against the discriminator, summed over scales.
        feature_matching: L1 of the discriminator's inner maps; off where `adversarial` is.
        perceptual: L1 of VGG features.
        reconstruction: mean absolute difference from the photo (ours; off in the papers): a short training finds the
            colours by it, which the perceptual loss hardly tells.
        crop: side in pixels of the random square that the losses look at, 0 = the whole picture; only with the
            discriminator "features".
    """

    adversarial: float = 1.0
    feature_matching: float = 10.0
    perceptual: float = 10.0
    reconstruction: float = 0.0
    crop: int = 0

    @property
    def any(self) -> bool:
        """Whether there is anything that the generator is asked for."""
        return max(self.adversarial, self.perceptual, self.reconstruction) > 0


class Objective:
    """Losses of generator and discriminator on a batch of photos with their layouts.

    Args:
        networks: batch, level -> pictures (`networks.Pix2PixHDNetworks`), perhaps wrapped for several devices.
        discriminator: pix2pixHD's own or any other of `layers.discriminators`, perhaps wrapped, or None for training
            without an adversary.
        judge: the same, not wrapped, for the generator's step, which gives it no gradients; None likewise.
        perceptual: frozen network, or None where its weight is 0.
        level, num_scales: of the coarse-to-fine schedule (`schedule.Phase`); None = the finest, and all.
    """

    def __init__(
        self,
        networks: nn.Module,
        discriminator: nn.Module | None,
        *,
        judge: ConditionalDiscriminator | None,
        perceptual: PerceptualLoss | None = None,
        level: int | None = None,
        num_scales: int | None = None,
    ) -> None:
        self.networks = networks
        self.discriminator = discriminator
        self.judge = judge
        self.perceptual = perceptual
        self.level = level
        self.num_scales = num_scales

    def generator_step(
        self, batch: LayoutBatch, semantics: Tensor, weights: LossWeights
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Returns the loss of generator and encoder, its unweighted parts by name, and the pictures (B, 3, H, W).

        `semantics` (B, S, H, W) are the batch's (`Pix2PixHDNetworks.condition`). At least one loss with a weight must
        have its network (`LossWeights.any`).
        """
        fake: Tensor = self.networks(batch, self.level)
        parts: dict[str, Tensor] = {}
        if weights.reconstruction:
            parts["reconstruction"] = F.l1_loss(fake.float(), batch.image)
        if weights.perceptual and self.perceptual is not None:
            parts["perceptual"] = self.perceptual(fake, batch.image)
        if weights.adversarial and self.judge is not None:
            parts |= self._adversarial(semantics, fake, batch.image, weights)
        loss = torch.stack([getattr(weights, name) * value for name, value in parts.items()]).sum()
        return loss, parts, fake

    def _adversarial(self, semantics: Tensor, fake: Tensor, real: Tensor, weights: LossWeights) -> dict[str, Tensor]:
        assert self.judge is not None
        with _held(self.judge):
            with torch.no_grad():  # nothing but the fake's path needs a gradient here
                embedded = self._embed(self.judge, semantics)
                judged_real = self.judge.judge(embedded, [real])[0]
            judged_fake = self.judge.judge(embedded, [fake])[0]
        return generator_losses(judged_fake, judged_real, weights)

    def _embed(self, judge: ConditionalDiscriminator, semantics: Tensor) -> list[Tensor]:
        if isinstance(judge, MultiscaleDiscriminator):
            return judge.embed(semantics, self.num_scales)
        return judge.embed(semantics)

    def discriminator_step(
        self,
        semantics: Tensor,
        real: Tensor,
        fake: Tensor,
        *,
        pool: ImagePool | None = None,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the discriminator's loss on real photos against `fake` (detached here), and its parts.

        With a `pool` some fakes are older ones, under their own semantics; `generator` draws which.
        """
        if pool is None or not pool.size:
            judged_fake, judged_real = self._judge(semantics, [fake.detach(), real])
        else:
            assert generator is not None
            known, older = pool.query(semantics, fake, generator=generator)
            (judged_fake,), (judged_real,) = self._judge(known, [older]), self._judge(semantics, [real])
        loss = least_squares_discriminator(judged_real.logits, judged_fake.logits)
        return 0.5 * loss.total, {"d_fake": loss.fake, "d_real": loss.real}

    def _judge(self, semantics: Tensor, images: Sequence[Tensor]) -> list[Judgement]:
        assert self.discriminator is not None
        if self.num_scales is None:
            judged: list[Judgement] = self.discriminator(semantics, images)
        else:
            judged = self.discriminator(semantics, images, num_scales=self.num_scales)
        return judged


def generator_losses(fake: Judgement, real: Judgement, weights: LossWeights) -> dict[str, Tensor]:
    """Returns the unweighted adversarial parts of the generator's loss: "adversarial", and "feature_matching" if on."""
    parts = {"adversarial": least_squares_generator(fake.logits)}
    if weights.feature_matching:
        parts["feature_matching"] = matched_features(fake.features, real.features)
    return parts


def matched_features(fake: Sequence[Sequence[Tensor]], real: Sequence[Sequence[Tensor]]) -> Tensor:
    """Returns feature matching as in the released code: mean over scales, sum over layers, x 4 / layers (Eq. 4).

    The factor keeps the weight's meaning with more or fewer than the 4 inner maps of the paper's discriminator.
    """
    return feature_matching(fake, real) * (4 / len(fake[0]))


def _held(judge: ConditionalDiscriminator) -> AbstractContextManager[None]:
    """Spectral norm must not go on between real and fake; ours has none, and batch norm must not change its mode."""
    return nullcontext() if isinstance(judge, MultiscaleDiscriminator) else resting(judge)
