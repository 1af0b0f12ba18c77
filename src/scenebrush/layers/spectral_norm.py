"""Convolutions with spectral normalisation (Miyato et al. 2018): W / sigma(W), sigma by power iteration."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class _Spectral(nn.Module):
    """What both kinds of convolution share: the buffers u and v, and the weight that they divide."""

    weight: Tensor
    weight_u: Tensor
    weight_v: Tensor

    def normalized_weight(self) -> Tensor:
        """Returns W / (u^T W v), the shape of `weight`; in training after one power iteration."""
        with torch.autocast(self.weight.device.type, enabled=False):
            if self.training:
                self.iterate_()
            # Clones: a later pass moves the buffers in place, which must not touch this pass's gradient.
            u, v = self.weight_u.clone(), self.weight_v.clone()
            sigma = torch.dot(u, torch.mv(self._rows(), v))
            normalized: Tensor = self.weight / sigma
            return normalized

    @torch.no_grad()
    def iterate_(self) -> None:
        """Does one power iteration, v then u, on the buffers."""
        rows = self._rows()
        self.weight_v.copy_(F.normalize(torch.mv(rows.t(), self.weight_u), dim=0, eps=1e-12))
        self.weight_u.copy_(F.normalize(torch.mv(rows, self.weight_v), dim=0, eps=1e-12))

    def _rows(self) -> Tensor:
        """Returns the weight as a matrix, one row per output channel."""
        return self.weight.flatten(1)

    def _register_vectors(self) -> None:
        rows = self._rows()
        self.register_buffer("weight_u", F.normalize(torch.randn(rows.shape[0], device=rows.device), dim=0))
        self.register_buffer("weight_v", F.normalize(torch.randn(rows.shape[1], device=rows.device), dim=0))


class SpectralConv2d(_Spectral, nn.Conv2d):
    """A convolution whose weight is divided by its largest singular value, estimated as u^T W v.

    In training every forward pass first does one power iteration, v then u, on the buffers `weight_u` and
    `weight_v`; in evaluation they stay. `torch.nn.utils.parametrizations.spectral_norm` does u then v and
    starts with 15 iterations, which is why this is our own: it gives the numbers of the authors' checkpoints.
    Sigma is computed in float32 under autocast too. The parameter keeps the name `weight`.
    """

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
        self._register_vectors()

    def forward(self, input: Tensor) -> Tensor:
        """Returns the convolution of `input` (B, C, H, W) with the normalised weight."""
        output: Tensor = self._conv_forward(input, self.normalized_weight(), self.bias)
        return output


class SpectralConvTranspose2d(_Spectral, nn.ConvTranspose2d):
    """A transposed convolution under spectral norm, as `SpectralConv2d`.

    Its weight is (in, out, k, k); the matrix has a row per output channel, as torch's own spectral norm takes it.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        stride: int = 1,
        padding: int = 0,
        bias: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, bias=bias)
        self._register_vectors()

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Returns the transposed convolution of `input` (B, C, H, W) with the normalised weight.

        `output_size` is torch's and not supported: the output is (H - 1) * stride - 2 * padding + kernel_size high.
        """
        assert output_size is None
        padding = cast("tuple[int, ...]", self.padding)
        return F.conv_transpose2d(input, self.normalized_weight(), self.bias, self.stride, padding)

    def _rows(self) -> Tensor:
        return self.weight.transpose(0, 1).flatten(1)


@torch.no_grad()
def settle_(network: nn.Module, iterations: int = 15) -> None:
    """Brings u and v of every spectral layer close to the leading singular pair, as many passes in training would.

    For a new network that is first used in evaluation mode: with u and v still random, u^T W v may be near 0 and its
    outputs, and every gradient through them, a hundred times too large.
    """
    for module in network.modules():
        if isinstance(module, _Spectral):
            for _ in range(iterations):
                module.iterate_()
