"""Pictures in strips are the pictures of the plain network, and no strip is larger than asked."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from scenebrush.errors import InputError
from scenebrush.layers.discriminators.patches import pyramid
from scenebrush.methods.pix2pixhd import strips as strips_module
from scenebrush.methods.pix2pixhd.blocks import NORMS
from scenebrush.methods.pix2pixhd.config import NormName, Pix2PixHDConfig
from scenebrush.methods.pix2pixhd.generator import CoarseToFineGenerator
from scenebrush.methods.pix2pixhd.networks import build_networks
from scenebrush.methods.pix2pixhd.strips import HalfRows, Strips, TensorRows, render


def generator(num_enhancers: int, norm: NormName, *, training: bool = False) -> CoarseToFineGenerator:
    torch.manual_seed(num_enhancers)
    made = CoarseToFineGenerator(
        5, width=8, num_downsamplings=2, num_blocks=2, num_enhancers=num_enhancers, num_enhancer_blocks=1,
        norm=NORMS[norm],
    )  # fmt: skip
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.01, 0.1)
    return made.train(training)


@pytest.mark.parametrize("pixels", [1, 300, 1000, 10**6])
@pytest.mark.parametrize("num_enhancers", [0, 1, 2])
@torch.no_grad()
def test_a_picture_in_strips_is_the_untiled_one(num_enhancers: int, pixels: int) -> None:
    x = torch.randn(1, 5, 48, 80)
    made = generator(num_enhancers, "instance")
    assert torch.allclose(render(made, TensorRows(x), Strips(pixels)), made(x), atol=2e-5)


@pytest.mark.parametrize("training", [False, True])
@torch.no_grad()
def test_batch_norm_by_running_and_by_the_pictures_own_statistics(training: bool) -> None:
    x = torch.randn(1, 5, 32, 48)
    made = generator(1, "batch", training=training)
    inside = render(made, TensorRows(x), Strips(200))
    state = {name: b.clone() for name, b in made.named_buffers()}
    assert torch.allclose(inside, made(x), atol=2e-5)
    assert training or all(torch.equal(b, state[name]) for name, b in made.named_buffers())


def test_maps_on_disk_leave_nothing_behind(tmp_path: Path) -> None:
    x, made = torch.randn(1, 5, 32, 48), generator(1, "instance")
    assert torch.equal(render(made, TensorRows(x), Strips(500, tmp_path)), render(made, TensorRows(x), Strips(500)))
    assert not list(tmp_path.iterdir())


def test_no_layer_sees_more_than_a_strip(monkeypatch: pytest.MonkeyPatch) -> None:
    """However tall the picture, what is computed at once stays the same: that is what keeps memory flat."""
    largest: list[int] = []
    plain = F.conv2d

    def watched(x: Tensor, weight: Tensor, *args: object) -> Tensor:
        out = plain(x, weight, *args)  # type: ignore[arg-type]
        largest.append(max(out.shape[2] * out.shape[3], (x.shape[2] - 7) * (x.shape[3] - 7) // 4))
        return out

    monkeypatch.setattr(strips_module.F, "conv2d", watched)
    made, seen = generator(1, "instance"), []
    for height in (64, 256):
        largest.clear()
        render(made, TensorRows(torch.randn(1, 5, height, 32)), Strips(512))
        seen.append(max(largest))
    assert seen[0] == seen[1] <= 512


@torch.no_grad()
def test_half_size_rows_are_the_pyramids() -> None:
    for height in (13, 16):
        x = torch.randn(1, 2, height, 11)
        wanted = pyramid(x, 3)
        quarter = HalfRows(HalfRows(TensorRows(x)))
        for first in range(quarter.height):
            for last in range(first + 1, quarter.height + 1):
                assert torch.allclose(quarter.read(first, last), wanted[2][:, :, first:last], atol=1e-6)


def test_synthesis_in_strips_with_labels_boundaries_and_styles() -> None:
    config = Pix2PixHDConfig(
        num_classes=4, num_features=2, width=8, num_downsamplings=1, num_blocks=1, num_enhancers=1, encoder_width=4,
        encoder_downsamplings=1,
    )  # fmt: skip
    networks = build_networks(config).eval()
    labels, instances = torch.randint(0, 4, (2, 30, 41)), torch.randint(0, 3, (2, 30, 41))
    styles = torch.randn(2, 2, 30, 41)
    whole = networks.synthesize(labels, instances, styles=styles)
    cut = networks.synthesize(labels, instances, styles=styles, strips=Strips(150))
    assert cut.shape == (2, 3, 30, 41) and torch.allclose(cut, whole, atol=2e-5)
    assert torch.allclose(networks.synthesize(labels, strips=Strips(150)), networks.synthesize(labels), atol=2e-5)


def test_half_precision_maps() -> None:
    x, made = torch.randn(1, 5, 32, 48), generator(1, "instance")
    wanted = render(made, TensorRows(x))
    low = render(made.bfloat16(), TensorRows(x.bfloat16()), Strips(400))
    assert low.dtype == torch.float32
    assert float((low - wanted).abs().mean()) < 0.05


def test_what_cannot_be_cut_is_refused() -> None:
    with pytest.raises(InputError, match="30x32; expected sides divisible by 8"):
        render(generator(1, "instance"), TensorRows(torch.randn(1, 5, 32, 30)))
    with pytest.raises(InputError, match="2 samples; expected 1"):
        TensorRows(torch.randn(2, 5, 32, 32))
