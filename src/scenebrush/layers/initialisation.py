"""How the papers initialise their networks."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def xavier_(network: nn.Module, gain: float = 0.02, *, generator: torch.Generator | None = None) -> None:
    """Draws every convolution's and linear layer's weight from Glorot's normal distribution; biases become 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.xavier_normal_(module.weight, gain, generator=generator)
            if module.bias is not None:
                module.bias.zero_()
