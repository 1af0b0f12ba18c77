"""SemIA's auxiliary classifier: tells a picture's layout, so that the generator can be held to it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DROPOUT = 0.5
DILATIONS = (8, 16)


class AuxiliaryClassifier(nn.Module):
    """Dilated convolutions side by side on the picture (ASPP), then two more.

    As in the released code it regresses the layout's colours; there is no softmax.
    """

    def __init__(self, condition_channels: int = 3, *, image_channels: int = 3, width: int = 128) -> None:
        super().__init__()
        self.point = nn.Conv2d(image_channels, width, 1, bias=False)
        self.dilated = nn.ModuleList(
            nn.Conv2d(image_channels, width, 3, padding=rate, dilation=rate, bias=False) for rate in DILATIONS
        )
        self.pooled = nn.Conv2d(image_channels, width, 1, bias=False)
        self.project = nn.Conv2d((2 + len(DILATIONS)) * width, width, 1, bias=False)
        self.convolution = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.last = nn.Conv2d(width, condition_channels, 1)

    def forward(self, image: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Returns the layout (B, C, H, W) of a picture (B, 3, H, W), both in [-1, 1].

        In training half of the projected features are dropped, by `generator`, or torch's own where it is None.
        """
        pooled = self.pooled(image.mean(dim=(2, 3), keepdim=True)).expand(-1, -1, *image.shape[2:])
        branches = [self.point(image), *(layer(image) for layer in self.dilated), pooled]
        x = F.relu(self.project(F.relu(torch.cat(branches, 1))))
        if self.training:
            kept = torch.rand(x.shape, generator=generator, device=x.device) >= DROPOUT
            x = x * kept / (1 - DROPOUT)
        layout: Tensor = self.last(F.relu(self.norm(self.convolution(x))))
        return layout
