"""pix2pix under the training loop: networks, pictures and losses from a recipe."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from scenebrush.errors import RecipeError
from scenebrush.layers.layouts import LayoutBatch
from scenebrush.methods.picture_training import PictureBatch, PictureStage, PictureTrainee
from scenebrush.methods.pix2pix.config import Pix2PixConfig
from scenebrush.methods.pix2pix.folder import save_model
from scenebrush.methods.pix2pix.networks import Pix2PixNetwork, build_discriminator, build_network
from scenebrush.methods.pix2pix.objective import LossWeights, Objective
from scenebrush.methods.settings import checked_losses, checked_settings


class Pix2PixTrainee(PictureTrainee):
    """See `PictureTrainee`."""

    method = "pix2pix"

    def check(self, config: Mapping[str, Any], stages: Sequence[PictureStage]) -> None:
        given = {"num_classes": len(self.label_set.classes), **config}
        self.config = checked_settings(Pix2PixConfig, given, method="pix2pix", place="config", what="setting")
        self.weights = [checked_losses(LossWeights, stage.losses, method="pix2pix") for stage in stages]
        for index, stage in enumerate(stages):
            size, divisor = stage.pictures["size"], 2**self.config.depth
            if size[0] % divisor or size[1] % divisor:
                raise RecipeError(
                    f"stages.{index}.pictures.size is {size[0]}x{size[1]}; expected sides divisible by {divisor}"
                    f" (config.depth {self.config.depth})"
                )

    def needs_perceptual(self) -> bool:
        return False

    def build(self) -> None:
        self.network: Pix2PixNetwork = build_network(self.config)
        self.generator = self.network
        self.patch_judge = build_discriminator(self.config) if any(w.adversarial for w in self.weights) else None
        self.discriminator = self.judge = self.patch_judge

    def generator_step(
        self, batch: PictureBatch, stage: int, ramp: float
    ) -> tuple[Tensor, Mapping[str, Tensor], Tensor]:
        weights = self.weights[stage]
        ramped = dataclasses.replace(weights, adversarial=weights.adversarial * ramp)
        semantics = self.network.semantics(batch.layouts.label_map)
        return self._objective().generator_step(batch.layouts, semantics, ramped, batch.noise())

    def discriminator_step(self, batch: PictureBatch, made: Tensor, stage: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        semantics = self.network.semantics(batch.layouts.label_map)
        return self._objective().discriminator_step(semantics, batch.layouts.image, made)

    def draw(self, generator: nn.Module, batch: LayoutBatch) -> Tensor:
        drawn: Tensor = generator(batch, torch.Generator(batch.image.device).manual_seed(0))
        return drawn

    def save(self, generator: nn.Module, folder: Path, facts: Mapping[str, Any], card: str) -> None:
        assert isinstance(generator, Pix2PixNetwork)
        save_model(folder, generator, self.label_set, facts, card)

    def _objective(self) -> Objective:
        return Objective(self.generator, self.discriminator, judge=self.patch_judge)
