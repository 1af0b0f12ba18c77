"""The losses of SemIA: two modes for the generator, one step each for discriminator and auxiliary classifier.

In "sample" mode photo and layout are brought into another layout, and nothing says pixel by pixel what is to come out;
in "reconstruction" mode the target layout is the photo's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.layers.discriminators.base import ConditionalDiscriminator, Judgement
from scenebrush.losses.adversarial import DiscriminatorLoss, least_squares
from scenebrush.losses.feature_matching import feature_matching
from scenebrush.losses.patch_coherence import PatchCoherence
from scenebrush.losses.perceptual import PerceptualLoss
from scenebrush.methods.semia.auxiliary import AuxiliaryClassifier
from scenebrush.methods.semia.generator import Analogy
from scenebrush.methods.semia.translation import Translation

NOISE = 1 / 255  # uniform, either way, on the photo that the generator sees in training


@dataclass(frozen=True)
class LossWeights:
    """What each loss counts; 0 = off. The defaults are the released code's.

    Args:
        adversarial: least squares against the discriminator, both modes.
        feature_matching: L1 on the discriminator's features, against the target photo, both modes.
        patch_coherence: sample mode: `losses.patch_coherence`.
        alignment: sample mode: L1 of the target layout and the one that the auxiliary classifier tells.
        reconstruction: reconstruction mode: L1 against the photo.
        fixed_point: reconstruction mode: equal layouts are to give scales 1 and shifts 0.
        perceptual: both modes: VGG features against the source photo.
    """

    adversarial: float = 1.0
    feature_matching: float = 1.0
    patch_coherence: float = 1.0
    alignment: float = 1.0
    reconstruction: float = 5.0
    fixed_point: float = 1.0
    perceptual: float = 0.0


class Pair(NamedTuple):
    """A photo with its layout, both (1, 3, H, W) in [-1, 1], and what is computed of the photo once for many steps.

    `patches` are its features for the patch loss, None where they are not needed; `labels` class ids (H, W), None where
    matches need not be of one class.
    """

    photo: Tensor
    layout: Tensor
    patches: list[Tensor] | None = None
    labels: Tensor | None = None


class Objective:
    """Losses of generator, discriminator and auxiliary classifier on a source and a target.

    Args:
        generator: photo, its layout, target layout -> `Analogy`.
        discriminator: judges the target photo and the picture made; perhaps of several levels.
        auxiliary: tells a layout.
        patches: the patch loss, or None where its weight is 0.
        weights: what each loss counts.
        perceptual: the perceptual loss, or None where its weight is 0.
        alignment_as_released: compute the alignment without gradient, as the released code does: the generator then
            learns nothing from it.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: ConditionalDiscriminator,
        auxiliary: AuxiliaryClassifier,
        patches: PatchCoherence | None,
        weights: LossWeights | None = None,
        *,
        perceptual: PerceptualLoss | None = None,
        alignment_as_released: bool = False,
    ) -> None:
        self.generator = generator
        self.discriminator = discriminator
        self.auxiliary = auxiliary
        self.patches = patches
        self.weights = weights or LossWeights()
        self.perceptual = perceptual
        self.alignment_as_released = alignment_as_released

    def sample_step(
        self,
        source: Pair,
        target: Pair,
        generator: torch.Generator | None = None,
        *,
        real: Judgement | None = None,
        queries: Sequence[Tensor] | None = None,
    ) -> tuple[Tensor, dict[str, Tensor], Analogy]:
        """Returns the generator's loss in sample mode, its weighted parts by name, and what was made.

        Args:
            source, target: what is brought, and into whose layout; `source.patches` are needed for the patch loss.
            generator: draws noise, queries and dropout; None: no noise, and torch's own for the others.
            real: what the discriminator says of the target photo, where that was computed before.
            queries: see `PatchCoherence.__call__`.
        """
        made: Analogy = self.generator(noisy(source.photo, generator), source.layout, target.layout)
        parts = self._adversarial(source, target, made.picture, real)
        if self.weights.patch_coherence and self.patches is not None:
            assert source.patches is not None, "give source.patches"
            parts["patch_coherence"] = self.weights.patch_coherence * self.patches(
                self.patches.features(made.picture),
                source.patches,
                generator,
                picture_labels=target.labels,
                photo_labels=source.labels,
                queries=queries,
            )
        if self.weights.alignment:
            parts["alignment"] = self.weights.alignment * self._alignment(made.picture, target.layout, generator)
        return _sum(parts), parts, made

    def reconstruction_step(
        self, pair: Pair, generator: torch.Generator | None = None, *, real: Judgement | None = None
    ) -> tuple[Tensor, dict[str, Tensor], Analogy]:
        """Returns the generator's loss where source and target are one `pair`, its weighted parts, what was made."""
        made: Analogy = self.generator(noisy(pair.photo, generator), pair.layout, pair.layout)
        parts = self._adversarial(pair, pair, made.picture, real)
        if self.weights.reconstruction:
            parts["reconstruction"] = self.weights.reconstruction * F.l1_loss(made.picture.float(), pair.photo)
        if self.weights.fixed_point:
            scales, shifts = fixed_point(made.translation)
            parts["fixed_scales"] = self.weights.fixed_point * scales
            parts["fixed_shifts"] = self.weights.fixed_point * shifts
        return _sum(parts), parts, made

    def discriminator_step(self, target: Pair, picture: Tensor) -> tuple[Tensor, DiscriminatorLoss]:
        """Returns the discriminator's loss on the target photo against a `picture` (detached here), and its terms."""
        real, fake = self.discriminator(target.layout, [target.photo, picture.detach()])
        levels = len(real.logits)
        loss = DiscriminatorLoss(least_squares(fake.logits, 0.0) / levels, least_squares(real.logits, 1.0) / levels)
        return loss.total, loss

    def auxiliary_step(self, pair: Pair, generator: torch.Generator | None = None) -> Tensor:
        """Returns the auxiliary classifier's loss: L1 of the layout that it tells of a real photo."""
        return F.l1_loss(self.auxiliary(pair.photo, generator).float(), pair.layout)

    def judge(self, target: Pair) -> Judgement:
        """Returns what the discriminator says of the target photo, for `real`, without gradient."""
        with torch.no_grad():
            judged: list[Judgement] = self.discriminator(target.layout, [target.photo])
        return judged[0]

    def _adversarial(self, source: Pair, target: Pair, picture: Tensor, real: Judgement | None) -> dict[str, Tensor]:
        images = [picture] if real is not None else [target.photo, picture]
        *judged, fake = self.discriminator(target.layout, images)
        real = judged[0] if real is None else real
        parts: dict[str, Tensor] = {}
        if self.weights.adversarial:
            parts["adversarial"] = self.weights.adversarial * least_squares(fake.logits, 1.0) / len(fake.logits)
        if self.weights.feature_matching:
            matching = feature_matching(fake.features, real.features)
            parts["feature_matching"] = self.weights.feature_matching * matching
        if self.weights.perceptual and self.perceptual is not None:
            parts["perceptual"] = self.weights.perceptual * self.perceptual(picture, source.photo)
        return parts

    def _alignment(self, picture: Tensor, layout: Tensor, generator: torch.Generator | None) -> Tensor:
        """Returns L1(P_t, S(I_t)), with gradient into the picture unless it is to be as released."""
        with torch.set_grad_enabled(not self.alignment_as_released and torch.is_grad_enabled()):
            return F.l1_loss(self.auxiliary(picture, generator).float(), layout)


def fixed_point(translation: Translation) -> tuple[Tensor, Tensor]:
    """Returns how far scales are from 1 and shifts from 0: L1 means, each summed over the levels."""
    scales = torch.stack([(scale.float() - 1).abs().mean() for scale in translation.scales]).sum()
    shifts = torch.stack([shift.float().abs().mean() for shift in translation.shifts]).sum()
    return scales, shifts


def noisy(photo: Tensor, generator: torch.Generator | None) -> Tensor:
    """Returns the photo with uniform noise of one grey level either way; as it is without a `generator`."""
    if generator is None:
        return photo
    return photo + (torch.rand(photo.shape, generator=generator, device=photo.device) - 0.5) * 2 * NOISE


def _sum(parts: dict[str, Tensor]) -> Tensor:
    return torch.stack(list(parts.values())).sum()
