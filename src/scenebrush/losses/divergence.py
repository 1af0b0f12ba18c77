"""Divergence of a normal distribution from the standard one: what holds the styles of a VAE together."""

from __future__ import annotations

import torch
from torch import Tensor


def kl_to_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Returns KL(N(mean, variance) || N(0, 1)), summed over batch and dimensions, for two tensors of one shape.

    -1/2 sum(1 + log s^2 - m^2 - s^2) (Kingma & Welling 2014, appendix B). SPADE sums over the batch, too: its weight
    of 0.05 is meant for that.
    """
    mean, log_variance = mean.float(), log_variance.float()
    return -0.5 * torch.sum(1 + log_variance - mean.square() - log_variance.exp())
