"""The losses of one training step: generator and discriminator (paper section 3.3, Eq. 4-6)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.losses.adversarial import UntouchedPatches, generator_weights, hinge_discriminator, hinge_generator
from scenebrush.losses.feature_matching import feature_matching
from scenebrush.losses.perceptual import PerceptualLoss
from scenebrush.losses.style import StyleLoss
from scenebrush.methods.sesame.discriminator import SesameDiscriminator
from scenebrush.methods.sesame.inputs import EditBatch
from scenebrush.methods.sesame.preprocess import paste, prepare


@dataclass(frozen=True)
class LossWeights:
    """What each loss counts; 0 = off. The defaults are the paper's (facts 1.5).

    Args:
        adversarial: hinge loss against the two-stream discriminator.
        feature_matching: L1 of the discriminator's image-stream features; off where `adversarial` is.
        perceptual: L1 of VGG features.
        style: L1 of VGG Gram matrices (off in the paper: no gain).
        reconstruction: L1 inside the hole, mean over its pixels (ours).
        drawn: the same on what the network draws before the gate, so that it learns to draw where the
            gate keeps the guide (ours).
        crop: the perceptual and style losses look at a square of this side around the hole; 0 = at the whole
            window as in the paper. The pixels far from the hole are equal anyway.
        untouched_patches: what a fake's patches without any edited pixel count as for the discriminator:
            "fake" (the papers), "real" or "ignore".
    """

    adversarial: float = 1.0
    feature_matching: float = 10.0
    perceptual: float = 10.0
    style: float = 0.0
    reconstruction: float = 0.0
    drawn: float = 0.0
    crop: int = 0
    untouched_patches: UntouchedPatches = "fake"

    @property
    def any(self) -> bool:
        """Whether there is anything that the generator is asked for."""
        return max(self.adversarial, self.perceptual, self.style, self.reconstruction, self.drawn) > 0


class Objective:
    """Losses of generator and discriminator on a batch of windows whose truth is known.

    Args:
        generator: batch -> `Drawing` (`networks.WindowGenerator`), perhaps wrapped for several devices.
        discriminator: SESAME's two-stream discriminator, perhaps wrapped, or None for training without an adversary.
        judge: the same, not wrapped, for the generator's step, which gives it no gradients; None likewise.
        num_classes: channels of the one-hot semantics.
        semantics_everywhere: labels outside the hole are given too.
        perceptual, style: frozen networks, or None where their weight is 0.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module | None,
        *,
        judge: SesameDiscriminator | None,
        num_classes: int,
        semantics_everywhere: bool = False,
        perceptual: PerceptualLoss | None = None,
        style: StyleLoss | None = None,
    ) -> None:
        self.generator = generator
        self.discriminator = discriminator
        self.judge = judge
        self.num_classes = num_classes
        self.semantics_everywhere = semantics_everywhere
        self.perceptual = perceptual
        self.style = style

    def generator_step(self, batch: EditBatch, weights: LossWeights) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Returns the generator's loss, its unweighted parts by name, and the pasted pictures (B, 3, H, W).

        At least one loss with a weight must have its network (`LossWeights.any`).
        """
        drawing = self.generator(batch)
        fake = paste(batch.image, drawing.image, batch.hole)
        parts: dict[str, Tensor] = {}
        if weights.reconstruction:
            parts["reconstruction"] = hole_l1(fake, batch)
        if weights.drawn:
            parts["drawn"] = hole_l1(drawing.drawn, batch)
        seen = crop_around_holes(weights.crop, batch.hole, fake, batch.image) if weights.crop else (fake, batch.image)
        if weights.perceptual and self.perceptual is not None:
            parts["perceptual"] = self.perceptual(*seen)
        if weights.style and self.style is not None:
            parts["style"] = self.style(*seen)
        if weights.adversarial and self.judge is not None:
            parts |= self._adversarial(batch, fake, weights)
        loss = torch.stack([getattr(weights, name) * value for name, value in parts.items()]).sum()
        return loss, parts, fake

    def _adversarial(self, batch: EditBatch, fake: Tensor, weights: LossWeights) -> dict[str, Tensor]:
        assert self.judge is not None
        touched = self._touched(batch, weights)
        with torch.no_grad():  # nothing but the fake's path needs a gradient here
            gates = self.judge.semantic_gates(self.semantics(batch))
            judged_real = self.judge.judge(gates, [batch.image])[0]
        with resting(self.judge):
            judged_fake = self.judge.judge(gates, [fake])[0]
        parts = {
            "adversarial": hinge_generator(judged_fake.logits, generator_weights(touched, weights.untouched_patches))
        }
        if weights.feature_matching:
            parts["feature_matching"] = feature_matching(judged_fake.features, judged_real.features)
        return parts

    def discriminator_step(
        self, batch: EditBatch, fake: Tensor, weights: LossWeights
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the discriminator's loss on real photos against `fake` (detached here), and its parts."""
        assert self.discriminator is not None
        judged_fake, judged_real = self.discriminator(self.semantics(batch), [fake.detach(), batch.image])
        loss = hinge_discriminator(
            judged_real.logits,
            judged_fake.logits,
            touched=self._touched(batch, weights),
            untouched_patches=weights.untouched_patches,
        )
        return loss.total, {"d_fake": loss.fake, "d_real": loss.real}

    def semantics(self, batch: EditBatch) -> Tensor:
        """Returns what the discriminator's semantics stream sees: (B, classes + 1, H, W), the hole last."""
        return prepare(
            batch.image,
            batch.label_map,
            batch.hole,
            num_classes=self.num_classes,
            semantics_everywhere=self.semantics_everywhere,
        ).condition

    def _touched(self, batch: EditBatch, weights: LossWeights) -> list[Tensor] | None:
        if weights.untouched_patches == "fake" or self.judge is None:
            return None
        return self.judge.touched_patches(batch.hole)


@contextmanager
def resting(network: nn.Module) -> Iterator[None]:
    """Keeps spectral norm from going on: fake and real features are to be compared under the same weights."""
    training = network.training
    network.eval()
    yield
    network.train(training)


def crop_around_holes(side: int, hole: Tensor, *images: Tensor) -> tuple[Tensor, ...]:
    """Returns, of images (B, C, H, W), the squares (B, C, side, side) nearest to the middles of the holes.

    The middle is that of the hole's box; no hole: the upper left corner. Smaller images give what they have.
    """
    squares = [(_stretch(mask.any(1), side), _stretch(mask.any(0), side)) for mask in hole[:, 0] > 0]
    return tuple(torch.stack([image[i, :, y, x] for i, (y, x) in enumerate(squares)]) for image in images)


def _stretch(line: Tensor, side: int) -> slice:
    """Returns the stretch of at most `side` places nearest to the middle of a line's true ones, bool (N,)."""
    places, side = line.nonzero(), min(side, len(line))
    begin = (int(places[0]) + int(places[-1]) + 1 - side) // 2 if len(places) else 0
    begin = min(max(begin, 0), len(line) - side)
    return slice(begin, begin + side)


def hole_l1(image: Tensor, batch: EditBatch) -> Tensor:
    """Returns the mean over windows of the mean absolute difference inside the hole, the same for small and large."""
    difference = F.l1_loss(image, batch.image, reduction="none").mean(1, keepdim=True) * batch.hole
    per_window = difference.sum((1, 2, 3)) / batch.hole.sum((1, 2, 3)).clamp(min=1)
    return per_window.mean()
