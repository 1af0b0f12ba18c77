"""SPADE under the training loop: networks, pictures and losses from a recipe."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.errors import RecipeError
from scenebrush.layers.discriminators import ConditionalDiscriminator
from scenebrush.layers.layouts import LayoutBatch
from scenebrush.losses.divergence import kl_to_standard_normal
from scenebrush.losses.feature_adversary import Seen
from scenebrush.methods.picture_training import (
    PictureBatch,
    PictureStage,
    PictureTrainee,
    picture_losses,
    weighted,
)
from scenebrush.methods.settings import checked_settings
from scenebrush.methods.spade.config import SpadeConfig
from scenebrush.methods.spade.folder import save_model
from scenebrush.methods.spade.networks import Drawing, SpadeNetworks, build_discriminator, build_networks
from scenebrush.methods.spade.objective import LossWeights, Objective
from scenebrush.methods.spade.styles import standardise_styles
from scenebrush.scene.label_set import LabelSet


class SpadeTrainee(PictureTrainee):
    """See `PictureTrainee`; generator and style encoder are trained together."""

    method = "SPADE"

    def check(self, config: Mapping[str, Any], stages: Sequence[PictureStage]) -> None:
        self.config = spade_config(config, self.label_set, size=stages[-1].pictures["size"])
        self.weights = [
            picture_losses(LossWeights, stage.losses, method=self.method, discriminator=self.config.discriminator)
            for stage in stages
        ]
        check_sizes(self.config, [stage.pictures["size"] for stage in stages])

    def build(self) -> None:
        self.networks: SpadeNetworks = build_networks(self.config)
        self.generator = self.networks
        self.judge = build_discriminator(self.config) if any(w.adversarial for w in self.weights) else None
        self.discriminator: nn.Module | None = self.judge

    def generator_step(
        self, batch: PictureBatch, stage: int, ramp: float
    ) -> tuple[Tensor, Mapping[str, Tensor], Tensor | Seen]:
        weights = self.weights[stage]
        semantics = self.networks.semantics(batch.layouts.label_map, batch.layouts.instance_map)
        if self.config.discriminator == "features" and self.perceptual is not None:
            drawing: Drawing = self.generator(batch.layouts, batch.noise())
            fake, real, asked = batch.crops(weights.crop, drawing.image, batch.layouts.image, semantics)
            parts, seen = self.adversary().generator_parts(fake, real, asked, adversarial=weights.adversarial > 0)
            if weights.reconstruction:
                parts["reconstruction"] = F.l1_loss(drawing.image.float(), batch.layouts.image)
            if weights.divergence and drawing.style is not None:
                parts["divergence"] = kl_to_standard_normal(*drawing.style)
            return weighted(parts, weights, ramp), parts, seen
        ramped = dataclasses.replace(weights, adversarial=weights.adversarial * ramp)
        return self._objective().generator_step(batch.layouts, semantics, ramped, batch.noise())

    def discriminator_step(
        self, batch: PictureBatch, made: Tensor | Seen, stage: int
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        if isinstance(made, Seen):
            return self.adversary().discriminator_step(made)
        semantics = self.networks.semantics(batch.layouts.label_map, batch.layouts.instance_map)
        return self._objective().discriminator_step(semantics, batch.layouts.image, made)

    def draw(self, generator: nn.Module, batch: LayoutBatch) -> Tensor:
        noise = torch.Generator(batch.image.device).manual_seed(0)
        drawing: Drawing = generator(batch, noise)
        return drawing.image

    def save(self, generator: nn.Module, folder: Path, facts: Mapping[str, Any], card: str) -> None:
        assert isinstance(generator, SpadeNetworks)
        if self.config.style:
            generator = copy.deepcopy(generator)  # the run may go on
            photos = self.whole_photos(next(generator.parameters()).device)
            standardise_styles(generator, (batch.image for batch in photos))
        save_model(folder, generator, self.label_set, facts, card)

    def _objective(self) -> Objective:
        judge = self.judge if isinstance(self.judge, ConditionalDiscriminator) else None
        return Objective(self.generator, self.discriminator, judge=judge, perceptual=self.perceptual)


def spade_config(given: Mapping[str, Any], label_set: LabelSet, *, size: tuple[int, int]) -> SpadeConfig:
    """Returns the configuration of a recipe; classes come from the data, the crop from the last stage's pictures."""
    from_data = {"num_classes": len(label_set.classes), "crop_size": size[0], "aspect_ratio": size[0] / size[1]}
    return checked_settings(SpadeConfig, {**from_data, **given}, method="SPADE", place="config", what="setting")


def check_sizes(config: SpadeConfig, sizes: Sequence[tuple[int, int]]) -> None:
    """Raises `RecipeError` for pictures that the generator cannot halve so often."""
    divisor = config.divisor
    for index, size in enumerate(sizes):
        if size[0] % divisor or size[1] % divisor:
            raise RecipeError(
                f"stages.{index}.pictures.size is {size[0]}x{size[1]}; expected sides divisible by {divisor}"
                f" ({config.upsampling!r} upsampling)"
            )
