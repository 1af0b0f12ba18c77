"""What the trainees of the methods that make whole pictures have in common: data, batches, sheets.

See `training.trainee.Trainee` for what the loop asks of them.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from scenebrush.data.pictures import Picture, TrainingPictures
from scenebrush.data.split_in_memory import SplitInMemory
from scenebrush.errors import RecipeError
from scenebrush.layers.discriminators.feature_heads import FeatureDiscriminator
from scenebrush.layers.layouts import LayoutBatch
from scenebrush.losses.feature_adversary import FeatureAdversary, same_crop
from scenebrush.losses.perceptual import PerceptualLoss
from scenebrush.methods.layout_arrays import class_indices
from scenebrush.methods.settings import AnySettings, checked_losses
from scenebrush.scene.label_set import LabelSet

SAMPLES = 6
_AT_ONCE = 8  # photos that are encoded together

CARD = """# {name}

A {method} model for the label set `{label_set}` ({classes}).
What it was trained on, for how long and from which recipe stands in `config.json` under `training`.
Say here before you pass it on: the data and its licence, the figures, the limits.
"""


class PictureStage(NamedTuple):
    """Of one stage: how pictures are cut (`training.recipe.PicturesSpec`), the loss weights by name, the phase."""

    pictures: Mapping[str, Any]
    losses: Mapping[str, Any]
    phase: str | None = None


class PictureBatch(NamedTuple):
    """Photos with their layouts, and the seed of all that is drawn while learning from them."""

    layouts: LayoutBatch
    seed: int

    def to(self, device: torch.device | str) -> PictureBatch:
        """Returns the batch on a device."""
        return PictureBatch(self.layouts.to(device), self.seed)

    def noise(self, use: int = 0) -> torch.Generator:
        """Returns a generator on the batch's device; each `use` has its own numbers."""
        return torch.Generator(self.layouts.image.device).manual_seed(self.seed + use)

    def crops(self, side: int, *planes: Tensor) -> Sequence[Tensor]:
        """Returns the same random square of each plane (B, C, H, W); see `same_crop`."""
        return same_crop(side, torch.Generator().manual_seed(self.seed + 1), *planes)


def picture_losses(
    kind: type[AnySettings], given: Mapping[str, Any], *, method: str, discriminator: str
) -> AnySettings:
    """Returns a stage's loss weights as the method's dataclass `kind`.

    Raises:
        RecipeError: a name or value that is none, no loss at all, or one that this discriminator does not have.
    """
    weights = checked_losses(kind, given, method=method)
    matching, crop = (getattr(weights, name) for name in ("feature_matching", "crop"))
    if discriminator != "features":
        if crop:
            raise RecipeError('losses.crop counts with discriminator "features" only; leave it out')
        return weights
    if "feature_matching" in given and matching:
        raise RecipeError(
            f'losses.feature_matching is {matching:g}, but discriminator "features" has only the perceptual network\'s'
            " features, which `perceptual` matches; set it to 0 or leave it out"
        )
    return dataclasses.replace(weights, feature_matching=0.0)  # type: ignore[type-var]


