"""The enhancement network G_enh: a pasted object made to fit its new surroundings (section 2.3, fig. 3 left)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Enhancer(nn.Module):
    """Sees the paste z, its mask m and perhaps noise, and returns z + a bounded residual, the more so within m.

    Args:
        network: (B, 4 + noise_channels, H, W) -> (B, 3, H, W); it starts by changing nothing.
        residual: the largest change of a colour in [-1, 1].
        noise_channels: planes of noise; where none is given they are zeros.
    """

    def __init__(self, network: nn.Module, *, residual: float = 0.5, noise_channels: int = 0) -> None:
        super().__init__()
        self.network, self.residual, self.noise_channels = network, residual, noise_channels

    def forward(self, image: Tensor, mask: Tensor, noise: Tensor | None = None) -> Tensor:
        """Returns y^, float32 (B, 3, H, W) in [-1, 1], of z (B, 3, H, W) in [-1, 1] and m (B, 1, H, W) in [0, 1].

        `noise` is (B, noise_channels, H, W).
        """
        seen = [image, mask]
        if self.noise_channels:
            height, width = image.shape[2:]
            zeros = image.new_zeros(len(image), self.noise_channels, height, width)
            seen.append(zeros if noise is None else noise)
        change = self.residual * torch.tanh(self.network(torch.cat(seen, 1)).float())
        return (image + change).clamp(-1, 1)
