"""Tiny SEIGANs, a VGG of made-up weights, and toy data."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from scenebrush.data.toy import write_toy_folder
from scenebrush.layers.discriminators.feature_heads import CHANNELS
from scenebrush.layers.vgg import VGG, layer_indices
from scenebrush.methods.seigan.config import SeiganConfig
from scenebrush.methods.seigan.networks import PairBatch, SeiganNetworks, build_networks


def vgg_tensors() -> dict[str, Tensor]:
    """VGG16 in its real widths, of random weights that keep the size of what they see."""
    generator, tensors, before = torch.Generator().manual_seed(0), {}, 3
    for layer, index in layer_indices("vgg16").items():
        channels = CHANNELS[int(layer[4]) - 1]
        weight = torch.randn(channels, before, 3, 3, generator=generator) * (2 / (9 * before)) ** 0.5
        tensors |= {f"features.{index}.weight": weight, f"features.{index}.bias": torch.zeros(channels)}
        before = channels
    return tensors


@pytest.fixture(scope="session")
def vgg() -> VGG:
    return VGG(vgg_tensors(), "vgg16")


@pytest.fixture(scope="session")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for SCENEBRUSH_ASSETS."""
    folder = tmp_path_factory.mktemp("assets")
    save_file({key: value.half() for key, value in vgg_tensors().items()}, folder / "vgg16.safetensors")
    return folder


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_folder(tmp_path_factory.mktemp("toy"), 6, "train", size=(192, 144), seed=5)


@pytest.fixture(scope="session")
def tiny() -> SeiganConfig:
    return SeiganConfig(kind="compact", width=4, discriminator_width=8, pool_size=0, size=32)


@pytest.fixture
def networks(tiny: SeiganConfig) -> SeiganNetworks:
    torch.manual_seed(0)
    return build_networks(tiny).eval().requires_grad_(False)


@pytest.fixture
def batch() -> PairBatch:
    """Two pairs of noise; the box is the middle half, the shape the middle quarter."""
    generator = torch.Generator().manual_seed(1)
    x, y = (torch.rand(2, 3, 32, 32, generator=generator) * 2 - 1 for _ in range(2))
    box, shape = torch.zeros(2, 1, 32, 32), torch.zeros(2, 1, 32, 32)
    box[:, :, 8:24, 8:24] = 1
    shape[:, :, 12:20, 12:20] = 1
    return PairBatch(x, y, box, shape, 7)
