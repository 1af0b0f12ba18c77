"""`layers.spade`: the modulation by hand, nearest labels, and the closed-form parameter counts of facts 7."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from scenebrush.layers.norms import ParameterFreeBatchNorm
from scenebrush.layers.spade import SPADE, SPADEBlock


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def layer_parameters(width: int, condition: int) -> int:
    return 128 * (9 * condition + 1) + 2 * width * (9 * 128 + 1)


@pytest.mark.parametrize(("inside", "outside", "condition"), [(256, 256, 36), (256, 128, 36), (128, 64, 36), (6, 9, 4)])
def test_block_parameters(inside: int, outside: int, condition: int) -> None:
    middle = min(inside, outside)
    wanted = 9 * inside * middle + middle + 9 * middle * outside + outside
    wanted += layer_parameters(inside, condition) + layer_parameters(middle, condition)
    if inside != outside:
        wanted += inside * outside + layer_parameters(inside, condition)
    with torch.device("meta"):
        assert count(SPADEBlock(inside, outside, condition)) == wanted


@pytest.mark.parametrize(
    ("inside", "outside", "wanted"), [(256, 256, 2_444_032), (256, 128, 2_076_032), (128, 64, 981_632)]
)
def test_published_block_parameters(inside: int, outside: int, wanted: int) -> None:
    with torch.device("meta"):
        assert count(SPADEBlock(inside, outside, 36)) == wanted


def test_gamma_and_beta_of_a_constant_condition() -> None:
    """With only biases, y = (1 + gamma) N(x) + beta."""
    layer = SPADE(2, 3).eval()
    for part in (layer.hidden, layer.gamma, layer.beta):
        nn.init.zeros_(part.weight)
    layer.gamma.bias.data = torch.tensor([0.5, -1.0])
    layer.beta.bias.data = torch.tensor([0.25, 2.0])
    x = torch.randn(1, 2, 4, 4)
    wanted = torch.stack([1.5 * x[:, 0] + 0.25, torch.full((1, 4, 4), 2.0)], 1)
    torch.testing.assert_close(layer(x, torch.rand(1, 3, 8, 8)), wanted, rtol=1e-4, atol=1e-4)


def test_the_condition_is_resized_by_nearest() -> None:
    torch.manual_seed(0)
    layer = SPADE(2, 3).eval()
    x, condition = torch.randn(1, 2, 4, 4), torch.rand(1, 3, 8, 12)
    torch.testing.assert_close(layer(x, condition), layer(x, condition[..., ::2, ::3]))


def test_norm_uses_the_batch_in_training_and_running_values_after() -> None:
    norm = ParameterFreeBatchNorm(3)
    x = torch.randn(4, 3, 5, 5) * 3 + 2
    y = norm(x)
    torch.testing.assert_close(y.mean((0, 2, 3)), torch.zeros(3), atol=1e-5, rtol=0)
    torch.testing.assert_close(norm.running_mean, 0.1 * x.mean((0, 2, 3)))
    assert int(norm.num_batches_tracked) == 0
    wanted = (x - norm.running_mean[:, None, None]) / (norm.running_var[:, None, None] + 1e-5).sqrt()
    torch.testing.assert_close(norm.eval()(x), wanted)


def test_norm_becomes_synchronised() -> None:
    block = nn.SyncBatchNorm.convert_sync_batchnorm(SPADEBlock(2, 3, 4))
    assert isinstance(block.modulation_0.norm, nn.SyncBatchNorm)


def test_another_norm_and_kernel_can_be_passed_in() -> None:
    block = SPADEBlock(2, 3, 4, kernel_size=1, norm=nn.InstanceNorm2d)
    assert isinstance(block.modulation_s.norm, nn.InstanceNorm2d)
    assert block(torch.randn(1, 2, 6, 6), torch.rand(1, 4, 6, 6)).shape == (1, 3, 6, 6)
