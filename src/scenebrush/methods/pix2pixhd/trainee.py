"""pix2pixHD under the training loop: networks, phases, pictures and losses from a recipe."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from scenebrush.data.pictures import TrainingPictures
from scenebrush.errors import InputError, RecipeError, nearest_name
from scenebrush.layers.discriminators import ConditionalDiscriminator
from scenebrush.layers.layouts import LayoutBatch
from scenebrush.losses.feature_adversary import Seen
from scenebrush.losses.image_pool import ImagePool
from scenebrush.methods.picture_training import (
    PictureBatch,
    PictureStage,
    PictureTrainee,
    picture_losses,
    weighted,
)
from scenebrush.methods.pix2pixhd import schedule
from scenebrush.methods.pix2pixhd.config import Pix2PixHDConfig
from scenebrush.methods.pix2pixhd.folder import save_model
from scenebrush.methods.pix2pixhd.networks import Pix2PixHDNetworks, build_discriminator, build_networks
from scenebrush.methods.pix2pixhd.objective import LossWeights, Objective
from scenebrush.methods.pix2pixhd.schedule import Phase, phases
from scenebrush.methods.pix2pixhd.styles import StyleBook, StyleSamples
from scenebrush.methods.settings import checked_settings
from scenebrush.scene.label_set import LabelSet


class Pix2PixHDTrainee(PictureTrainee):
    """See `PictureTrainee`; generator and feature encoder are trained together, coarse to fine."""

    method = "pix2pixHD"

    def check(self, config: Mapping[str, Any], stages: Sequence[PictureStage]) -> None:
        self.config = pix2pixhd_config(config, self.label_set, size=stages[-1].pictures["size"])
        self.weights = [
            picture_losses(LossWeights, stage.losses, method=self.method, discriminator=self.config.discriminator)
            for stage in stages
        ]
        self.phases = [phase_of(stage.phase, self.config, f"stages.{i}") for i, stage in enumerate(stages)]
        check_sizes(self.config, stages, self.phases)
        self._entered: int | None = None

    def build(self) -> None:
        self.networks: Pix2PixHDNetworks = build_networks(self.config, every_level=self.config.num_enhancers > 0)
        self.generator = self.networks
        self.judge = build_discriminator(self.config) if any(w.adversarial for w in self.weights) else None
        self.discriminator: nn.Module | None = self.judge
        self.pool = ImagePool(self.config.pool_size)
        self.memories = {"pool": self.pool} if self.pool.size else {}

    def generator_step(
        self, batch: PictureBatch, stage: int, ramp: float
    ) -> tuple[Tensor, Mapping[str, Tensor], Tensor | Seen]:
        self._enter(stage)
        weights, level = self.weights[stage], self.phases[stage].level
        semantics = self._semantics(batch)
        if self.config.discriminator == "features" and self.perceptual is not None:
            drawn: Tensor = self.generator(batch.layouts, level)
            fake, real, asked = batch.crops(weights.crop, drawn, batch.layouts.image, semantics)
            parts, seen = self.adversary().generator_parts(fake, real, asked, adversarial=weights.adversarial > 0)
            if weights.reconstruction:
                parts["reconstruction"] = F.l1_loss(drawn.float(), batch.layouts.image)
            return weighted(parts, weights, ramp), parts, seen
        ramped = dataclasses.replace(weights, adversarial=weights.adversarial * ramp)
        return self._objective(stage).generator_step(batch.layouts, semantics, ramped)

    def discriminator_step(
        self, batch: PictureBatch, made: Tensor | Seen, stage: int
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        if isinstance(made, Seen):
            return self.adversary().discriminator_step(made)
        chosen = torch.Generator().manual_seed(batch.seed)
        return self._objective(stage).discriminator_step(
            self._semantics(batch), batch.layouts.image, made, pool=self.pool, generator=chosen
        )

    @property
    def sheet_stream(self) -> TrainingPictures:
        return self.streams[self._entered or 0]

    def draw(self, generator: nn.Module, batch: LayoutBatch) -> Tensor:
        drawn: Tensor = generator(batch, self.phases[self._entered or 0].level)
        return drawn

    def save(self, generator: nn.Module, folder: Path, facts: Mapping[str, Any], card: str) -> None:
        assert isinstance(generator, Pix2PixHDNetworks)
        styles = self.style_book(generator) if self.config.num_features else None
        save_model(folder, generator, self.label_set, facts, card, styles=styles)

    @torch.no_grad()
    def style_book(self, networks: Pix2PixHDNetworks) -> StyleBook:
        """Returns the styles of each class: k-means of the objects of all photos of the last stage's split."""
        parts = []
        for batch in self.whole_photos(next(networks.parameters()).device):
            objects = networks.condition(batch.label_map, batch.instance_map).objects
            parts.append(StyleSamples.of(networks.encode(batch.image, objects)))
        return StyleBook.fit(StyleSamples.join(parts), num_styles=self.config.num_styles)

    def _enter(self, stage: int) -> None:
        """Freezes what the stage's phase does not train; called at every step, for a run may begin in any stage."""
        if stage == self._entered:
            return
        if isinstance(getattr(self.generator, "module", None), DistributedDataParallel) and len(set(self.phases)) > 1:
            raise InputError(
                "coarse to fine in one run is for one device: several would wait for gradients of what is frozen;"
                " give --devices 1"
            )
        schedule.set_phase(self.networks, self.phases[stage])
        self._entered = stage

    def _semantics(self, batch: PictureBatch) -> Tensor:
        return self.networks.condition(batch.layouts.label_map, batch.layouts.instance_map).semantics

    def _objective(self, stage: int) -> Objective:
        judge = self.judge if isinstance(self.judge, ConditionalDiscriminator) else None
        phase = self.phases[stage]
        return Objective(
            self.generator,
            self.discriminator,
            judge=judge,
            perceptual=self.perceptual,
            level=phase.level,
            num_scales=None if judge is None else schedule.num_scales(judge, self.networks, phase),
        )


def pix2pixhd_config(given: Mapping[str, Any], label_set: LabelSet, *, size: tuple[int, int]) -> Pix2PixHDConfig:
    """Returns the configuration of a recipe; classes come from the data, the window from the last stage's pictures."""
    from_data = {"num_classes": len(label_set.classes), "window": tuple(size)}
    return checked_settings(Pix2PixHDConfig, {**from_data, **given}, method="pix2pixHD", place="config", what="setting")


def phase_of(name: str | None, config: Pix2PixHDConfig, place: str) -> Phase:
    """Returns the phase of a name ("global", "enhancer 1", "together 1", ...); None = all, at the finest level."""
    there = {phase.name: phase for phase in phases(config.num_enhancers)}
    if name is None:
        return list(there.values())[-1]
    if name not in there:
        raise RecipeError(
            f"{place}.phase is {name!r}{nearest_name(name, there)}; with {config.num_enhancers} enhancers there are"
            f" {', '.join(there)}"
        )
    return there[name]


def check_sizes(config: Pix2PixHDConfig, stages: Sequence[PictureStage], of: Sequence[Phase]) -> None:
    """Raises `RecipeError` for pictures that a stage's networks cannot halve so often."""
    coarsest = config.divisor // 2**config.num_enhancers
    for index, (stage, phase) in enumerate(zip(stages, of, strict=True)):
        size, divisor = stage.pictures["size"], coarsest * 2**phase.level
        if size[0] % divisor or size[1] % divisor:
            raise RecipeError(
                f"stages.{index}.pictures.size is {size[0]}x{size[1]}; expected sides divisible by {divisor}"
                f" (phase {phase.name!r})"
            )
