"""How real composed crops look, before and after enhancement: KID against real crops with an object.

    SCENEBRUSH_ASSETS=../shared/weights python benchmarks/quality/seigan_realism.py --data ../shared/data/coco_things \\
        --model runs/seigan/model --sheet realism.png

Objects of a split are pasted onto crops without an object, each onto several: with a model's mask (z), then enhanced
(y^), and as anchors with the true mask, the box, and what the photo itself tells (`canvas.box_evidence`); `background
alone` is what empty masks give. KID x 1000 is the unbiased MMD of Inception features with the kernel (x.y / D + 1)^3,
over all pairs of crops that share no photo (neither the object's nor the background's): a split has few photos, and
pairs from one would look alike whatever was composed. So the real crops themselves are at 0. ± is the standard error by
random halves of the photos (jackknife), the same halves for every row: the differences are steadier than the values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import torch
import tyro
from PIL import Image
from seigan_masks import networks_of
from torch import Tensor

from scenebrush.canvas.box_evidence import box_evidence
from scenebrush.data.box_crops import BoxCrops, BoxPair, boxed_photos
from scenebrush.data.split_in_memory import SplitInMemory
from scenebrush.data.windows import cut_map
from scenebrush.evaluation.fid import polynomial_kernel
from scenebrush.evaluation.inception import InceptionV3, inception_features
from scenebrush.evaluation.pictures import batches
from scenebrush.methods.seigan.config import SeiganConfig
from scenebrush.methods.seigan.networks import SeiganNetworks
from scenebrush.methods.seigan.swap import paste
from scenebrush.methods.seigan.trainee import photos_tensor, planes_tensor

BOX = "box pasted"
ANCHORS = ("background alone", BOX, "true mask pasted", "evidence pasted")
_AT_ONCE = 16
_SHOWN = 12  # pairs on a sheet


@dataclass(frozen=True)
class Settings:
    """What is measured.

    Args:
        data: a scene folder with instance maps.
        split: whose objects are pasted.
        model: models of seigan, by name or folder; the first one says which objects, and how crops are cut.
        repeats: backgrounds an object is pasted onto.
        halves: of the photos, drawn at random.
        seed: of crops, backgrounds and halves.
        threads: CPU threads.
        json: write the table here too.
        sheet: write some of the pictures side by side: real, then in the order of the table.
    """

    data: Path
    split: str = "test"
    model: tuple[str, ...] = ()
    repeats: int = 3
    halves: int = 200
    seed: int = 0
    threads: int = 1
    json: Path | None = None
    sheet: Path | None = None


@dataclass(frozen=True)
class Figure:
    """A value with its standard error."""

    value: float
    error: float

    @classmethod
    def of(cls, values: np.ndarray) -> Self:
        """Returns it of values of all photos, and then of halves."""
        return cls(float(values[0]), float(values[1:].std()))

    def __str__(self) -> str:
        return f"{self.value:.1f} ±{self.error:.1f}"


@dataclass(frozen=True)
class Row:
    """KID x 1000 against real crops of other photos, the difference to the box pasted, and of y^ to its z."""

    kid: Figure
    to_box: Figure
    to_pasted: Figure | None


@dataclass(eq=False)
class Composer:
    """Objects of a split with backgrounds to paste them onto, and KID of what comes of it.

    Args:
        split: with instance maps.
        config: which objects, and how crops are cut.
        repeats: backgrounds an object is pasted onto.
        halves: of the photos, drawn at random.
        seed: of crops, backgrounds and halves.
    """

    split: SplitInMemory
    config: SeiganConfig
    repeats: int = 3
    halves: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        crops = BoxCrops(
            boxed_photos(self.split, self.config.classes),
            size=self.config.size,
            context=self.config.context,
            least_side=self.config.least_side,
            flip=False,
            seed=self.seed,
        )
        numbers = {(self.split.photos[o.photo].stem, o.box): o for o in self.split.objects}
        # Boxes of crowds have no instance, so no true mask.
        known = [i for i, (photo, boxed) in enumerate(crops.objects) if (photo.stem, boxed.box) in numbers]
        indices = [repeat * len(crops) + i for repeat in range(self.repeats) for i in known]
        self.pairs: list[BoxPair] = [crops[index] for index in indices]
        self.objects = len(known)
        stems = {photo.stem: number for number, photo in enumerate(self.split.photos)}
        self.photos = np.array([stems[pair.object.stem] for pair in self.pairs])
        self.background_photos = np.array([stems[pair.background_stem] for pair in self.pairs])
        self.x = np.stack([pair.object.photo for pair in self.pairs])
        self.y = np.stack([pair.background for pair in self.pairs])
        self.boxes = np.stack([pair.object.box for pair in self.pairs])
        self.truth = np.empty_like(self.boxes)
        for row, (index, pair) in enumerate(zip(indices, self.pairs, strict=True)):
            photo, boxed = crops.objects[index % len(crops)]
            record = numbers[photo.stem, boxed.box]
            instances = self.split.photos[record.photo].instance_map
            self.truth[row] = cut_map(instances, pair.object.window, self.config.size) == record.instance

    @cached_property
    def network(self) -> InceptionV3:
        """The network of FID and KID."""
        return InceptionV3.load()

    @cached_property
    def real(self) -> np.ndarray:
        """Features of the real crops, (N, 2048)."""
        return inception_features(self.x, self.network)

    def anchors(self) -> dict[str, np.ndarray]:
        """Returns pictures uint8 (N, S, S, 3) by the names in `ANCHORS`."""
        evidence = (box_evidence(self.x, self.boxes).logits > 0) & self.boxes
        pasted = [np.where(mask[..., None], self.x, self.y) for mask in (self.boxes, self.truth, evidence)]
        return dict(zip(ANCHORS, [self.y, *pasted], strict=True))

    def composed(self, networks: SeiganNetworks) -> tuple[np.ndarray, np.ndarray]:
        """Returns z and y^ of all pairs, uint8 (N, S, S, 3)."""
        made: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
        for part in batches(len(self.pairs), _AT_ONCE):
            x, y = photos_tensor(list(self.x[part])), photos_tensor(list(self.y[part]))
            box = planes_tensor(list(self.boxes[part]))
            with torch.inference_mode():
                mask = networks.segmenter(x, box)
                z = paste(x, y, mask)
                enhanced = networks.enhancer(z, mask)
            made[0].append(_pixels(z))
            made[1].append(_pixels(enhanced))
        return np.concatenate(made[0]), np.concatenate(made[1])

    def kids(self, pictures: np.ndarray) -> np.ndarray:
        """Returns the KID x 1000 of composed pictures (N, S, S, 3): of all photos, then of random halves."""
        fake = inception_features(pictures, self.network)
        own, other = self.photos, self.background_photos
        strangers = own[:, None] != own
        fakes_apart = strangers & (other[:, None] != other) & (own[:, None] != other) & (other[:, None] != own)
        mixed_apart = strangers & (other[:, None] != own)
        parts = (
            (polynomial_kernel(fake, fake), fakes_apart, 1.0),
            (polynomial_kernel(self.real, self.real), strangers, 1.0),
            (polynomial_kernel(fake, self.real), mixed_apart, -2.0),
        )
        rng, present = np.random.default_rng(self.seed), np.unique(own)
        values = []
        for half in range(self.halves + 1):
            photos = rng.permutation(present)[: len(present) // 2] if half else present
            rows = np.flatnonzero(np.isin(own, photos))
            chosen = np.ix_(rows, rows)
            values.append(sum(sign * kernel[chosen][apart[chosen]].mean() for kernel, apart, sign in parts))
        return np.array(values) * 1000

    def rows(self, pictures: Mapping[str, np.ndarray]) -> dict[str, Row]:
        """Returns the table of pictures (N, S, S, 3) by name; `BOX` must be one, "NAME: y^" goes with its "NAME: z"."""
        return rows_of({name: self.kids(some) for name, some in pictures.items()})


def rows_of(kids: Mapping[str, np.ndarray]) -> dict[str, Row]:
    """Returns the table of what `Composer.kids` returned, by name."""
    rows = {}
    for name, values in kids.items():
        before = kids.get(f"{name.removesuffix('y^')}z") if name.endswith("y^") else None
        gap = None if before is None else Figure.of(values - before)
        rows[name] = Row(Figure.of(values), Figure.of(values - kids[BOX]), gap)
    return rows


def _pixels(images: Tensor) -> np.ndarray:
    pixels = ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return np.asarray(pixels.permute(0, 2, 3, 1))


def print_table(rows: Mapping[str, Row]) -> None:
    """Prints the rows as a Markdown table."""
    print("| crops | KID×1000 ↓ | to the box pasted | y^ to its z |")
    print("|---|---|---|---|")
    for name, row in rows.items():
        print(f"| {name} | {row.kid} | {told(row.to_box)} | {'-' if row.to_pasted is None else told(row.to_pasted)} |")


def told(gap: Figure) -> str:
    """Returns a difference with its sign, * where it is beyond two standard errors."""
    return f"{'+' if gap.value >= 0 else ''}{gap}{'*' if abs(gap.value) > 2 * gap.error else ''}"


def main(settings: Settings) -> None:
    """Prints the table."""
    torch.set_num_threads(settings.threads)
    models = {name: networks_of(name) for name in settings.model}
    config = next(iter(models.values())).config if models else SeiganConfig()
    split = SplitInMemory(settings.data, settings.split)
    composer = Composer(split, config, settings.repeats, settings.halves, settings.seed)
    pictures = composer.anchors()
    for name, networks in models.items():
        pictures |= dict(zip((f"{name}: z", f"{name}: y^"), composer.composed(networks), strict=True))
    objects, photos = composer.objects, len(np.unique(composer.photos))
    told_data = f"{settings.data.resolve().name}/{settings.split}"
    print(f"**{told_data}, N = {objects} objects of {photos} photos on {settings.repeats} backgrounds each**\n")
    if settings.sheet:
        columns = [composer.x, *pictures.values()]
        shown = range(0, len(composer.x), max(1, len(composer.x) // _SHOWN))
        lines = [np.concatenate([column[i] for column in columns], axis=1) for i in shown]
        Image.fromarray(np.concatenate(lines)).save(settings.sheet)
    rows = composer.rows(pictures)
    print_table(rows)
    if settings.json:
        told_rows = {name: asdict(row) for name, row in rows.items()}
        settings.json.write_text(json.dumps({"objects": objects, "photos": photos, "crops": told_rows}, indent=1))


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
