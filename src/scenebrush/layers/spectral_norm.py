"""Convolution with spectral normalisation (Miyato et al. 2018): W / sigma(W), sigma by power iteration."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class SpectralConv2d(nn.Conv2d):
    """A convolution whose weight is divided by its largest singular value, estimated as u^T W v.

    In training every forward pass first does one power iteration, v then u, on the buffers `weight_u` and
    `weight_v`; in evaluation they stay. `torch.nn.utils.parametrizations.spectral_norm` does u then v and
    starts with 15 iterations, which is why this is our own: it gives the numbers of the authors' checkpoints.
    Sigma is computed in float32 under autocast too. The parameter keeps the name `weight`.
    """

    weight_u: Tensor
    weight_v: Tensor

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, bias=bias)
        rows = self.weight.flatten(1)
        self.register_buffer("weight_u", F.normalize(torch.randn(rows.shape[0], device=rows.device), dim=0))
        self.register_buffer("weight_v", F.normalize(torch.randn(rows.shape[1], device=rows.device), dim=0))

    def forward(self, input: Tensor) -> Tensor:
        """Returns the convolution of `input` (B, C, H, W) with the normalised weight."""
        output: Tensor = self._conv_forward(input, self.normalized_weight(), self.bias)
        return output

    def normalized_weight(self) -> Tensor:
        """Returns W / (u^T W v), the shape of `weight`; in training after one power iteration."""
        with torch.autocast(self.weight.device.type, enabled=False):
            if self.training:
                self._power_iteration()
            # Clones: a later pass moves the buffers in place, which must not touch this pass's gradient.
            u, v = self.weight_u.clone(), self.weight_v.clone()
            sigma = torch.dot(u, torch.mv(self.weight.flatten(1), v))
            normalized: Tensor = self.weight / sigma
            return normalized

    @torch.no_grad()
    def _power_iteration(self) -> None:
        rows = self.weight.flatten(1)
        self.weight_v.copy_(F.normalize(torch.mv(rows.t(), self.weight_u), dim=0, eps=1e-12))
        self.weight_u.copy_(F.normalize(torch.mv(rows, self.weight_v), dim=0, eps=1e-12))


@torch.no_grad()
def settle_(network: nn.Module, iterations: int = 15) -> None:
    """Brings u and v of every `SpectralConv2d` close to the leading singular pair, as many passes in training would.

    For a new network that is first used in evaluation mode: with u and v still random, u^T W v may be near 0 and its
    outputs, and every gradient through them, a hundred times too large.
    """
    for module in network.modules():
        if isinstance(module, SpectralConv2d):
            for _ in range(iterations):
                module._power_iteration()
