"""SESAME under the training loop: networks, windows and losses from a recipe."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from scenebrush.data.split_in_memory import SplitInMemory
from scenebrush.data.windows import HOLE_KINDS, TrainingWindows
from scenebrush.errors import RecipeError
from scenebrush.layers.discriminators.feature_heads import FeatureDiscriminator
from scenebrush.layers.vgg import VGG
from scenebrush.losses.perceptual import PerceptualLoss
from scenebrush.losses.style import StyleLoss
from scenebrush.methods.sesame.config import SesameConfig
from scenebrush.methods.sesame.dataset import GuidedWindows, cache_key
from scenebrush.methods.sesame.feature_objective import FeatureObjective
from scenebrush.methods.sesame.folder import save_model
from scenebrush.methods.sesame.inputs import EditBatch, collate, true_colors
from scenebrush.methods.sesame.networks import build_discriminator, build_generator
from scenebrush.methods.sesame.objective import LossWeights, Objective
from scenebrush.methods.sesame.preprocess import paste
from scenebrush.methods.settings import checked_settings
from scenebrush.scene.label_set import LabelSet

UNGUIDED_SHARE = 0.15  # of the windows come without a canvas, so that one network serves both ways
HINTED_SHARE = 0.4  # of the windows say what colour their objects are
HINT_NOISE = 0.03
SAMPLES = 8

_ONLY_WITH = {
    **dict.fromkeys(("num_residual", "skips", "wide"), ("network", "paper")),
    "embedding": ("network", "compact"),
    **dict.fromkeys(
        ("discriminator_scales", "discriminator_layers", "discriminator_mean_gate"), ("discriminator", "two_stream")
    ),
}
"""Settings that only one kind of network has; asked for with another they would be passed over in silence."""

StageSettings = tuple[Mapping[str, Any], Mapping[str, Any]]
"""Of one stage: how windows are cut (`training.recipe.WindowsSpec` as a mapping), and the loss weights by name."""


class SesameTrainee:
    """See `training.trainee.Trainee`.

    Args:
        config: the method's configuration as in the recipe; `num_classes` and `thing_classes` come from the data.
        stages: what each stage learns from.
        folder: a scene folder.
        seed: decides the initial weights and the windows.
        cache: where windows and their canvases are kept; None = made anew each time.
        half: keep the frozen loss networks in bfloat16 (for mixed precision), which saves a cast at each call.

    Raises:
        RecipeError: a setting that SESAME does not have, or a stage without any loss.
        InputError: no such data.
        ModelError: a loss needs VGG weights that are not at hand.
    """

    memories: Mapping[str, Any] = {}

    def __init__(
        self,
        config: Mapping[str, Any],
        stages: Sequence[StageSettings],
        folder: Path,
        *,
        seed: int = 0,
        cache: Path | None = None,
        half: bool = False,
    ) -> None:
        self.weights = [loss_weights(losses, config.get("discriminator")) for _, losses in stages]
        check_losses(self.weights, config.get("discriminator"))
        # Before the windows, which take long and leave a folder: missing weights are to be told at once.
        self._perceptual = PerceptualLoss.from_assets() if any(w.perceptual for w in self.weights) else None
        self._style = StyleLoss(VGG.from_assets()) if any(w.style for w in self.weights) else None
        self.windows = training_windows(config, stages, folder, seed=seed, cache=cache)
        self.label_set = self.windows[0].windows.label_set
        self.config = sesame_config(config, self.label_set, window=self.windows[-1].windows.size)
        needs_judge = any(w.adversarial for w in self.weights)
        with torch.random.fork_rng(devices=[]):  # initial weights; everything later has generators of its own
            torch.manual_seed(seed)
            self.generator: nn.Module = build_generator(self.config)
            self._judge = build_discriminator(self.config) if needs_judge else None
        self.discriminator: nn.Module | None = self._judge
        for network in (self._perceptual, self._style):
            if network is not None:
                network.to(torch.bfloat16 if half else torch.float32)

    def num_windows(self, stage: int) -> int:
        return len(self.windows[stage])

    def batch(self, stage: int, indices: list[int], rng: torch.Generator) -> EditBatch:
        windows = [self.windows[stage][i] for i in indices]
        draws = torch.rand(len(windows), 3, generator=rng)
        noise = torch.randn(len(windows), 3, generator=rng) * HINT_NOISE
        hints, shown = [], []
        for window, (unguided, hinted, _), shift in zip(windows, draws.tolist(), noise.tolist(), strict=True):
            colors = true_colors(window) if hinted < HINTED_SHARE else {}
            hints.append({k: (c[0] + shift[0], c[1] + shift[1], c[2] + shift[2]) for k, c in colors.items()})
            shown.append(dataclasses.replace(window, guide=None, copied=None) if unguided < UNGUIDED_SHARE else window)
        return collate(shown, hints=hints)

    def generator_step(self, batch: EditBatch, stage: int, ramp: float) -> tuple[Tensor, Mapping[str, Tensor], Tensor]:
        weights = self.weights[stage]
        return self._objective(batch).generator_step(
            batch, dataclasses.replace(weights, adversarial=weights.adversarial * ramp)
        )

    def discriminator_step(self, batch: EditBatch, made: Tensor, stage: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        return self._objective(batch).discriminator_step(batch, made, self.weights[stage])

    def adversarial(self, stage: int) -> bool:
        return self.weights[stage].adversarial > 0

    def sample(self, generator: nn.Module) -> np.ndarray:
        last = self.windows[-1]
        batch = collate([last[i] for i in range(min(SAMPLES, len(last)))]).to(next(generator.parameters()).device)
        with torch.no_grad():
            drawing = generator(batch)
        hole = batch.image * (1 - batch.hole)
        canvas = [paste(hole, batch.guide, batch.hole)] if last.guided else []
        return _sheet([hole, *canvas, paste(batch.image, drawing.image, batch.hole), batch.image])

    def export(self, generator: nn.Module, folder: Path, facts: Mapping[str, Any]) -> None:
        network = self._perceptual.name if self._perceptual is not None else "none"
        facts = {**facts, "perceptual_network": network, "windows": [len(w) for w in self.windows]}
        save_model(folder, generator, self.config, self.label_set, facts)

    def _objective(self, batch: EditBatch) -> Objective:
        device = batch.image.device
        if isinstance(self._judge, FeatureDiscriminator):
            return self._feature_objective(self._judge, device)
        return Objective(
            self.generator,
            self.discriminator,
            judge=self._judge,
            num_classes=self.config.num_classes,
            semantics_everywhere=self.config.semantics == "everywhere",
            perceptual=self._perceptual.to(device) if self._perceptual is not None else None,
            style=self._style.to(device) if self._style is not None else None,
        )

    def _feature_objective(self, judge: FeatureDiscriminator, device: torch.device) -> FeatureObjective:
        assert self._perceptual is not None  # check_losses
        return FeatureObjective(
            self.generator,
            self.discriminator or judge,
            judge=judge,
            num_classes=self.config.num_classes,
            semantics_everywhere=self.config.semantics == "everywhere",
            perceptual=self._perceptual.to(device),
            style=self._style.to(device) if self._style is not None else None,
        )


def sesame_config(given: Mapping[str, Any], label_set: LabelSet, *, window: int) -> SesameConfig:
    """Returns the configuration of a recipe; what it leaves open about the classes comes from the data."""
    things = tuple(index for index, c in enumerate(label_set.classes) if c.kind == "thing")
    from_data = {"num_classes": len(label_set.classes), "thing_classes": things, "window": window}
    config = checked_settings(SesameConfig, {**from_data, **given}, method="SESAME", place="config", what="setting")
    for name, (option, value) in _ONLY_WITH.items():
        chosen = getattr(config, option)
        if name in given and chosen != value and getattr(config, name) != getattr(SesameConfig(), name):
            raise RecipeError(f'config.{name} counts with {option} "{value}" only, not with "{chosen}"; leave it out')
    return config


def loss_weights(given: Mapping[str, Any], discriminator: str | None = None) -> LossWeights:
    """Returns a stage's loss weights; `discriminator` is the recipe's, None = the default.

    Raises:
        RecipeError: a name or value that is none, no loss at all, or one that this discriminator does not have.
    """
    weights = checked_settings(LossWeights, given, method="SESAME", place="losses", what="loss")
    for name, value in dataclasses.asdict(weights).items():
        if not isinstance(value, str) and value < 0:
            raise RecipeError(f"losses.{name} is {value}; expected 0 (off) or more")
    if not weights.any:
        raise RecipeError("losses: all are 0; give one of adversarial, perceptual, reconstruction a weight above 0")
    if discriminator != "features":
        return weights
    if "feature_matching" in given and weights.feature_matching:
        raise RecipeError(
            f'losses.feature_matching is {weights.feature_matching:g}, but discriminator "features" has only the'
            " perceptual network's features, which `perceptual` matches; set it to 0 or leave it out"
        )
    return dataclasses.replace(weights, feature_matching=0.0)


def check_losses(stages: Sequence[LossWeights], discriminator: str | None) -> None:
    """Raises `RecipeError` where the discriminator needs a network that no stage's losses bring."""
    if discriminator != "features" or not any(w.adversarial for w in stages):
        return
    if not any(w.perceptual for w in stages):
        raise RecipeError('discriminator "features" looks through the perceptual network: give perceptual a weight')