class PictureTrainee(ABC):
    """Data and networks of one method; the method's own trainee adds the losses.

    Args:
        config: the method's configuration as in the recipe; `num_classes` comes from the data.
        stages: what each stage learns from.
        folder: a scene folder.
        seed: decides the initial weights and the pictures.
        half: keep the frozen loss network in bfloat16 (for mixed precision), which saves a cast at each call.

    Raises:
        RecipeError: a setting that the method does not have, or a stage without any loss.
        InputError: no such data.
        ModelError: a loss needs VGG weights that are not at hand.
    """

    method: str
    config: Any
    """The method's configuration, set by `check`."""
    weights: Sequence[Any]
    """The loss weights of each stage, set by `check`."""
    generator: nn.Module
    discriminator: nn.Module | None
    judge: nn.Module | None = None
    """The discriminator as it was built: the loop puts a wrapped one in the other's place."""
    memories: Mapping[str, Any] = {}

    def __init__(
        self,
        config: Mapping[str, Any],
        stages: Sequence[PictureStage],
        folder: Path,
        *,
        seed: int = 0,
        half: bool = False,
    ) -> None:
        self.label_set = LabelSet.load(folder / "classes.json")
        self.check(config, stages)
        # Before the photos, which take long to read: missing weights are to be told at once.
        self.perceptual = PerceptualLoss.from_assets() if self.needs_perceptual() else None
        if self.perceptual is not None:
            self.perceptual.to(torch.bfloat16 if half else torch.float32)
        splits = {s: SplitInMemory(folder, s) for s in {stage.pictures["split"] for stage in stages}}
        self.counts = [stage.pictures["count"] for stage in stages]
        self.streams = [_stream(splits[stage.pictures["split"]], stage.pictures, seed) for stage in stages]
        with torch.random.fork_rng(devices=[]):  # initial weights; everything later has generators of its own
            torch.manual_seed(seed)
            self.build()

    @abstractmethod
    def check(self, config: Mapping[str, Any], stages: Sequence[PictureStage]) -> None:
        """Reads configuration and losses; `RecipeError` for what does not hold together."""

    def needs_perceptual(self) -> bool:
        """Returns whether any stage looks through VGG."""
        on_features = self.config.discriminator == "features"
        return any(w.perceptual or (w.adversarial and on_features) for w in self.weights)

    @abstractmethod
    def build(self) -> None:
        """Makes the networks, from torch's global seed."""

    @abstractmethod
    def generator_step(
        self, batch: PictureBatch, stage: int, ramp: float
    ) -> tuple[Tensor, Mapping[str, Tensor], Any]: ...

    @abstractmethod
    def discriminator_step(self, batch: PictureBatch, made: Any, stage: int) -> tuple[Tensor, Mapping[str, Tensor]]: ...

    def adversarial(self, stage: int) -> bool:
        return bool(self.weights[stage].adversarial > 0)

    @abstractmethod
    def draw(self, generator: nn.Module, batch: LayoutBatch) -> Tensor:
        """Returns the pictures (B, 3, H, W) of a few layouts, for the sheet, by the averaged networks."""

    @abstractmethod
    def save(self, generator: nn.Module, folder: Path, facts: Mapping[str, Any], card: str) -> None:
        """Writes the model folder of the averaged networks."""

    def num_windows(self, stage: int) -> int:
        return int(self.counts[stage])

    def batch(self, stage: int, indices: list[int], rng: torch.Generator) -> PictureBatch:
        seed = int(torch.randint(2**62, (), generator=rng))
        return PictureBatch(collate([self.streams[stage][i] for i in indices], self.label_set), seed)

    def sample(self, generator: nn.Module) -> np.ndarray:
        pictures = [self.sheet_stream[i] for i in range(min(SAMPLES, len(self.sheet_stream.photos)))]
        batch = collate(pictures, self.label_set).to(next(generator.parameters()).device)
        with torch.no_grad():
            drawn = self.draw(generator, batch)
        layouts = np.concatenate([colored(p.label_map, self.label_set) for p in pictures])
        return np.concatenate([layouts, tall(drawn), tall(batch.image)], axis=1)

    def whole_photos(self, device: torch.device) -> Iterator[LayoutBatch]:
        """Yields all photos of the last stage's split, whole and as they are, in small batches."""
        stream = self.streams[-1]
        for first in range(0, len(stream.photos), _AT_ONCE):
            chosen = range(first, min(first + _AT_ONCE, len(stream.photos)))
            yield collate([stream.whole(i) for i in chosen], self.label_set).to(device)

    def adversary(self) -> FeatureAdversary:
        """Returns the losses on VGG features, for the discriminator "features"."""
        assert self.perceptual is not None
        judge = self.judge if isinstance(self.judge, FeatureDiscriminator) else None
        return FeatureAdversary(self.perceptual, self.discriminator, judge)

    @property
    def sheet_stream(self) -> TrainingPictures:
        """The pictures that sheets show: the last stage's."""
        return self.streams[-1]

    def export(self, generator: nn.Module, folder: Path, facts: Mapping[str, Any]) -> None:
        names = ", ".join(c.name for c in self.label_set.classes)
        card = CARD.format(
            name=folder.resolve().parent.name, method=self.method, label_set=self.label_set.name, classes=names
        )
        network = self.perceptual.name if self.perceptual is not None else "none"
        more = {"perceptual_network": network, "pictures": [len(s.photos) for s in self.streams]}
        self.save(generator, folder, {**facts, **more}, card)


def collate(pictures: Sequence[Picture], label_set: LabelSet) -> LayoutBatch:
    """Returns the batch of pictures of one size: class indices in the label set's order, 255 for what is no class."""
    photos = torch.from_numpy(np.stack([p.photo for p in pictures])).permute(0, 3, 1, 2).float() / 127.5 - 1
    labels = np.stack([class_indices(p.label_map, label_set) for p in pictures])
    instances = np.stack([p.instance_map for p in pictures]).astype(np.int64)
    return LayoutBatch(
        photos.contiguous(memory_format=torch.channels_last), torch.from_numpy(labels), torch.from_numpy(instances)
    )


def colored(label_map: np.ndarray, label_set: LabelSet) -> np.ndarray:
    """Returns a label map in the colours of its classes, uint8 (H, W, 3); what is no class is black."""
    table = np.zeros((256, 3), np.uint8)
    for index, label_class in enumerate(label_set.classes[:255]):
        table[index] = label_class.color
    coloured: np.ndarray = table[class_indices(label_map, label_set).clip(0, 255)]
    return coloured


def weighted(parts: Mapping[str, Tensor], weights: Any, ramp: float) -> Tensor:
    """Returns the sum of the losses by name, each times its weight, the adversarial one times `ramp` too."""
    terms = [value * getattr(weights, name) * (ramp if name == "adversarial" else 1.0) for name, value in parts.items()]
    return torch.stack(terms).sum()


def _stream(photos: SplitInMemory, spec: Mapping[str, Any], seed: int) -> TrainingPictures:
    return TrainingPictures(
        photos,
        size=tuple(spec["size"]),
        scales=tuple(spec["scales"]),
        flip=spec["flip"],
        color_jitter=spec["color_jitter"],
        seed=seed,
    )


def tall(images: Tensor) -> np.ndarray:
    """Returns a batch (B, 3, H, W) in [-1, 1] as one uint8 picture (B * H, W, 3)."""
    pixels = ((images.float().cpu().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return np.concatenate(list(pixels.permute(0, 2, 3, 1).numpy()))
