"""Normalisation layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


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

    torch's turns a channels_last map around and the next convolution turns it back; and for a batch of one its gradient
    is wrong on the CPU where the one that comes in is channels_last (2.13). With one sample, batch norm is the same
    thing: it has kernels for both layouts, takes a fifth of the time, and its gradient is right.
    """

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.channels = channels
        self.eps = eps

    def forward(self, input: Tensor) -> Tensor:
        """Returns `input` (B, C, H, W), every channel of every sample with mean 0 and variance 1, in its own layout."""
        samples = [F.batch_norm(one, None, None, training=True, eps=self.eps) for one in torch.split(input, 1)]
        return samples[0] if len(samples) == 1 else torch.cat(samples)

    def extra_repr(self) -> str:
        """Returns what `repr` shows in brackets."""
        return f"{self.channels}, eps={self.eps}"
