"""The training step with a discriminator on the perceptual network's features (`FeatureDiscriminator`)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from scenebrush.layers.discriminators.feature_heads import LEVEL_SHARES, FeatureDiscriminator, touched_places
from scenebrush.losses.adversarial import generator_weights, hinge_discriminator, hinge_generator
from scenebrush.losses.perceptual import PerceptualLoss
from scenebrush.losses.style import StyleLoss
from scenebrush.methods.sesame.inputs import EditBatch
from scenebrush.methods.sesame.objective import LossWeights, Objective, crop_around_holes, hole_l1, resting
from scenebrush.methods.sesame.preprocess import paste


class Seen(NamedTuple):
    """What the generator's step leaves for the discriminator's: features of both pictures, semantics and hole."""

    fake: list[Tensor]
    real: list[Tensor]
    semantics: Tensor
    hole: Tensor


class FeatureObjective(Objective):
    """As `Objective`; the features of fake and photo are computed once and serve both losses.

    There is no feature matching: the discriminator's image features are the perceptual network's, whose distance
    is the perceptual loss already (`trainee.loss_weights` refuses a recipe that asks for it).
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        judge: FeatureDiscriminator,
        num_classes: int,
        semantics_everywhere: bool,
        perceptual: PerceptualLoss,
        style: StyleLoss | None = None,
    ) -> None:
        super().__init__(
            generator,
            discriminator,
            judge=None,
            num_classes=num_classes,
            semantics_everywhere=semantics_everywhere,
            perceptual=perceptual,
            style=style,
        )
        self.features = perceptual
        self.feature_judge = judge

    def generator_step(  # type: ignore[override]
        self, batch: EditBatch, weights: LossWeights
    ) -> tuple[Tensor, dict[str, Tensor], Seen]:
        """Returns the generator's loss, its unweighted parts by name, and what `discriminator_step` needs."""
        drawing = self.generator(batch)
        fake = paste(batch.image, drawing.image, batch.hole)
        side = weights.crop or fake.shape[-1]
        fake_seen, real_seen, semantics, hole = crop_around_holes(
            side, batch.hole, fake, batch.image, self.semantics(batch), batch.hole
        )
        seen = Seen(
            self.features.vgg(fake_seen, self.features.layers), self.features.real_features(real_seen), semantics, hole
        )
        parts = {"reconstruction": hole_l1(fake, batch), "drawn": hole_l1(drawing.drawn, batch)}
        parts["perceptual"] = self.features.distance(seen.fake, seen.real)
        if weights.style and self.style is not None:
            parts["style"] = self.style(fake_seen, real_seen)
        if weights.adversarial:
            with resting(self.feature_judge):
                logits = self.feature_judge(seen.fake, semantics)
            touched = touched_places(hole, logits)
            counted = generator_weights(touched, weights.untouched_patches)
            levels = [
                share * hinge_generator([level], None if counted is None else [counted[i]])
                for i, (share, level) in enumerate(zip(LEVEL_SHARES, logits, strict=True))
            ]
            parts["adversarial"] = torch.stack(levels).sum()
        loss = torch.stack([getattr(weights, name) * value for name, value in parts.items()]).sum()
        return loss, parts, seen._replace(fake=[f.detach() for f in seen.fake])

    def discriminator_step(  # type: ignore[override]
        self, batch: EditBatch, made: Seen, weights: LossWeights
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the discriminator's loss on what the generator's step saw, and its parts."""
        assert self.discriminator is not None
        fake, real = self.discriminator(made.fake, made.semantics), self.discriminator(made.real, made.semantics)
        loss = hinge_discriminator(
            real, fake, touched=touched_places(made.hole, fake), untouched_patches=weights.untouched_patches
        )
        return loss.total, {"d_fake": loss.fake, "d_real": loss.real}