def training_windows(
    config: Mapping[str, Any], stages: Sequence[StageSettings], folder: Path, *, seed: int, cache: Path | None
) -> list[GuidedWindows]:
    """Returns the windows of every stage; no network is built."""
    splits = {split: SplitInMemory(folder, split) for split in {spec["split"] for spec, _ in stages}}
    label_set = next(iter(splits.values())).label_set
    whole = sesame_config(config, label_set, window=stages[-1][0]["size"])
    guided = whole.guided and whole.network == "compact"
    return [_windows(splits[spec["split"]], spec, guided, seed, cache) for spec, _ in stages]


def _windows(
    split: SplitInMemory, spec: Mapping[str, Any], guided: bool, seed: int, cache: Path | None
) -> GuidedWindows:
    settings = {k: v for k, v in spec.items() if k not in ("split", "count")}
    settings["kinds"] = settings["kinds"] or dict(HOLE_KINDS)
    key = cache_key({**settings, "seed": seed, "stems": [p.stem for p in split.photos], "guided": guided})
    windows = TrainingWindows(split, seed=seed, **settings)
    place = cache / f"{key}-{spec['count']}" if cache is not None else None
    return GuidedWindows(windows, spec["count"], guided=guided, cache=place)


def _sheet(columns: list[Tensor]) -> np.ndarray:
    pixels = torch.cat([torch.cat(list(c.float().cpu()), 1) for c in columns], 2)  # (3, N * H, columns * W)
    return ((pixels.permute(1, 2, 0).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()
