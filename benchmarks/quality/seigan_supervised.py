"""What SEIGAN's segmentation network would reach with true masks: the upper bound of learning from boxes.

    python benchmarks/quality/seigan_supervised.py --data ../shared/data/coco_things --out runs/seigan-supervised

Trains the segmenter of a recipe alone, on the crops of its objects with their true masks: binary cross-entropy and soft
Dice inside the box, AdamW, a rate that rises and then falls to 0 along a cosine, clipped gradients, an average of the
weights. <out>/model is a model folder for `seigan_masks.py`; its inpainter and enhancer have learned nothing.
`--set config.evidence=false` leaves out what the photo itself tells of the box. A folder that is there is not trained
again.
"""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from torch import Tensor
from torch.nn import functional as F

from scenebrush.data.box_crops import (
    BoxedObject,
    BoxedPhoto,
    MeasuredCrop,
    MeasuringCrops,
    cut_crop,
    object_window,
)
from scenebrush.data.holes import longer_side
from scenebrush.data.split_in_memory import SplitInMemory
from scenebrush.data.windows import cut_map, jitter_colors
from scenebrush.methods.seigan.config import SeiganConfig
from scenebrush.methods.seigan.folder import save_model
from scenebrush.methods.seigan.networks import build_networks
from scenebrush.methods.seigan.trainee import photos_tensor, planes_tensor
from scenebrush.methods.settings import checked_settings
from scenebrush.training.recipe import Recipe

RECIPE = Path(__file__).resolve().parents[2] / "recipes" / "seigan" / "coco_things.yaml"
_JITTER = 0.15  # of context and place, as boxes are jittered for SEIGAN itself (`BoxCrops`)
_COLORS = 0.1  # of brightness, contrast and colour
_EMA = 0.99
_CLIP = 1.0  # norm of the gradient: without norms one batch can throw a network into masks that it never leaves
_WARMUP = 0.1  # of the steps
CARD = """# SEIGAN's segmenter, trained on true masks

An upper bound to measure with, made by `benchmarks/quality/seigan_supervised.py`. Inpainter and enhancer are untrained.
"""


@dataclass(frozen=True)
class Settings:
    """What is trained.

    Args:
        data: a scene folder with instance maps.
        out: the model comes to lie in <out>/model.
        recipe: whose `config` and size of crops the network has.
        set: settings of the recipe that are changed, as in `scenebrush train --set`.
        steps: of training.
        batch_size: crops a step.
        learning_rate: at its highest.
        seed: of weights and crops.
        threads: CPU threads.
    """

    data: Path
    out: Path
    recipe: Path = RECIPE
    set: tuple[str, ...] = ()
    steps: int = 800
    batch_size: int = 8
    learning_rate: float = 2e-3
    seed: int = 0
    threads: int = 1


class SupervisedCrops:
    """Crops with true masks, jittered and mirrored: index i depends on (seed, i) alone."""

    def __init__(self, crops: MeasuringCrops, seed: int) -> None:
        self.crops, self.seed = crops, seed

    def __getitem__(self, index: int) -> MeasuredCrop:
        """Returns object `index` modulo their number."""
        rng = np.random.default_rng((self.seed, index))
        record = self.crops.records[index % len(self.crops)]
        photo = self.crops.photos.photos[record.photo]
        factor = self.crops.context * float(np.exp(rng.uniform(-_JITTER, _JITTER)))
        room = (factor - 1) * longer_side(record.box) / 2
        dx, dy = rng.uniform(-1, 1, 2) * 2 * _JITTER * room
        window = object_window(record.box, photo.size, factor, (float(dx), float(dy)))
        flip = bool(rng.integers(2))
        boxed = BoxedPhoto(photo.stem, photo.photo, ())
        crop = cut_crop(boxed, BoxedObject(record.box, record.class_id), window, self.crops.size, flip=flip)
        crop.photo[:] = jitter_colors(rng, crop.photo, _COLORS)
        mask = cut_map(photo.instance_map, window, self.crops.size) == record.instance
        return MeasuredCrop(crop, np.ascontiguousarray(mask[:, :: -1 if flip else 1]))


def config_of(recipe: Recipe) -> SeiganConfig:
    """Returns the configuration that the recipe's networks have."""
    given = {**recipe.config, "size": recipe.stages[-1].pictures.size[0]}
    return checked_settings(SeiganConfig, given, method="SEIGAN", place="config", what="setting")


def mask_loss(mask: Tensor, truth: Tensor, box: Tensor) -> Tensor:
    """Returns binary cross-entropy and 1 - soft Dice inside the boxes; all (B, 1, H, W), mask and truth in [0, 1]."""
    entropy = (F.binary_cross_entropy(mask.clamp(1e-4, 1 - 1e-4), truth, reduction="none") * box).sum() / box.sum()
    inside = truth * box
    both, either = (mask * inside).sum((1, 2, 3)), (mask * box + inside).sum((1, 2, 3))
    return entropy + (1 - 2 * both / either.clamp_min(1)).mean()


def train(settings: Settings) -> Path:
    """Trains what is not yet trained; returns the model folder."""
    folder = settings.out / "model"
    if (folder / "config.json").is_file():
        return folder
    recipe = Recipe.load(settings.recipe, list(settings.set))
    config = config_of(recipe)
    split = SplitInMemory(settings.data, "train")
    measuring = MeasuringCrops(
        split, config.classes, size=config.size, context=config.context, least_side=config.least_side
    )
    crops = SupervisedCrops(measuring, settings.seed)
    torch.manual_seed(settings.seed)
    networks = build_networks(config)
    segmenter, averaged = networks.segmenter, copy.deepcopy(networks.segmenter).requires_grad_(False)
    optimizer = torch.optim.AdamW(segmenter.parameters(), lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, settings.learning_rate, settings.steps, pct_start=_WARMUP, cycle_momentum=False
    )
    count, order = settings.steps * settings.batch_size, np.random.default_rng(settings.seed)
    epochs = -(-count // len(measuring))
    indices = np.concatenate([e * len(measuring) + order.permutation(len(measuring)) for e in range(epochs)])[:count]
    began = time.monotonic()
    for step, chosen in enumerate(indices.reshape(settings.steps, settings.batch_size), 1):
        batch = [crops[int(index)] for index in chosen]
        box = planes_tensor([one.crop.box for one in batch])
        truth = planes_tensor([one.mask for one in batch])
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bf16-mixed"):
            mask = segmenter(photos_tensor([one.crop.photo for one in batch]), box)
        loss = mask_loss(mask.float(), truth, box)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(segmenter.parameters(), _CLIP)
        optimizer.step()
        schedule.step()
        decay = min(_EMA, step / (step + 9))
        for own, other in zip(averaged.parameters(), segmenter.parameters(), strict=True):
            own.lerp_(other.detach(), 1 - decay)
        if step % 50 == 0 or step == settings.steps:
            print(f"step {step} of {settings.steps}: loss {loss:.3f}, {time.monotonic() - began:.0f} s", flush=True)
    segmenter.load_state_dict(averaged.state_dict())
    facts = {
        "supervised": True,
        "steps": settings.steps,
        "batch_size": settings.batch_size,
        "objects": len(measuring),
        "seed": settings.seed,
        "seconds": round(time.monotonic() - began),
    }
    save_model(folder, networks, split.label_set, facts, CARD)
    return folder


def main(settings: Settings) -> None:
    """Trains, and says where the model is."""
    torch.set_num_threads(settings.threads)
    print(f"the model is {train(settings)}; python benchmarks/quality/seigan_masks.py measures it")


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
