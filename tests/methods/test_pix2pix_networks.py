"""pix2pix's networks: the paper's layers and sizes, patches of 70 pixels, dropout as the only noise."""

from __future__ import annotations

from bisect import bisect_left

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.errors import InputError, LabelError, RecipeError
from scenebrush.layers.receptive_field import output_size, touched_patches
from scenebrush.methods.pix2pix.config import Pix2PixConfig
from scenebrush.methods.pix2pix.discriminator import PatchDiscriminator
from scenebrush.methods.pix2pix.generator import UNetGenerator, dropped
from scenebrush.methods.pix2pix.networks import build_discriminator, build_network


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("options", "generator", "discriminator"),
    [
        ({}, 54_413_955, 2_768_705),  # RGB to RGB at 256: the paper's facades
        # Logs of the authors' PyTorch code for grey to grey (its issue 1152): 54.408 M and 2.765 M at 256 ...
        ({"channels": 1}, 54_407_809, 2_764_609),
        # ... 29.238 M and 0.662 M at 64, with a discriminator of two strided layers.
        ({"channels": 1, "depth": 6, "num_layers": 2}, 29_237_889, 662_337),
    ],
)
def test_parameters(options: dict[str, int], generator: int, discriminator: int) -> None:
    channels, depth = options.get("channels", 3), options.get("depth", 8)
    with torch.device("meta"):
        assert count(UNetGenerator(channels, depth=depth, image_channels=channels)) == generator
        judge = PatchDiscriminator(channels, image_channels=channels, num_layers=options.get("num_layers", 3))
        assert count(judge) == discriminator


def test_layers_are_the_papers() -> None:
    """Appendix 6.1.1: C64-C128-C256-C512 x5, and back CD512 x3, C512, C256, C128, C64 beside the maps handed over."""
    with torch.device("meta"):
        generator = UNetGenerator(12)
    assert [layer.out_channels for layer in generator.down_layers] == [64, 128, 256, 512, 512, 512, 512, 512]
    assert [layer.out_channels for layer in generator.up_layers] == [512, 512, 512, 512, 256, 128, 64]
    assert [layer.in_channels for layer in generator.up_layers] == [512, 1024, 1024, 1024, 1024, 512, 256]
    assert len(generator.down_norms) == 6  # neither the first layer nor the innermost has a norm
    assert len(generator.up_norms) == 7


@pytest.mark.parametrize(("num_layers", "pixels"), [(1, 16), (2, 34), (3, 70), (4, 142), (5, 286)])
def test_receptive_field(num_layers: int, pixels: int) -> None:
    """One patch of the middle sees so many pixels: 16, 70 and 286 are the paper's."""
    with torch.device("meta"):
        windows = PatchDiscriminator(3, width=1, num_layers=num_layers).windows
    size = 600
    middle = output_size(size, windows) // 2

    def sees(columns: slice) -> bool:
        hole = torch.zeros(1, 1, size, size)
        hole[..., columns] = 1
        return bool(touched_patches(hole, windows)[0, 0, middle, middle])

    first = bisect_left(range(size), True, key=lambda c: sees(slice(0, c + 1)))
    behind = bisect_left(range(size), True, key=lambda c: not sees(slice(c, size)))
    assert behind - first == pixels


@torch.no_grad()
def test_receptive_field_is_felt() -> None:
    """Without norms, which let all feel all, a pixel moves exactly the logits whose 70 pixels hold it."""
    discriminator = PatchDiscriminator(2, width=2).double().eval()
    for layer in discriminator.stream[1:]:
        layer[1] = nn.Identity()
    for parameter in discriminator.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_normal_(parameter, 2.0)
    image, condition = torch.rand(1, 3, 128, 128).double(), torch.rand(1, 2, 128, 128).double()
    hole = torch.zeros(1, 1, 128, 128)
    hole[..., 50, 77] = 1
    before, after = discriminator(condition, [image, torch.where(hole > 0, -image, image)])
    moved = before.logits[0] != after.logits[0]
    assert torch.equal(moved, touched_patches(hole, discriminator.windows))
    assert moved.any() and not moved.all()


@torch.no_grad()
def test_discriminator_sizes_at_256() -> None:
    judged = PatchDiscriminator(5, width=4)(torch.zeros(1, 5, 256, 256), [torch.rand(1, 3, 256, 256)])[0]
    assert [tuple(m.shape[1:]) for m in judged.features[0]] == [(4, 128, 128), (8, 64, 64), (16, 32, 32), (32, 31, 31)]
    assert tuple(judged.logits[0].shape) == (1, 1, 30, 30)


