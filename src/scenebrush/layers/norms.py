"""Normalisation layers."""

from __future__ import annotations

from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_AT_ONCE: Final = 2**16  # numbers whose squares are summed at a time: they stay in a core's cache


class ParameterFreeBatchNorm(nn.BatchNorm2d):
    """Batch norm without scale and shift (eps 1e-5, momentum 0.1), as inside SPADE.

    `nn.SyncBatchNorm.convert_sync_batchnorm` turns it into its synchronised kind for several devices. The batch
    counter, unused with a fixed momentum, stays still, as it does in the authors' checkpoints.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__(channels, affine=False)

    def forward(self, input: Tensor) -> Tensor:
        """Returns the normalised `input` (B, C, H, W): batch statistics in training, running ones otherwise."""
        momentum = 0.1 if self.momentum is None else self.momentum
        return F.batch_norm(
            input, self.running_mean, self.running_var, training=self.training, momentum=momentum, eps=self.eps
        )


class InstanceNorm(nn.Module):
    """Instance norm without parameters or running statistics (eps 1e-5): `nn.InstanceNorm2d`, but quick and right.

    torch's turns a channels_last map around and the next convolution turns it back, which takes three times as long on
    a CPU; and for a batch of one its gradient is wrong there where the one that comes in is channels_last (2.13).
    Batch norm of single samples has neither fault, but sums up a CPU's large maps too roughly (1e-4 at a megapixel).
    """

    def __init__(self, channels: int, eps: float = 1e-5, *, inplace: bool = False) -> None:
        """Builds the norm; with `inplace` it may write over its input where that needs no gradient (on a CPU)."""
        super().__init__()
        self.channels = channels
        self.eps = eps
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Returns `input` (B, C, H, W), every channel of every sample with mean 0 and variance 1, in its own layout."""
        if input.device.type != "cpu":
            samples = [F.batch_norm(one, None, None, training=True, eps=self.eps) for one in torch.split(input, 1)]
            return samples[0] if len(samples) == 1 else torch.cat(samples)
        if torch.is_grad_enabled() and input.requires_grad:
            normalized: Tensor = _InstanceNorm.apply(input, self.eps)  # type: ignore[no-untyped-call]
            return normalized
        return _normalize(input, self.eps, inplace=self.inplace)[0]

    def extra_repr(self) -> str:
        """Returns what `repr` shows in brackets."""
        return f"{self.channels}, eps={self.eps}"


class _InstanceNorm(torch.autograd.Function):
    """Keeps the input, as batch norm does, so that a ReLU may work on the output in place."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, eps: float) -> Tensor:
        y, mean, scale = _normalize(x, eps)
        ctx.save_for_backward(x, mean, scale)
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """dx = scale (g - E[g] - y E[g y])."""
        x, mean, scale = ctx.saved_tensors
        gradient = gradients[0].float()
        y = (x.float() - mean).mul_(scale)
        shared = (gradient * y).mean((2, 3), keepdim=True)
        dx = torch.addcmul(gradient - gradient.mean((2, 3), keepdim=True), y, shared, value=-1)
        return dx.mul_(scale).to(x.dtype), None


def _normalize(x: Tensor, eps: float, *, inplace: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Returns (x - mean) * scale, mean and scale, the latter float32 (B, C, 1, 1)."""
    wide = x.float()
    mean = wide.mean((2, 3), keepdim=True)
    centred = wide.sub_(mean) if inplace or wide is not x else wide - mean
    scale = (_mean_square(centred) + eps).rsqrt()
    return centred.mul_(scale).to(x.dtype), mean, scale


def _mean_square(x: Tensor) -> Tensor:
    """Returns the mean of x^2 over the pixels, (B, C, 1, 1), its squares never stored whole: fresh memory is slow."""
    batch, channels, height, width = x.shape
    rows = max(_AT_ONCE // (batch * channels * width), 1)
    sums = [part.square().sum((2, 3), keepdim=True) for part in torch.split(x, rows, 2)]
    return torch.stack(sums).sum(0) / (height * width)
