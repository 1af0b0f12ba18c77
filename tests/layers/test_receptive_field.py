"""`layers.receptive_field` against what gradients show of a real stack of convolutions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.layers.receptive_field import Window, output_size, touched_patches

PATCH = [Window(4, 2, 2)] * 3 + [Window(4, 1, 2)] * 2
HALF = [Window(3, 2, 1), *PATCH]


def by_gradient(hole: Tensor, windows: list[Window]) -> Tensor:
    """The patches whose output depends on a hole pixel: all-positive convolutions of the hole."""
    x = hole.double()
    for kernel, stride, padding in windows:
        x = F.conv2d(x, torch.ones(1, 1, kernel, kernel, dtype=torch.double), stride=stride, padding=padding)
        x = (x > 0).double()
    return x > 0


@pytest.mark.parametrize("windows", [PATCH, HALF], ids=["full", "half"])
@pytest.mark.parametrize("size", [(64, 64), (48, 76), (130, 96)])
def test_touched_is_what_the_convolutions_see(windows: list[Window], size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(1)
    for _ in range(10):
        hole = torch.zeros(1, 1, *size)
        y, x = (int(torch.randint(n, (), generator=generator)) for n in size)
        hole[..., y : y + 3, x : x + 9] = 1
        assert torch.equal(touched_patches(hole, windows), by_gradient(hole, windows))


def test_a_corner_pixel_is_not_seen_through_the_padding() -> None:
    hole = torch.zeros(1, 1, 40, 40)
    hole[..., 0, 0] = 1
    assert torch.equal(touched_patches(hole, HALF), by_gradient(hole, HALF))


def test_one_patch_sees_70_pixels() -> None:
    """The middle patch of a large picture: the number that gave the 70x70 PatchGAN its name."""
    rows = torch.eye(256)[:, None, None, :].expand(-1, -1, 256, -1)  # one picture per column
    seen = touched_patches(rows, PATCH)[:, 0, 17, 17]
    assert int(seen.sum()) == 70
    assert int(touched_patches(rows, HALF)[:, 0, 9, 9].sum()) == 2 * 70 + 1


def test_batches_are_independent_and_empty_holes_touch_nothing() -> None:
    hole = torch.zeros(2, 1, 64, 64, dtype=torch.bool)
    hole[1, 0, 30, 30] = True
    touched = touched_patches(hole, PATCH)
    assert touched.dtype == torch.bool
    assert not touched[0].any()
    assert touched[1].any()


@pytest.mark.parametrize("size", [17, 64, 129])
def test_output_size_is_that_of_a_convolution(size: int) -> None:
    stack = nn.Sequential(*(nn.Conv2d(1, 1, *window) for window in HALF))
    assert output_size(size, HALF) == stack(torch.zeros(1, 1, size, size)).shape[-1]
