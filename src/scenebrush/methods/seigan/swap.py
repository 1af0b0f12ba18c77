"""The swap network: segmentation and enhancement, object x onto background y (section 2.3)."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from scenebrush.methods.seigan.enhancer import Enhancer
from scenebrush.methods.seigan.segmenter import Segmenter


class Swapped(NamedTuple):
    """m and the mask that it began with, (B, 1, H, W); z = m x + (1 - m) y and y^, both (B, 3, H, W) in [-1, 1]."""

    mask: Tensor
    begun: Tensor
    pasted: Tensor
    enhanced: Tensor


class SwapNetwork(nn.Module):
    """Cuts the object out of x, pastes it onto y and enhances what comes of it."""

    def __init__(self, segmenter: Segmenter, enhancer: Enhancer) -> None:
        super().__init__()
        self.segmenter, self.enhancer = segmenter, enhancer

    def forward(self, x: Tensor, y: Tensor, box: Tensor, noise: Tensor | None = None) -> Swapped:
        """Returns mask, paste and enhanced paste; x, y (B, 3, H, W) in [-1, 1], box (B, 1, H, W) of x's object."""
        mask, begun = self.segmenter.masks(x, box)
        pasted = paste(x, y, mask)
        return Swapped(mask, begun, pasted, self.enhancer(pasted, mask, noise))


def paste(x: Tensor, y: Tensor, mask: Tensor) -> Tensor:
    """Returns z = m x + (1 - m) y."""
    return mask * x + (1 - mask) * y
