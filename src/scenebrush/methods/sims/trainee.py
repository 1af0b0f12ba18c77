"""SIMS under the training loop: three networks, one after another or at once, from the photos of a scene folder.

No memory bank is needed: donors are drawn from the photos in memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from scenebrush.data.pictures import Picture
from scenebrush.data.split_in_memory import LabelledPhoto
from scenebrush.errors import InputError, RecipeError, nearest_name
from scenebrush.layers.layouts import LayoutBatch
from scenebrush.layers.semantics import one_hot_semantics
from scenebrush.losses.feature_adversary import Seen, same_crop
from scenebrush.methods.picture_training import PictureStage, PictureTrainee, collate, colored, tall, weighted
from scenebrush.methods.settings import checked_losses, checked_settings
from scenebrush.methods.sims.alignment import AlignmentBatch, alignment_batch
from scenebrush.methods.sims.config import SimsConfig
from scenebrush.methods.sims.depth import DepthFolder
from scenebrush.methods.sims.folder import save_model
from scenebrush.methods.sims.networks import (
    PARTS,
    TOGETHER,
    CanvasBatch,
    PartLoss,
    SimsNetworks,
    Together,
    build_discriminator,
    build_networks,
    set_part,
)
from scenebrush.methods.sims.objective import LossWeights, paper_perceptual, plain_losses
from scenebrush.methods.sims.order_pairs import OrderPair, order_pairs
from scenebrush.methods.sims.ordering import OrderingBatch, ordering_batch
from scenebrush.methods.sims.soft_canvas import TogetherBatch
from scenebrush.methods.sims.synthesis import Finished
from scenebrush.methods.sims.together import TogetherWeights, together_batch
from scenebrush.methods.sims.training_canvas import DonorShapes, Spoilt, classes_with_unknown, shown, spoil
from scenebrush.scene.layout import Layout

_TRIES = 20
_PAINTING = ("synthesis", TOGETHER)  # phases that end in a picture


class SimsBatch(NamedTuple):
    """A batch of one of the networks or of all, and the seed of all that is drawn while learning from it."""

    part: AlignmentBatch | OrderingBatch | CanvasBatch | TogetherBatch
    seed: int

    def to(self, device: torch.device | str) -> SimsBatch:
        """Returns the batch on a device."""
        return SimsBatch(self.part.to(device), self.seed)


class SimsTrainee(PictureTrainee):
    """See `PictureTrainee`; each stage's `phase` names the network that it trains (`networks.PARTS`), or "together"."""

    method = "SIMS"

    def check(self, config: Mapping[str, Any], stages: Sequence[PictureStage]) -> None:
        given = {"num_classes": len(self.label_set.classes), **config}
        self.config = checked_settings(SimsConfig, given, method="SIMS", place="config", what="setting")
        self.parts = [_part(stage.phase, f"stages.{index}") for index, stage in enumerate(stages)]
        self.weights = [_losses(stage, part, self.config) for stage, part in zip(stages, self.parts, strict=True)]
        _check_sizes(self.config, stages, self.parts)
        self._entered: int | None = None
        self._known_pairs = dict[tuple[int, int], list[OrderPair]]()

    def needs_perceptual(self) -> bool:
        return any(
            part in _PAINTING and (w.perceptual or w.adversarial)
            for part, w in zip(self.parts, self.weights, strict=True)
        )

    def build(self) -> None:
        self.networks: SimsNetworks = build_networks(self.config)
        self.generator = self.networks
        adversarial = any(self.adversarial(stage) for stage in range(len(self.parts)))
        self.judge = build_discriminator(self.config) if adversarial else None
        self.discriminator: nn.Module | None = self.judge
        if self.perceptual is not None and self.config.discriminator == "none":
            self.perceptual = paper_perceptual(self.perceptual)

    def adversarial(self, stage: int) -> bool:
        return self.parts[stage] in _PAINTING and self.weights[stage].adversarial > 0

    @cached_property
    def shapes(self) -> Sequence[DonorShapes]:
        """The segments of each stage's photos; stages of the same photos share them."""
        splits = {id(stream.photos): stream.photos for stream in self.streams}
        made = {key: DonorShapes(photos, self.config.least_area) for key, photos in splits.items()}
        return [made[id(stream.photos)] for stream in self.streams]

    def batch(self, stage: int, indices: list[int], rng: torch.Generator) -> SimsBatch:  # type: ignore[override]
        seed = int(torch.randint(2**62, (), generator=rng))
        if self.parts[stage] == "synthesis":
            return SimsBatch(self.canvases(stage, indices), seed)
        photos = [index % len(self.streams[stage].photos) for index in indices]
        drawn = np.random.default_rng(seed)
        if self.parts[stage] == TOGETHER:
            return SimsBatch(self._all(stage, photos, drawn, seed), seed)
        if self.parts[stage] == "ordering":
            return SimsBatch(self._pairs(stage, photos, drawn), seed)
        return SimsBatch(self._moved(stage, photos, drawn, torch.Generator().manual_seed(seed)), seed)

    def canvases(self, stage: int, indices: Sequence[int]) -> CanvasBatch:
        """Returns the pictures of these indices as training canvases."""
        stream, shapes = self.streams[stage], self.shapes[stage]
        pictures, spoilt = [], []
        for index in indices:
            picture, photo = stream[index], index % len(stream.photos)
            rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((stream.seed, index, 47))))
            whole = spoil(shapes, photo, self.config, rng, picture.box)
            pictures.append(picture)
            spoilt.append(whole.cut(picture.box, stream.size, flip=picture.flipped))
        return self._collated(pictures, spoilt)

    def generator_step(  # type: ignore[override]
        self, batch: SimsBatch, stage: int, ramp: float
    ) -> tuple[Tensor, Mapping[str, Tensor], Any]:
        self._enter(stage)
        with torch.random.fork_rng(devices=[]):  # the ordering network's dropout knows torch's global seed only
            torch.manual_seed(batch.seed)
            weights = self.weights[stage]
            if isinstance(weights, TogetherWeights):
                made = self.generator(batch.part, weights.reach)
            else:
                made = self.generator(batch.part)
        if isinstance(made, PartLoss):
            return made.loss, made.parts, None
        if isinstance(made, Together):
            loss, parts, seen = self._picture_losses(made.finished, made.shown, batch.seed, stage, ramp)
            return loss + weights.own * made.own, {**parts, **made.figures}, seen
        assert isinstance(batch.part, CanvasBatch) and isinstance(made, Finished)
        return self._picture_losses(made, batch.part, batch.seed, stage, ramp)

    def _picture_losses(
        self, made: Finished, batch: CanvasBatch, seed: int, stage: int, ramp: float
    ) -> tuple[Tensor, dict[str, Tensor], Seen | None]:
        weights, layouts = self.weights[stage], batch.layouts
        parts = plain_losses(made, batch, weights)
        seen: Seen | None = None
        if self.config.discriminator == "features" and self.perceptual is not None:
            asked = one_hot_semantics(layouts.label_map, self.config.num_classes)
            crop = torch.Generator().manual_seed(seed + 1)
            fake, real, asked = same_crop(weights.crop, crop, made.image, layouts.image, asked)
            learned, seen = self.adversary().generator_parts(fake, real, asked, adversarial=weights.adversarial > 0)
            parts |= learned
        elif self.perceptual is not None and weights.perceptual:
            parts["perceptual"] = self.perceptual(made.image, layouts.image)
        return weighted(parts, weights, ramp), parts, seen

    def discriminator_step(  # type: ignore[override]
        self, batch: SimsBatch, made: Any, stage: int
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        return self.adversary().discriminator_step(made)

    def sample(self, generator: nn.Module) -> np.ndarray:
        stage = self._entered if self._entered is not None else len(self.parts) - 1
        stage = stage if self.parts[stage] in _PAINTING else len(self.parts) - 1
        indices = range(min(6, len(self.streams[stage].photos)))
        device = next(generator.parameters()).device
        with torch.no_grad():
            if self.parts[stage] == TOGETHER:
                batch, finished, *_ = generator(self._all(stage, indices, np.random.default_rng(0), None).to(device))
            else:
                batch = self.canvases(stage, indices).to(device)
                finished = generator(batch)
        layouts = [colored(m, self.label_set) for m in self._ids(batch.layouts.label_map)]
        columns = [np.concatenate(layouts), *(tall(x) for x in (batch.canvas, finished.image, batch.layouts.image))]
        return np.concatenate(columns, axis=1)

    def draw(self, generator: nn.Module, batch: LayoutBatch) -> Tensor:
        raise NotImplementedError("SIMS draws from canvases; see `sample`")

    def save(self, generator: nn.Module, folder: Path, facts: Mapping[str, Any], card: str) -> None:
        assert isinstance(generator, SimsNetworks)
        save_model(folder, generator, self.label_set, facts, card)

    def _enter(self, stage: int) -> None:
        """Freezes the networks that the stage does not train; called at every step, for a run may begin anywhere."""
        if stage == self._entered:
            return
        if isinstance(getattr(self.generator, "module", None), DistributedDataParallel):
            raise InputError(
                "SIMS trains one network after another, for which several devices would wait in vain; give --devices 1"
            )
        set_part(self.networks, self.parts[stage])
        self._entered = stage

    def _collated(self, pictures: Sequence[Picture], spoilt: Sequence[Spoilt]) -> CanvasBatch:
        layouts = collate(pictures, self.label_set)
        canvases, present, labels = [], [], []
        for one, label_map in zip(spoilt, layouts.label_map.numpy(), strict=True):
            canvas, seen = shown(one.color, one.present, one.elided, white=self.config.elided_white)
            canvases.append(torch.from_numpy(canvas).permute(2, 0, 1).float() / 127.5 - 1)
            present.append(torch.from_numpy(seen)[None].float())
            labels.append(torch.from_numpy(classes_with_unknown(label_map, one.unknown, self.config.num_classes)))
        return CanvasBatch(
            layouts,
            torch.stack(labels),
            torch.stack(canvases).contiguous(memory_format=torch.channels_last),
            torch.stack(present),
        )

    def _all(self, stage: int, photos: Sequence[int], rng: np.random.Generator, seed: int | None) -> TogetherBatch:
        """Returns whole photos with donors, and where there is a seed, batches for the networks' own losses."""
        width, height = self.streams[stage].size
        batch = together_batch(
            self.shapes[stage],
            self.label_set,
            photos,
            rng,
            size=(height, width),
            candidates=self.config.donors,
            flip=seed is not None and self.streams[stage].flip,
        )
        if seed is None or not self.weights[stage].own:
            return batch
        moved = self._moved(stage, photos, rng, torch.Generator().manual_seed(seed))
        return batch._replace(moved=moved, pairs=self._pairs(stage, photos, rng))

    def _moved(
        self, stage: int, photos: Sequence[int], rng: np.random.Generator, generator: torch.Generator
    ) -> AlignmentBatch:
        shapes, chosen, segments = self.shapes[stage], [], []
        if not any(shapes.segments):
            raise InputError(
                f"no photo has a segment of config.least_area, {self.config.least_area:g} of the picture; lower it"
            )
        for photo in photos:
            while not shapes.segments[photo]:
                photo = int(rng.integers(len(shapes.photos)))
            chosen.append(shapes.photos[photo])
            segments.append(shapes.segments[photo][int(rng.integers(len(shapes.segments[photo])))])
        layouts = [self._layout(one) for one in chosen]
        rows, columns = self.config.working_size
        size = 2 * rows, 2 * columns  # larger than what the network sees: it looks at a window around the segment
        return alignment_batch([one.photo for one in chosen], layouts, segments, generator, size=size)

    def _pairs(self, stage: int, photos: Sequence[int], rng: np.random.Generator) -> OrderingBatch:
        shapes, layouts, pairs = self.shapes[stage], [], []
        for photo in photos:
            for _ in range(_TRIES):
                found = self._pairs_of(stage, photo)
                if found:
                    break
                photo = int(rng.integers(len(shapes.photos)))
            else:
                raise InputError("hardly any photo has two segments that touch; ordering cannot be learned from them")
            layouts.append(self._layout(shapes.photos[photo]))
            pairs.append(found[int(rng.integers(len(found)))])
        return ordering_batch(layouts, pairs, size=self.config.working_size)

    def _pairs_of(self, stage: int, photo: int) -> list[OrderPair]:
        """The pairs of a photo of which it can be told what is in front; found once, for depth maps take long."""
        if (stage, photo) not in self._known_pairs:
            shapes = self.shapes[stage]
            one = shapes.photos[photo]
            depth = DepthFolder.of(self.streams[stage].photos).of_photo(one)
            self._known_pairs[stage, photo] = order_pairs(
                self._layout(one), least_area=1, depth=depth, segments=shapes.segments[photo]
            )
        return self._known_pairs[stage, photo]

    def _layout(self, photo: LabelledPhoto) -> Layout:
        return Layout(photo.label_map, self.label_set, photo.instance_map)

    def _ids(self, indices: Tensor) -> np.ndarray:
        table = np.full(256, -1, np.int32)
        table[: len(self.label_set.ids)] = self.label_set.ids
        ids: np.ndarray = table[indices.cpu().numpy()]
        return ids


def _part(name: str | None, place: str) -> str:
    if name is None:
        return "synthesis"
    if name not in (phases := (*PARTS, TOGETHER)):
        raise RecipeError(f"{place}.phase is {name!r}{nearest_name(name, phases)}; SIMS trains {', '.join(phases)}")
    return name


def _losses(stage: PictureStage, part: str, config: SimsConfig) -> LossWeights:
    if part not in _PAINTING:
        if stage.losses:
            raise RecipeError(f"losses: the {part} network has one loss without a weight; leave them out")
        return LossWeights(semantic=0.0)
    weights = checked_losses(TogetherWeights if part == TOGETHER else LossWeights, stage.losses, method="SIMS")
    if config.network == "compact" and not max(weights.perceptual, weights.reconstruction, weights.adversarial):
        raise RecipeError(
            'losses.semantic is for the head that network "compact" does not have; give another loss a weight above 0'
        )
    if config.discriminator == "none" and (weights.adversarial or weights.crop):
        raise RecipeError(
            'losses.adversarial and losses.crop count with config.discriminator "features" only; leave them out'
        )
    return weights


def _check_sizes(config: SimsConfig, stages: Sequence[PictureStage], parts: Sequence[str]) -> None:
    for index, (stage, part) in enumerate(zip(stages, parts, strict=True)):
        width, height = stage.pictures["size"]
        on_sheets = part in _PAINTING or index == len(parts) - 1  # `sample` finishes pictures of the last stage
        if on_sheets and (width % config.divisor or height % config.divisor):
            raise RecipeError(
                f"stages.{index}.pictures.size is {width}x{height}; expected sides divisible by {config.divisor}"
                f" (network {config.network!r})"
            )
