"""How unlike two windows look: what `--adapt` learns by and is judged by.

Both ways were chosen by how well they foretell LPIPS when a network changes a little (README.md, section Figures): the
mean absolute difference of pixels does not, since it likes blur.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from scenebrush.errors import ModelError
from scenebrush.losses.perceptual import PerceptualLoss


class Likeness(Protocol):
    """A differentiable distance of pictures."""

    name: str
    weight: float
    """What it counts in training, beside the reconstruction."""

    def __call__(self, fake: Tensor, real: Tensor) -> Tensor:
        """Returns distances (B,), 0 = equal, of pictures (B, 3, H, W) in [-1, 1]; no gradient flows into `real`."""
        ...


def likeness(folder: Path | None = None) -> Likeness:
    """Returns the distance by VGG features where weights are at hand (`SCENEBRUSH_ASSETS`), else by detail."""
    try:
        return VggLikeness(PerceptualLoss.from_assets(folder))
    except ModelError:  # a plain installation has no VGG
        return DetailLikeness()


class VggLikeness:
    """The perceptual loss of every picture for itself."""

    weight = 8.0

    def __init__(self, loss: PerceptualLoss) -> None:
        self.loss = loss
        self.name = f"{loss.name} features"

    def __call__(self, fake: Tensor, real: Tensor) -> Tensor:
        made, true = self.loss.vgg(fake, self.loss.layers), self.loss.real_features(real)
        single = [self.loss.distance([f[i] for f in made], [r[i] for r in true]) for i in range(len(fake))]
        return torch.stack(single)


class DetailLikeness:
    """Steps of brightness between neighbours, at three scales: each one, and how strong they are in squares of 4x4.

    Steps that stand at another place count once, steps that are missing (blur) or too many (noise) thrice.
    """

    name = "detail at three scales"
    weight = 20.0
    scales = 3
    strength = 2.0  # of the squares' part

    def __call__(self, fake: Tensor, real: Tensor) -> Tensor:
        made, true = fake.float(), real.detach().float()
        distance = made.new_zeros(len(made))
        for _ in range(self.scales):
            for axis in (2, 3):
                a, b = made.diff(dim=axis), true.diff(dim=axis)
                squares = F.avg_pool2d(a.abs(), 4) - F.avg_pool2d(b.abs(), 4)
                distance = distance + _mean(a - b) + self.strength * _mean(squares)
            made, true = F.avg_pool2d(made, 2), F.avg_pool2d(true, 2)
        return distance


def _mean(difference: Tensor) -> Tensor:
    return difference.abs().flatten(1).mean(1)