def layout(size: int = 64, batch: int = 2) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return (
        torch.randint(0, 5, (batch, size // 8, size // 8), generator=generator)
        .repeat_interleave(8, 1)
        .repeat_interleave(8, 2)
    )


@torch.no_grad()
def test_a_wrong_layout_changes_the_logits_and_the_picture() -> None:
    torch.manual_seed(0)
    config = Pix2PixConfig(num_classes=5, width=4, depth=4, discriminator_width=4)
    network, discriminator = build_network(config).eval(), build_discriminator(config).eval()
    labels = layout()
    right, wrong = network.semantics(labels), network.semantics((labels + 1) % 5)
    image = torch.rand(2, 3, 64, 64)
    a, b = (discriminator(s, [image])[0].logits[0] for s in (right, wrong))
    assert not torch.allclose(a, b, atol=1e-3)
    assert not torch.allclose(network.generator(right), network.generator(wrong), atol=1e-3)


@torch.no_grad()
def test_fake_and_real_do_not_share_statistics() -> None:
    discriminator = PatchDiscriminator(5, width=4)
    semantics, fake = torch.rand(2, 5, 64, 64), torch.rand(2, 3, 64, 64)
    beside_black = discriminator(semantics, [fake, torch.zeros_like(fake)])[0].logits[0]
    assert torch.equal(beside_black, discriminator(semantics, [fake])[0].logits[0])


@torch.no_grad()
def test_evaluation_takes_the_statistics_of_the_picture() -> None:
    """The paper's choice: nothing learned in training about means and variances is left at test time."""
    generator = UNetGenerator(5, width=4, depth=4, dropout=0.0)
    semantics = torch.rand(2, 5, 32, 32)
    trained = generator.train()(semantics)
    torch.testing.assert_close(generator.eval()(semantics), trained)
    assert not any("running" in key for key in generator.state_dict())


@torch.no_grad()
def test_dropout_is_the_only_noise_and_has_a_seed() -> None:
    torch.manual_seed(0)
    generator = UNetGenerator(5, width=8, depth=5).eval()
    semantics = torch.rand(1, 5, 64, 64)
    assert torch.equal(generator(semantics), generator(semantics))
    one, again, other = (generator(semantics, torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_dropped_keeps_the_mean() -> None:
    x = torch.ones(1, 4, 200, 200)
    y = dropped(x, 0.25, torch.Generator().manual_seed(0))
    torch.testing.assert_close(y.unique(), torch.tensor([0.0, 4 / 3]))
    assert float((y == 0).float().mean()) == pytest.approx(0.25, abs=0.01)
    assert torch.equal(dropped(x, 0.0), x)


@torch.no_grad()
def test_the_u_hands_its_maps_over() -> None:
    """A detail lost at the bottom is in the picture: by hand, the last layer sees the first one's map."""
    torch.manual_seed(0)
    generator = UNetGenerator(5, width=2, depth=3).eval()
    semantics = torch.rand(1, 5, 16, 24)
    seen = [generator.down_layers[0](semantics)]
    seen.append(generator.down_norms[0](generator.down_layers[1](F.leaky_relu(seen[0], 0.2))))
    x = generator.down_layers[2](F.leaky_relu(seen[1], 0.2))
    x = generator.up_norms[0](generator.up_layers[0](F.relu(x)))
    x = generator.up_norms[1](generator.up_layers[1](F.relu(torch.cat([seen[1], x], 1))))
    wanted = torch.tanh(generator.to_image(F.relu(torch.cat([seen[0], x], 1))))
    torch.testing.assert_close(generator(semantics), wanted)


@pytest.mark.parametrize(("depth", "size"), [(2, (4, 8)), (5, (32, 96)), (8, (256, 256))])
def test_sizes_and_gradients(depth: int, size: tuple[int, int]) -> None:
    generator = UNetGenerator(5, width=1, depth=depth)
    picture = generator(torch.rand(1, 5, *size))
    assert picture.shape == (1, 3, *size) and float(picture.detach().abs().max()) <= 1
    picture.sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in generator.parameters())


def test_what_does_not_fit_is_said() -> None:
    network = build_network(Pix2PixConfig(num_classes=5, width=1, depth=4))
    with pytest.raises(InputError, match=r"72x64.*divisible by 16"):
        network.synthesize(torch.zeros(1, 64, 72, dtype=torch.long))
    with pytest.raises(InputError, match="has 4 channels, expected 5"):
        network.generator(torch.zeros(1, 4, 64, 64))
    with pytest.raises(LabelError, match="class index 9"):
        network.synthesize(torch.full((1, 64, 64), 9))
    for options, text in (
        ({"width": 0}, "config.width is 0"),
        ({"depth": 1}, "config.depth is 1"),
        ({"dropout": 1.0}, "config.dropout is 1.0"),
    ):
        with pytest.raises(RecipeError, match=text):
            Pix2PixConfig(**options)  # type: ignore[arg-type]


def test_initialisation_is_the_papers() -> None:
    torch.manual_seed(0)
    generator = UNetGenerator(12, width=16)
    assert float(generator.down_layers[4].weight.detach().std()) == pytest.approx(0.02, rel=0.02)
    scales = torch.cat([norm.weight for norm in generator.up_norms]).detach()
    assert float(scales.mean()) == pytest.approx(1.0, abs=0.005) and float(scales.std()) == pytest.approx(
        0.02, rel=0.15
    )
