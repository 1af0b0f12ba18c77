"""pix2pixHD's networks: the published sizes, what they take and refuse, and that they are the plain module graph."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from scenebrush.errors import InputError, RecipeError
from scenebrush.methods.pix2pixhd.blocks import NORMS
from scenebrush.methods.pix2pixhd.config import Pix2PixHDConfig
from scenebrush.methods.pix2pixhd.discriminator import MultiscaleDiscriminator
from scenebrush.methods.pix2pixhd.encoder import FeatureEncoder
from scenebrush.methods.pix2pixhd.generator import CoarseToFineGenerator
from scenebrush.methods.pix2pixhd.networks import build_discriminator, build_networks
from scenebrush.methods.pix2pixhd.strips import Strips

TINY = Pix2PixHDConfig(
    num_classes=4, num_features=3, width=8, num_downsamplings=2, num_blocks=1, encoder_width=4, encoder_downsamplings=2
)


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_the_published_parameter_counts() -> None:
    """Facts 1.12."""
    with torch.device("meta"):
        assert count(CoarseToFineGenerator(36)) == 182_546_755
        assert count(CoarseToFineGenerator(39)) == 182_556_163
        fine = CoarseToFineGenerator(36, num_enhancers=1)
        assert count(fine) == 182_857_059
        assert count(fine.trunk) == 182_537_344
        assert count(fine.enhancers) + count(fine.heads) == 319_715
        discriminators = [count(MultiscaleDiscriminator(36, num_scales=n)) for n in (1, 2, 3)]
        assert discriminators == [2_801_601, 5_603_202, 8_404_803]
        assert count(FeatureEncoder()) == 788_803


def test_the_configurations_defaults_are_the_authors_512p_model() -> None:
    with torch.device("meta"):
        networks = build_networks(Pix2PixHDConfig(num_classes=35, num_features=3))
        assert networks.encoder is not None
        assert (count(networks.generator), count(networks.encoder)) == (182_556_163, 788_803)
        fine = Pix2PixHDConfig(num_classes=35, num_enhancers=1, discriminator_scales=3)
        assert count(build_networks(fine)) == 182_857_059
        assert count(build_discriminator(fine)) == 8_404_803
    assert (fine.divisor, Pix2PixHDConfig(num_classes=35).divisor) == (32, 16)


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_the_global_generator_is_the_plain_module_graph(norm: str) -> None:
    """The same weights in torch's own modules, one after another as in the paper's notation."""
    ours = CoarseToFineGenerator(5, width=4, num_downsamplings=1, num_blocks=1, norm=NORMS[norm])  # type: ignore[index]
    make = {"instance": nn.InstanceNorm2d, "batch": nn.BatchNorm2d}[norm]
    block = nn.Sequential(
        nn.ReflectionPad2d(1),
        nn.Conv2d(8, 8, 3),
        make(8),
        nn.ReLU(),
        nn.ReflectionPad2d(1),
        nn.Conv2d(8, 8, 3),
        make(8),
    )
    before = nn.Sequential(
        *(nn.ReflectionPad2d(3), nn.Conv2d(5, 4, 7), make(4), nn.ReLU()),
        *(nn.Conv2d(4, 8, 3, 2, 1), make(8), nn.ReLU()),
    )
    after = nn.Sequential(
        *(nn.ConvTranspose2d(8, 4, 3, 2, 1, output_padding=1), make(4), nn.ReLU()),
        *(nn.ReflectionPad2d(3), nn.Conv2d(4, 3, 7), nn.Tanh()),
    )
    plain = nn.ModuleList([before, block, after])
    plain.load_state_dict(dict(zip(plain.state_dict(), ours.state_dict().values(), strict=True)))
    x = torch.randn(2, 5, 20, 12)
    y = before(x)
    assert torch.allclose(ours(x), after(y + block(y)), atol=1e-5)


def test_sizes_of_pictures_and_patches() -> None:
    generator = CoarseToFineGenerator(5, width=4, num_downsamplings=2, num_blocks=1)
    assert generator(torch.zeros(1, 5, 30, 41)).shape == (1, 3, 32, 44)  # G1 rounds up (facts 1.11)
    discriminator = MultiscaleDiscriminator(5, width=4, num_scales=2)
    judged = discriminator(torch.zeros(1, 5, 256, 512), [torch.zeros(1, 3, 256, 512)])[0]
    sizes = [tuple(m.shape[2:]) for m in [*judged.features[0], judged.logits[0]]]
    assert sizes == [(129, 257), (65, 129), (33, 65), (34, 66), (35, 67)]  # facts 1.4
    assert tuple(judged.logits[1].shape[2:]) == (19, 35)


def test_what_cannot_be_drawn_is_refused() -> None:
    generator = CoarseToFineGenerator(5, width=4, num_downsamplings=2, num_blocks=1, num_enhancers=1)
    with pytest.raises(InputError, match="6 channels, expected 5"):
        generator(torch.zeros(1, 6, 32, 32))
    with pytest.raises(InputError, match="can be halved all the way down; pad it"):
        generator(torch.zeros(1, 5, 36, 32))
    with pytest.raises(InputError, match="4x4; expected sides of at least 5"):
        generator(torch.zeros(1, 5, 8, 8))
    with pytest.raises(InputError, match="level 0 has no head"):
        generator(torch.zeros(1, 5, 32, 32), level=0)


@pytest.mark.parametrize(
    ("settings", "text"),
    [({"width": 0}, "config.width is 0"), ({"width": 6, "num_enhancers": 2}, "multiple of 4")],
)
def test_sizes_that_cannot_be(settings: dict[str, int], text: str) -> None:
    with pytest.raises(RecipeError, match=text):
        Pix2PixHDConfig(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(37, 53), (5, 9), (1, 1)])
def test_a_picture_of_any_size_is_padded_not_stretched(size: tuple[int, int]) -> None:
    networks = build_networks(TINY).eval()
    labels = torch.randint(0, 4, (2, *size))
    picture = networks.synthesize(labels, styles=torch.zeros(2, 3, *size))
    assert picture.shape == (2, 3, *size)
    assert picture.abs().max() <= 1
    assert not picture.requires_grad
    if size == (37, 53):  # repeated rows and columns, drawn and cut off again
        rows, columns = [list(range(n)) + [n - 1] * (-n % 4) for n in size]
        padded = labels[:, rows][:, :, columns]
        wanted = networks.synthesize(padded, styles=torch.zeros(2, 3, *padded.shape[1:]))
        assert torch.equal(picture, wanted[..., :37, :53])


def test_labels_boundaries_and_styles_are_seen_in_this_order() -> None:
    networks = build_networks(TINY)
    seen: list[torch.Tensor] = []
    networks.generator.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    labels = torch.zeros(1, 16, 16, dtype=torch.long)
    labels[:, 8:] = 2
    networks.synthesize(labels, styles=torch.full((1, 3, 16, 16), 0.5))
    x = seen[0]
    assert x.shape == (1, 8, 16, 16)
    assert torch.equal(x[0, :4].argmax(0), labels[0]) and bool((x[0, :4].sum(0) == 1).all())
    assert x[0, 4].sum(1).nonzero()[:, 0].tolist() == [7, 8]
    assert bool((x[0, 5:] == 0.5).all())


def test_a_style_changes_the_picture_and_no_style_is_a_zero_style() -> None:
    networks = build_networks(TINY).eval()
    labels = torch.randint(0, 4, (1, 16, 16))
    plain = networks.synthesize(labels)
    assert torch.equal(plain, networks.synthesize(labels, styles=torch.zeros(1, 3, 16, 16)))
    styles = torch.zeros(1, 3, 16, 16)
    styles[..., :8] = 1
    assert not torch.allclose(plain, networks.synthesize(labels, styles=styles), atol=1e-2)
    with pytest.raises(InputError, match="expected one"):
        networks.synthesize(labels, styles=torch.ones(1, 3, 16, 15))


def test_the_discriminator_never_sees_styles_and_shares_the_conditions_part() -> None:
    discriminator = build_discriminator(TINY)
    assert discriminator.scales[0].first.in_channels == TINY.condition_channels + 3
    condition, image = torch.randn(2, 5, 40, 40), torch.randn(2, 3, 40, 40)
    scale = discriminator.scales[1]
    whole = nn.functional.leaky_relu(scale.first(torch.cat([condition, image], 1)), 0.2)
    assert torch.allclose(scale.judge(scale.embed(condition), image)[0], whole, atol=1e-6)
    coarse = discriminator(condition, [image], num_scales=1)[0]
    finest_of_all = discriminator(condition, [image])[0]
    assert len(coarse.logits) == 1 and len(finest_of_all.logits) == 2
    assert not torch.equal(coarse.logits[0], finest_of_all.logits[0])  # other weights: the coarsest scale's
    assert discriminator.judge(discriminator.embed(condition), [image], features=False)[0].features == [[], []]


def test_the_discriminator_is_chosen_by_name_with_patches_of_the_same_size() -> None:
    condition, image = torch.randn(1, 5, 64, 64), torch.randn(1, 3, 64, 64)
    own = build_discriminator(TINY)(condition, [image])[0]
    other = build_discriminator(dataclasses.replace(TINY, discriminator="concatenated"))(condition, [image])[0]
    assert [d.shape for d in other.logits] == [d.shape for d in own.logits]
    assert isinstance(build_discriminator(TINY), MultiscaleDiscriminator)


def test_batch_norm_of_fake_and_real_do_not_mix() -> None:
    discriminator = MultiscaleDiscriminator(2, width=4, norm=nn.BatchNorm2d)
    condition, fake, real = torch.randn(2, 2, 32, 32), torch.randn(2, 3, 32, 32), torch.randn(2, 3, 32, 32) * 5
    together = discriminator(condition, [fake, real])[0]
    alone = discriminator(condition, [fake])[0]
    assert torch.equal(together.logits[0], alone.logits[0])


def test_instance_norm_takes_a_style_away_that_is_the_same_everywhere() -> None:
    """A fact of the architecture, worth knowing: only differences between objects' styles are seen."""
    networks = build_networks(TINY).eval()
    labels = torch.randint(0, 4, (1, 16, 16))
    everywhere = networks.synthesize(labels, styles=torch.ones(1, 3, 16, 16))
    assert torch.allclose(everywhere, networks.synthesize(labels), atol=1e-4)


def test_a_model_in_bfloat16_draws_with_and_without_strips() -> None:
    networks = build_networks(TINY).eval()
    labels = torch.arange(24).view(1, 1, 24, 1).expand(1, 1, 24, 32) // 6
    wanted = networks.synthesize(labels)
    networks.bfloat16()
    for strips in (None, Strips(200)):
        assert (networks.synthesize(labels, strips=strips).float() - wanted).abs().max() < 0.1
