"""`losses.divergence` against torch's own distributions."""

from __future__ import annotations

import torch
from torch.distributions import Normal, kl_divergence

from scenebrush.losses.divergence import kl_to_standard_normal


def test_it_is_the_divergence_summed() -> None:
    generator = torch.Generator().manual_seed(0)
    mean, log_variance = torch.randn(2, 4, 7, generator=generator)
    wanted = kl_divergence(Normal(mean, torch.exp(log_variance / 2)), Normal(0.0, 1.0)).sum()
    torch.testing.assert_close(kl_to_standard_normal(mean, log_variance), wanted)


def test_it_is_zero_at_the_standard_normal_only() -> None:
    zero = torch.zeros(2, 3)
    assert float(kl_to_standard_normal(zero, zero)) == 0
    assert float(kl_to_standard_normal(zero + 0.1, zero)) > 0
    assert float(kl_to_standard_normal(zero, zero - 0.1)) > 0


def test_half_precision_is_summed_in_single() -> None:
    mean = torch.full((64, 256), 3.0, dtype=torch.bfloat16)
    result = kl_to_standard_normal(mean, torch.zeros_like(mean))
    assert result.dtype == torch.float32
    assert float(result) == 64 * 256 * 4.5
