"""Perceptual loss: L1 between the VGG features of two pictures (Johnson et al. 2016; pix2pixHD, SPADE, SESAME)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.layers.vgg import VGG

LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)


class PerceptualLoss(nn.Module):
    """L1 on relu1_1 ... relu5_1 with weights 1/32 ... 1; `name` says which network a number depends on.

    The network is frozen and kept out of checkpoints.
    """

    def __init__(self, vgg: VGG, layers: Sequence[str] = LAYERS, weights: Sequence[float] = WEIGHTS) -> None:
        super().__init__()
        if len(layers) != len(weights):
            raise ValueError(f"{len(layers)} layers but {len(weights)} weights; give one weight per layer")
        self.vgg = vgg
        self.layers = tuple(layers)
        self.weights = tuple(weights)
        self.name = vgg.name

    @classmethod
    def from_assets(cls, folder: Path | None = None, *, imagenet_normalisation: bool = False) -> Self:
        """Returns the loss on VGG19, as the papers have it, or on VGG16 where only that is at hand (see `name`)."""
        return cls(VGG.from_assets(folder, imagenet_normalisation=imagenet_normalisation))

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """Returns the loss of `fake` against `real`, both (B, 3, H, W) in [-1, 1]; no gradient flows into `real`."""
        return self.distance(self.vgg(fake, self.layers), self.real_features(real))

    def real_features(self, real: Tensor) -> list[Tensor]:
        """Returns the features of `real` without gradient, to be used again in `distance`."""
        with torch.no_grad():
            features: list[Tensor] = self.vgg(real, self.layers)
        return features

    def distance(self, fake: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
        """Returns the weighted sum of the layers' mean absolute differences."""
        pairs = zip(self.weights, fake, real, strict=True)
        return torch.stack([weight * F.l1_loss(f.float(), r.float()) for weight, f, r in pairs]).sum()
