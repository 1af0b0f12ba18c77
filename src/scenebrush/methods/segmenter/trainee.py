"""The segmenter under the training loop: network, pictures and losses from a recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from scenebrush.layers.layouts import LayoutBatch
from scenebrush.methods.layout_arrays import class_indices
from scenebrush.methods.picture_training import (
    SAMPLES,
    PictureBatch,
    PictureStage,
    PictureTrainee,
    collate,
    colored,
    tall,
)
from scenebrush.methods.segmenter.classes import IGNORED, known_ids, outputs_of_indices
from scenebrush.methods.segmenter.config import SegmenterConfig
from scenebrush.methods.segmenter.folder import save_model
from scenebrush.methods.segmenter.network import SegmentationNetwork, build_network
from scenebrush.methods.segmenter.objective import LossWeights, Objective, class_weights
from scenebrush.methods.settings import checked_losses, checked_settings


class SegmenterTrainee(PictureTrainee):
    """See `PictureTrainee`. Here photos come in and labels come out; there is no discriminator."""

    method = "segmenter"

    def check(self, config: Mapping[str, Any], stages: Sequence[PictureStage]) -> None:
        given = {"num_outputs": len(known_ids(self.label_set)), **config}
        self.config = checked_settings(SegmenterConfig, given, method="segmenter", place="config", what="setting")
        self.weights = [checked_losses(LossWeights, stage.losses, method="segmenter") for stage in stages]

    def needs_perceptual(self) -> bool:
        return False

    def build(self) -> None:
        self.generator = build_network(self.config)
        self.discriminator = None
        self.outputs = torch.from_numpy(outputs_of_indices(self.label_set))
        self.objectives = [Objective(class_weights(self.counted(stage))) for stage in range(len(self.streams))]

    def counted(self, stage: int) -> np.ndarray:
        """Returns how many pixels of a stage's split show each output, int64 (K,)."""
        counts = np.zeros(IGNORED + 1, np.int64)
        for photo in self.streams[stage].photos.photos:
            counts += np.bincount(class_indices(photo.label_map, self.label_set).ravel(), minlength=IGNORED + 1)
        sums = np.bincount(self.outputs.numpy(), counts, minlength=IGNORED + 1).astype(np.int64)
        return sums[: self.config.num_outputs]

    def adversarial(self, stage: int) -> bool:
        return False

    def generator_step(self, batch: PictureBatch, stage: int, ramp: float) -> tuple[Tensor, Mapping[str, Tensor], None]:
        scores = self.generator(batch.layouts.image)
        target = self.outputs.to(scores.device)[batch.layouts.label_map]
        return *self.objectives[stage].step(scores, target, self.weights[stage]), None

    def discriminator_step(self, batch: PictureBatch, made: None, stage: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        raise NotImplementedError("a segmenter has no discriminator")

    def draw(self, generator: nn.Module, batch: LayoutBatch) -> Tensor:
        ids = torch.tensor(known_ids(self.label_set))
        found = ids[generator(batch.image).argmax(1).cpu()]  # (B, H, W)
        pictures = np.stack([colored(label_map, self.label_set) for label_map in found.numpy()])
        return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1

    def sample(self, generator: nn.Module) -> np.ndarray:
        """Returns the sheet: photo, prediction, truth."""
        pictures = [self.sheet_stream.whole(i) for i in range(min(SAMPLES, len(self.sheet_stream.photos)))]
        batch = collate(pictures, self.label_set).to(next(generator.parameters()).device)
        with torch.no_grad():
            found = self.draw(generator, batch)
        truth = np.concatenate([colored(p.label_map, self.label_set) for p in pictures])
        return np.concatenate([tall(batch.image), tall(found), truth], axis=1)

    def save(self, generator: nn.Module, folder: Path, facts: Mapping[str, Any], card: str) -> None:
        assert isinstance(generator, SegmentationNetwork)
        save_model(folder, generator, self.config, self.label_set, facts, card)
