"""SESAME under the training loop: networks, windows and losses from a recipe."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from scenebrush.data.split_in_memory import SplitInMemory
from scenebrush.data.windows import HOLE_KINDS, TrainingWindows
from scenebrush.errors import RecipeError, nearest_name
from scenebrush.layers.vgg import VGG
from scenebrush.losses.perceptual import PerceptualLoss
from scenebrush.losses.style import StyleLoss
from scenebrush.methods.sesame.config import SesameConfig
from scenebrush.methods.sesame.dataset import GuidedWindows, cache_key
from scenebrush.methods.sesame.folder import save_model
from scenebrush.methods.sesame.inputs import EditBatch, collate, true_colors
from scenebrush.methods.sesame.networks import build_discriminator, build_generator
from scenebrush.methods.sesame.objective import LossWeights, Objective
from scenebrush.methods.sesame.preprocess import paste

UNGUIDED_SHARE = 0.15  # of the windows come without a canvas, so that one network serves both ways
HINTED_SHARE = 0.4  # of the windows say what colour their objects are
SAMPLES = 8


class SesameTrainee:
    """See `training.trainee.Trainee`.

    Args:
        config: the method's configuration as in the recipe; `num_classes` and `thing_classes` come from the data.
        stages: per stage (window settings, loss settings, batch size) as plain mappings.
        folder: a scene folder.
        seed: decides the initial weights and the windows.
        cache: where windows and their canvases are kept; None = made anew each time.
        half: keep the frozen loss networks in bfloat16 (for mixed precision), which saves a cast at each call.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        stages: list[tuple[Mapping[str, Any], Mapping[str, Any]]],
        folder: Path,
        *,
        seed: int = 0,
        cache: Path | None = None,
        half: bool = False,
    ) -> None:
        self.weights = [_loss_weights(losses) for _, losses in stages]
        splits = {spec["split"]: SplitInMemory(folder, spec["split"]) for spec, _ in stages}
        self.label_set = next(iter(splits.values())).label_set
        self.config = _config(config, self.label_set.ids, self.label_set.of_kind("thing"), stages[-1][0]["size"])
        self.windows = [_windows(splits, spec, self.config.guided, seed, cache) for spec, _ in stages]
        torch.manual_seed(seed)  # initial weights; everything later has generators of its own
        self.generator: nn.Module = build_generator(self.config)
        needed = any(w.adversarial for w in self.weights)
        self._judge = build_discriminator(self.config) if needed else None
        self.discriminator: nn.Module | None = self._judge
        perceptual = PerceptualLoss.from_assets() if any(w.perceptual for w in self.weights) else None
        style = StyleLoss(VGG.from_assets()) if any(w.style for w in self.weights) else None
        self.perceptual_network = perceptual.name if perceptual else "none"
        self._frozen = (perceptual, style)
        for network in filter(None, self._frozen):
            network.to(torch.bfloat16 if half else torch.float32)

    def num_windows(self, stage: int) -> int:
        return len(self.windows[stage])

    def batch(self, stage: int, indices: list[int], rng: torch.Generator) -> EditBatch:
        windows = [self.windows[stage][i] for i in indices]
        draws = torch.rand(len(windows), 3, generator=rng)
        noise = torch.randn(len(windows), 3, generator=rng) * 0.03
        hints, shown = [], []
        for window, (unguided, hinted, _), shift in zip(windows, draws.tolist(), noise.tolist(), strict=True):
            colors = true_colors(window) if hinted < HINTED_SHARE else {}
            hints.append({k: (c[0] + shift[0], c[1] + shift[1], c[2] + shift[2]) for k, c in colors.items()})
            shown.append(dataclasses.replace(window, guide=None, copied=None) if unguided < UNGUIDED_SHARE else window)
        return collate(shown, hints=hints)

    def generator_step(
        self, batch: EditBatch, stage: int, ramp: float
    ) -> tuple[Tensor, Mapping[str, Tensor], Tensor]:
        weights = self.weights[stage]
        return self._objective(batch).generator_step(
            batch, dataclasses.replace(weights, adversarial=weights.adversarial * ramp)
        )

    def discriminator_step(self, batch: EditBatch, made: Tensor, stage: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        return self._objective(batch).discriminator_step(batch, made, self.weights[stage])

    def adversarial(self, stage: int) -> bool:
        return self.weights[stage].adversarial > 0

    def sample(self, generator: nn.Module) -> np.ndarray:
        windows = [self.windows[-1][i] for i in range(SAMPLES)]
        batch = collate(windows).to(next(generator.parameters()).device)
        with torch.no_grad():
            drawing = generator(batch)
        hole = batch.image * (1 - batch.hole)
        columns = [hole, paste(hole, batch.guide, batch.hole), paste(batch.image, drawing.image, batch.hole), batch.image]
        return _sheet(columns)

    def export(self, generator: nn.Module, folder: Path, facts: Mapping[str, Any]) -> None:
        facts = {**facts, "perceptual_network": self.perceptual_network, "windows": [len(w) for w in self.windows]}
        save_model(folder, generator, self.config, self.label_set, facts)

    def _objective(self, batch: EditBatch) -> Objective:
        perceptual, style = (loss.to(batch.image.device) if loss is not None else None for loss in self._frozen)
        return Objective(
            self.generator,
            self.discriminator,
            judge=self._judge,
            num_classes=self.config.num_classes,
            semantics_everywhere=self.config.semantics == "everywhere",
            perceptual=perceptual,
            style=style,
        )


def _config(given: Mapping[str, Any], ids: tuple[int, ...], things: tuple[int, ...], window: int) -> SesameConfig:
    names = [field.name for field in dataclasses.fields(SesameConfig)]
    for name in given:
        if name not in names:
            raise RecipeError(f"config.{name}: SESAME has no such setting{nearest_name(name, names)}; it has {', '.join(names)}")
    from_data = {"num_classes": len(ids), "thing_classes": tuple(ids.index(i) for i in things), "window": window}
    return SesameConfig(**{**from_data, **given})


def _loss_weights(given: Mapping[str, Any]) -> LossWeights:
    names = [field.name for field in dataclasses.fields(LossWeights)]
    for name in given:
        if name not in names:
            raise RecipeError(f"losses.{name}: SESAME has no such loss{nearest_name(name, names)}; it has {', '.join(names)}")
    return LossWeights(**given)


def _windows(
    splits: Mapping[str, SplitInMemory], spec: Mapping[str, Any], guided: bool, seed: int, cache: Path | None
) -> GuidedWindows:
    settings = {k: v for k, v in spec.items() if k not in ("split", "count")}
    settings["kinds"] = settings["kinds"] or dict(HOLE_KINDS)
    split = splits[spec["split"]]
    key = cache_key({**settings, "seed": seed, "stems": [p.stem for p in split.photos], "guided": guided})
    windows = TrainingWindows(split, seed=seed, **settings)
    return GuidedWindows(windows, spec["count"], guided=guided, cache=cache / f"{key}-{spec['count']}" if cache else None)


def _sheet(columns: list[Tensor]) -> np.ndarray:
    pixels = torch.cat([torch.cat(list(c.float().cpu()), 1) for c in columns], 2)  # (3, N * H, columns * W)
    return ((pixels.permute(1, 2, 0).clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).numpy()
