"""SEIGAN under the training loop: crops with boxes, two phases, sheets.

Phases (a stage's `phase`):

* "shapes": the inpainter learns to fill made-up shapes on empty backgrounds, D_bg to tell what is filled, and D_obj to
  tell pastes of made-up shapes; segmentation and enhancement rest. So the first masks are judged by discriminators that
  know something, and filled by an inpainter that does more than paint grey: otherwise D_bg finds the inpainter's work
  whatever the mask, and the easiest way out is no mask at all.
* "together" (also where none is named): everything, as in the paper.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from scenebrush.data.box_crops import BoxCrops, BoxPair, boxed_photos, class_ids
from scenebrush.errors import InputError, RecipeError, nearest_name
from scenebrush.layers.layouts import LayoutBatch
from scenebrush.losses.image_pool import ImagePool
from scenebrush.methods.picture_training import PictureStage, PictureTrainee, tall
from scenebrush.methods.seigan.config import SeiganConfig
from scenebrush.methods.seigan.discriminator import Discriminators
from scenebrush.methods.seigan.folder import save_model
from scenebrush.methods.seigan.networks import PARTS, Cycle, PairBatch, SeiganNetworks, build_networks
from scenebrush.methods.seigan.objective import Judged, LossWeights, Objective
from scenebrush.methods.settings import checked_losses, checked_settings

PHASES = ("shapes", "together")
_SHEET_ROWS = 8
_ANY_SCALES = (1000.0, 1000.0)  # what a recipe says that says nothing (`training.recipe.PicturesSpec`)


class Made(NamedTuple):
    """What the generators' step leaves for the discriminators', and the seed of what they draw."""

    judged: Judged
    seed: int


class SeiganTrainee(PictureTrainee):
    """See `PictureTrainee`. Of the label and instance maps it sees the boxes of `config.classes` alone."""

    method = "SEIGAN"

    def __init__(
        self,
        config: Mapping[str, Any],
        stages: Sequence[PictureStage],
        folder: Path,
        *,
        seed: int = 0,
        half: bool = False,
    ) -> None:
        super().__init__(config, stages, folder, seed=seed, half=half)
        boxed = {id(s.photos): boxed_photos(s.photos, self.config.classes) for s in self.streams}
        self.crops = [
            BoxCrops(
                boxed[id(stream.photos)],
                size=stream.size[0],
                context=self.config.context,
                least_side=self.config.least_side,
                flip=stream.flip,
                color_jitter=stream.color_jitter,
                seed=seed,
            )
            for stream in self.streams
        ]

    def check(self, config: Mapping[str, Any], stages: Sequence[PictureStage]) -> None:
        given = {**config, "size": stages[-1].pictures["size"][0]}
        self.config = checked_settings(SeiganConfig, given, method="SEIGAN", place="config", what="setting")
        self.weights = [checked_losses(LossWeights, stage.losses, method="SEIGAN") for stage in stages]
        class_ids(self.label_set, self.config.classes)  # a misspelt class is told before the photos are read
        self.phases = [_phase(stage, f"stages.{index}") for index, stage in enumerate(stages)]
        for weights, phase in zip(self.weights, self.phases, strict=True):
            if phase == "shapes" and not weights.filling:
                raise RecipeError('losses.filling is 0, but it is what phase "shapes" learns; give it a weight')
        self._entered: int | None = None

    def needs_perceptual(self) -> bool:
        compact = self.config.kind == "compact"
        return any(w.texture or w.filling or (compact and w.adversarial) for w in self.weights)

    def build(self) -> None:
        self.networks: SeiganNetworks = build_networks(self.config)
        self.generator = self.networks
        self.judges = Discriminators(self.config) if any(w.adversarial for w in self.weights) else None
        self.discriminator: nn.Module | None = self.judges
        self.judge = self.judges
        self.pools = {name: ImagePool(self.config.pool_size) for name in ("background", "object")}
        self.memories = {f"pool-{name}": pool for name, pool in self.pools.items()}

    def adversarial(self, stage: int) -> bool:
        return bool(self.weights[stage].adversarial)

    def batch(self, stage: int, indices: list[int], rng: torch.Generator) -> PairBatch:  # type: ignore[override]
        seed = int(torch.randint(2**62, (), generator=rng))
        return collate_pairs([self.crops[stage][index] for index in indices], seed)

    def generator_step(  # type: ignore[override]
        self, batch: PairBatch, stage: int, ramp: float
    ) -> tuple[Tensor, Mapping[str, Tensor], Made]:
        self._enter(stage)
        weights = self.weights[stage].ramped(ramp)
        if self.phases[stage] == "shapes":
            loss, parts, judged = self._objective().shapes_step(batch, weights)
        else:
            loss, parts, (_, judged) = self._objective().generator_step(batch, weights)
        return loss, parts, Made(judged, batch.seed)

    def discriminator_step(  # type: ignore[override]
        self, batch: PairBatch, made: Made, stage: int
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        return self._objective().discriminator_step(made.judged, self.weights[stage].adversary, made.seed)

    def sample(self, generator: nn.Module) -> np.ndarray:
        """Returns a sheet, one pair a row: x, box, mask, x^, y, z, y^, x^^, y^^."""
        pairs = [self.crops[-1][index] for index in range(_SHEET_ROWS)]
        batch = collate_pairs(pairs, 0).to(next(generator.parameters()).device)
        with torch.no_grad():
            return sheet(batch, generator(batch))

    def draw(self, generator: nn.Module, batch: LayoutBatch) -> Tensor:
        raise NotImplementedError("SEIGAN draws from pairs; see `sample`")

    def save(self, generator: nn.Module, folder: Path, facts: Mapping[str, Any], card: str) -> None:
        assert isinstance(generator, SeiganNetworks)
        more = {"objects": [len(crops) for crops in self.crops]}
        save_model(folder, generator, self.label_set, {**facts, **more}, card)

    def _enter(self, stage: int) -> None:
        """Freezes what the stage does not train; called at every step, for a run may begin anywhere."""
        if stage == self._entered:
            return
        shapes = self.phases[stage] == "shapes"
        if shapes and isinstance(getattr(self.generator, "module", None), DistributedDataParallel):
            raise InputError(
                'phase "shapes" trains the inpainter alone, for which several devices would wait in vain;'
                " give --devices 1"
            )
        for name in PARTS:
            getattr(self.networks, name).requires_grad_(not shapes or name == "inpainter")
        self._entered = stage

    def _objective(self) -> Objective:
        vgg = None if self.perceptual is None else self.perceptual.vgg
        return Objective(
            self.generator, self.discriminator, judge=self.judges, vgg=vgg, inner=self.networks, pools=self.pools
        )


def collate_pairs(pairs: Sequence[BoxPair], seed: int) -> PairBatch:
    """Returns the batch of pairs of one size."""
    return PairBatch(
        photos_tensor([pair.object.photo for pair in pairs]),
        photos_tensor([pair.background for pair in pairs]),
        planes_tensor([pair.object.box for pair in pairs]),
        planes_tensor([pair.shape for pair in pairs]),
        seed,
    )


def photos_tensor(photos: Sequence[np.ndarray]) -> Tensor:
    """Returns photos uint8 (H, W, 3) of one size as (B, 3, H, W) in [-1, 1]."""
    stacked = torch.from_numpy(np.stack(photos)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return stacked.contiguous(memory_format=torch.channels_last)


def planes_tensor(planes: Sequence[np.ndarray]) -> Tensor:
    """Returns planes bool (H, W) of one size as float32 (B, 1, H, W)."""
    return torch.from_numpy(np.stack(planes)[:, None]).float()


def sheet(batch: PairBatch, cycle: Cycle) -> np.ndarray:
    """Returns uint8 (B * H, 9 * W, 3), one pair a row: x, box, mask, x^, y, z, y^, x^^, y^^."""

    def gray(plane: Tensor) -> Tensor:
        return (plane * 2 - 1).expand(-1, 3, -1, -1)

    columns = [
        batch.x,
        gray(batch.box),
        gray(cycle.mask),
        cycle.x1,
        batch.y,
        cycle.pasted,
        cycle.y1,
        cycle.x2,
        cycle.y2,
    ]
    return np.concatenate([tall(column) for column in columns], axis=1)


def _phase(stage: PictureStage, place: str) -> str:
    width, height = stage.pictures["size"]
    if width != height or width % 16:
        raise RecipeError(
            f"{place}.pictures.size is {width}x{height}; SEIGAN's crops are square, sides divisible by 16"
        )
    if tuple(stage.pictures["scales"]) != tuple(_ANY_SCALES):
        raise RecipeError(f"{place}.pictures.scales: SEIGAN's crops are as large as config.context says; leave it out")
    if stage.phase is None:
        return "together"
    if stage.phase not in PHASES:
        hint = nearest_name(stage.phase, PHASES)
        raise RecipeError(f"{place}.phase is {stage.phase!r}{hint}; SEIGAN trains {', '.join(PHASES)}")
    return stage.phase
