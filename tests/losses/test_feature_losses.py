"""Feature matching, perceptual and style loss."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from scenebrush.layers.vgg import VGG, layer_indices
from scenebrush.losses.feature_matching import feature_matching
from scenebrush.losses.perceptual import WEIGHTS, PerceptualLoss
from scenebrush.losses.style import StyleLoss, gram_matrix

LAST = {"vgg16": 28, "vgg19": 34}


def thin_vgg(name: str) -> VGG:
    """A VGG with 4 channels everywhere and random weights."""
    generator = torch.Generator().manual_seed(0)
    tensors = {}
    for index in layer_indices(name).values():
        channels = 3 if index == 0 else 4
        tensors[f"features.{index}.weight"] = torch.randn(4, channels, 3, 3, generator=generator) * 0.3
        tensors[f"features.{index}.bias"] = torch.randn(4, generator=generator) * 0.1
    return VGG(tensors, name)


def images() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    fake, real = (torch.rand(2, 3, 32, 48, generator=generator) * 2 - 1 for _ in range(2))
    return fake, real


def test_feature_matching_by_hand() -> None:
    fake = [[torch.tensor([1.0, 3.0]), torch.tensor([2.0])], [torch.tensor([0.0]), torch.tensor([0.0])]]
    real = [[torch.tensor([0.0, 0.0]), torch.tensor([5.0])], [torch.tensor([1.0]), torch.tensor([0.0])]]
    assert float(feature_matching(fake, real)) == pytest.approx(((2 + 3) + (1 + 0)) / 2)


def test_feature_matching_moves_only_the_fake() -> None:
    fake, real = torch.ones(3, requires_grad=True), torch.zeros(3, requires_grad=True)
    feature_matching([[fake]], [[real]]).backward()
    assert fake.grad is not None
    assert real.grad is None


def test_perceptual_is_the_weighted_sum() -> None:
    vgg = thin_vgg("vgg19")
    fake, real = images()
    names = [f"relu{block}_1" for block in range(1, 6)]
    wanted = sum(
        weight * (f - r).abs().mean() for weight, f, r in zip(WEIGHTS, vgg(fake, names), vgg(real, names), strict=True)
    )
    loss = PerceptualLoss(vgg)
    assert loss.name == "vgg19"
    torch.testing.assert_close(loss(fake, real), wanted)
    torch.testing.assert_close(loss.distance(vgg(fake, names), loss.real_features(real)), wanted)


def test_perceptual_gives_gradients_to_the_fake_only() -> None:
    loss = PerceptualLoss(thin_vgg("vgg16"))
    fake, real = (image.requires_grad_() for image in images())
    loss(fake, real).backward()
    assert fake.grad.abs().sum() > 0
    assert real.grad is None
    assert float(loss(real, real).detach()) == 0


def test_perceptual_in_bf16_and_channels_last() -> None:
    loss = PerceptualLoss(thin_vgg("vgg16"))
    fake, real = images()
    with torch.autocast("cpu", torch.bfloat16):
        low = loss(fake.to(memory_format=torch.channels_last), real.to(memory_format=torch.channels_last))
    assert low.dtype == torch.float32
    torch.testing.assert_close(low, loss(fake, real), rtol=0.03, atol=0)


def test_layers_and_weights_must_agree() -> None:
    with pytest.raises(ValueError, match="5 layers but 1 weights"):
        PerceptualLoss(thin_vgg("vgg16"), weights=[1.0])


def test_gram_matrix_is_einsum() -> None:
    x = torch.randn(2, 5, 6, 7)
    torch.testing.assert_close(gram_matrix(x), torch.einsum("bihw,bjhw->bij", x, x) / (5 * 6 * 7))


@pytest.mark.parametrize(("name", "layer"), [("vgg16", "relu4_3"), ("vgg19", "relu4_4")])
def test_style_forgets_where_things_are(name: str, layer: str) -> None:
    loss = StyleLoss(thin_vgg(name))
    assert layer in loss.layers
    fake, real = images()
    assert float(loss(fake, real)) > 0
    assert float(loss(real, real)) == 0
    features = torch.randn(1, 4, 8, 8)
    torch.testing.assert_close(gram_matrix(features), gram_matrix(features.roll((3, 2), (2, 3))))


def test_real_weights_rank_damage(shared: Path) -> None:
    """With ImageNet weights the loss grows with what was done to a picture."""
    if not (shared / "weights").is_dir():
        pytest.skip(f"no weights in {shared}")
    loss = PerceptualLoss.from_assets(shared / "weights")
    assert loss.name in ("vgg16", "vgg19")
    sharp = (torch.arange(64)[None] // 8 + torch.arange(64)[:, None] // 8) % 2 * 1.6 - 0.8  # a chessboard
    sharp = sharp.expand(1, 3, 64, 64)
    noise = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    damage = [float(loss(sharp + strength * noise, sharp)) for strength in (0.0, 0.02, 0.1, 0.5)]
    assert damage[0] == 0
    assert damage == sorted(damage)
    assert damage[3] > 3 * damage[1]
