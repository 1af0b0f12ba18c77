"""The inpainting network G_inp: the picture without its object (section 2.2, fig. 3 left)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Inpainter(nn.Module):
    """Sees (1 - m) x and m, and returns x^.

    Args:
        network: (B, 4, H, W) -> (B, 3, H, W).
        keeping: what the mask leaves is kept: x^ = (1 - m) x + m drawn (ours; the paper's network draws all anew).
    """

    def __init__(self, network: nn.Module, *, keeping: bool) -> None:
        super().__init__()
        self.network, self.keeping = network, keeping

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Returns x^, float32 (B, 3, H, W) in [-1, 1], of x (B, 3, H, W) and its mask (B, 1, H, W) in [0, 1].

        Of what lies under a mask of 1 nothing is seen.
        """
        left = image * (1 - mask)
        drawn = torch.tanh(self.network(torch.cat([left, mask], 1)).float())
        return left + mask * drawn if self.keeping else drawn
