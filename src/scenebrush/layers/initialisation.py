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


@torch.no_grad()
def normal_(network: nn.Module, deviation: float = 0.02, *, generator: torch.Generator | None = None) -> None:
    """Draws every convolution's weight from N(0, deviation) and batch norm's scale from N(1, deviation).

    pix2pix and pix2pixHD start so. Biases of convolutions stay at torch's own draw, batch norm's shift becomes 0.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.weight.normal_(0.0, deviation, generator=generator)
        elif isinstance(module, nn.BatchNorm2d) and module.affine:
            module.weight.normal_(1.0, deviation, generator=generator)
            module.bias.zero_()
