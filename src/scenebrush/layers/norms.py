"""Normalisation layers."""

from __future__ import annotations

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
