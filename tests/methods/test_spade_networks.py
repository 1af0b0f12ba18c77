"""SPADE's networks: sizes of the facts, every size of picture, styles, what the labels do, checkpoints."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.errors import InputError, LabelError, ModelError, RecipeError
from scenebrush.layers.discriminators import DISCRIMINATORS
from scenebrush.layers.discriminators.two_streams import SesameDiscriminator
from scenebrush.methods.spade import original_keys
from scenebrush.methods.spade.config import SpadeConfig
from scenebrush.methods.spade.discriminator import SPADEDiscriminator
from scenebrush.methods.spade.encoder import ImageEncoder, Style
from scenebrush.methods.spade.generator import SPADEGenerator, latent_size
from scenebrush.methods.spade.networks import SpadeNetworks, build_discriminator, build_networks
from scenebrush.methods.spade.preprocess import LayoutBatch, prepare

CLASSES = 5


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("channels", "options", "wanted"),
    [
        (36, {"upsampling": "more", "crop_size": 512, "aspect_ratio": 2.0}, 93_048_003),  # Cityscapes
        (184, {}, 97_480_899),  # COCO-Stuff
        (151, {}, 96_492_483),  # ADE20K
        (184, {"style_channels": 256}, 112_626_883),  # COCO-Stuff with styles
        (184, {"upsampling": "most", "crop_size": 512}, 98_515_043),
    ],
)
def test_generator_parameters(channels: int, options: dict[str, object], wanted: int) -> None:
    with torch.device("meta"):
        assert count(SPADEGenerator(channels, **options)) == wanted  # type: ignore[arg-type]


def test_generator_parameters_per_block() -> None:
    """Facts 7.1: the closed form of a SPADE block, for every block of the Cityscapes generator."""
    with torch.device("meta"):
        generator = SPADEGenerator(36, upsampling="more", crop_size=512, aspect_ratio=2.0)
    same = [(generator.head, 1024, 1024), *((block, 1024, 1024) for block in generator.middle_blocks)]
    widths = [1024, 512, 256, 128, 64]
    up = list(zip(generator.up_blocks, widths[:-1], widths[1:], strict=True))
    for block, broad, narrow in [*same, *up]:
        assert count(block) == block_parameters(broad, narrow, 36)
    assert count(generator.first) == 9 * 36 * 1024 + 1024
    assert count(generator.to_image) == 1_731


def block_parameters(broad: int, narrow: int, condition: int) -> int:
    middle = min(broad, narrow)
    convolutions = 9 * broad * middle + middle + 9 * middle * narrow + narrow
    layers = [broad, middle]
    if broad != narrow:
        convolutions += broad * narrow
        layers.append(broad)
    return convolutions + sum(128 * (9 * condition + 1) + 2 * c * (9 * 128 + 1) for c in layers)


def test_encoder_and_discriminator_parameters() -> None:
    with torch.device("meta"):
        assert count(ImageEncoder()) == 10_463_424
        for channels, wanted in ((36, 5_601_410), (184, 5_904_514), (151, 5_836_930)):
            assert count(SPADEDiscriminator(channels)) == wanted


@pytest.mark.parametrize(
    ("upsampling", "crop", "ratio", "wanted"),
    [
        ("normal", 256, 1.0, (8, 8)),
        ("more", 512, 2.0, (4, 8)),  # Cityscapes
        ("most", 1024, 2.0, (4, 8)),
        ("normal", 160, 2.0, (2, 5)),  # 2.5 -> 2: halves go to the even number
        ("normal", 224, 2.0, (4, 7)),  # 3.5 -> 4
        ("normal", 250, 1.0, (7, 7)),
    ],
)
def test_latent_size(upsampling: str, crop: int, ratio: float, wanted: tuple[int, int]) -> None:
    assert latent_size(upsampling, crop, ratio) == wanted  # type: ignore[arg-type]


def semantics(height: int, width: int, batch: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    labels = torch.randint(0, CLASSES, (batch, height // 8, width // 8), generator=generator)
    return prepare(labels.repeat_interleave(8, 1).repeat_interleave(8, 2), num_classes=CLASSES)


def build(**options: object) -> SPADEGenerator:
    """Returns a tiny generator whose weights are large enough for every layer to be seen in the picture."""
    torch.manual_seed(0)
    width = 2 if options.get("upsampling") == "most" else 1
    generator = SPADEGenerator(CLASSES, width=width, **options).eval()  # type: ignore[arg-type]
    for parameter in generator.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_normal_(parameter)
    return generator


@pytest.mark.parametrize(("upsampling", "factor"), [("normal", 32), ("more", 64), ("most", 128)])
@pytest.mark.parametrize("styles", [None, 6])
@torch.no_grad()
def test_pictures_are_as_large_as_their_layout(upsampling: str, factor: int, styles: int | None) -> None:
    generator = build(upsampling=upsampling, crop_size=factor, style_channels=styles)
    style = None if styles is None else torch.randn(1, styles)
    for height, width in ((factor, factor), (factor, 2 * factor)):
        picture = generator(semantics(height, width), style)
        assert picture.shape == (1, 3, height, width)
        assert picture.abs().max() <= 1


@torch.no_grad()
def test_the_released_code_stretches_every_layout_to_the_crop() -> None:
    generator = build(crop_size=64, aspect_ratio=2.0, any_size=False)
    assert generator(semantics(96, 64)).shape == (1, 3, 32, 64)
    free = build(crop_size=64, aspect_ratio=2.0)
    torch.testing.assert_close(free(semantics(32, 64)), generator(semantics(32, 64)))


@torch.no_grad()
def test_the_last_blocks_see_the_labels() -> None:
    """A label of 3x3 pixels that no smaller map samples (it holds no multiple of 4) is still followed, and locally."""
    generator = build(crop_size=64)
    layout = semantics(64, 64)
    changed = layout.clone()
    changed[..., 33:36, 41:44] = layout.roll(1, dims=1)[..., 33:36, 41:44]
    for _ in range(3):  # lets spectral norm settle, or tanh hides what changes
        generator.train()(torch.cat([layout, changed]))
    generator.eval()
    difference = (generator(layout) - generator(changed)).abs().amax((0, 1))
    assert difference[33:36, 41:44].mean() > 1e-3
    assert not difference[:8].any() and not difference[:, :16].any()  # in evaluation no norm looks at the whole


@torch.no_grad()
def test_a_style_is_a_picture_of_its_own_and_fits_other_sizes() -> None:
    generator = build(crop_size=64, style_channels=6)
    one, other = torch.randn(2, 1, 6)
    layout = semantics(64, 64)
    assert torch.equal(generator(layout, one), generator(layout, one))
    assert not torch.allclose(generator(layout, one), generator(layout, other), atol=1e-3)
    wide = torch.cat([layout, layout], 3)  # twice as wide: every place of the style is there twice
    assert generator(wide, one).shape == (1, 3, 64, 128)


def test_training_reaches_every_parameter() -> None:
    torch.manual_seed(0)
    networks = SpadeNetworks(SpadeConfig(num_classes=CLASSES, width=1, crop_size=64, style=True, style_channels=6))
    labels = torch.randint(0, CLASSES, (2, 64, 64))
    drawing = networks(LayoutBatch(torch.rand(2, 3, 64, 64), labels), torch.Generator().manual_seed(0))
    assert drawing.style is not None
    (drawing.image.sum() + drawing.style.log_variance.sum()).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in networks.parameters())


def test_encoder_is_six_strided_convolutions_on_256() -> None:
    torch.manual_seed(0)
    encoder = ImageEncoder(width=2, style_channels=7).eval()
    image = torch.rand(2, 3, 100, 140) * 2 - 1
    x = F.interpolate(image, size=(256, 256), mode="bilinear", align_corners=False)
    for convolution in encoder.convolutions:
        x = F.conv2d(x, convolution.normalized_weight(), stride=2, padding=1)
        x = F.leaky_relu((x - x.mean((2, 3), keepdim=True)) / (x.var((2, 3), False, keepdim=True) + 1e-5).sqrt(), 0.2)
    assert x.shape == (2, 16, 4, 4)
    style = encoder(image)
    torch.testing.assert_close(style.mean, encoder.mean(x.flatten(1)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(style.log_variance, encoder.log_variance(x.flatten(1)), rtol=1e-4, atol=1e-5)


def test_styles_are_drawn_from_their_distribution() -> None:
    mean, log_variance = torch.tensor([[3.0, -2.0]]), torch.tensor([[0.0, 2.0]])
    many = Style(mean.expand(20_000, 2), log_variance.expand(20_000, 2)).draw(torch.Generator().manual_seed(1))
    torch.testing.assert_close(many.mean(0), mean[0], rtol=0, atol=0.06)
    torch.testing.assert_close(many.std(0), torch.exp(log_variance[0] / 2), rtol=0.03, atol=0)
    one = Style(mean, log_variance)
    assert torch.equal(one.draw(torch.Generator().manual_seed(1)), one.draw(torch.Generator().manual_seed(1)))


@pytest.fixture(scope="module")
def with_styles() -> SpadeNetworks:
    torch.manual_seed(0)
    networks = build_networks(SpadeConfig(num_classes=CLASSES, width=1, crop_size=64, style=True, style_channels=6))
    for parameter in networks.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_normal_(parameter)
    return networks.eval().requires_grad_(False)


def test_a_seed_fixes_a_picture_and_seeds_differ(with_styles: SpadeNetworks) -> None:
    labels = semantics(64, 64).argmax(1)
    first, again, other = (with_styles.synthesize(labels, noise=torch.Generator().manual_seed(s)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, atol=1e-3)


def test_a_photo_gives_its_style(with_styles: SpadeNetworks) -> None:
    labels, photo = semantics(64, 64).argmax(1), torch.rand(1, 3, 48, 80) * 2 - 1
    assert with_styles.encoder is not None
    styled = with_styles.synthesize(labels, style_image=photo)
    wanted = with_styles.generator(with_styles.semantics(labels, None), with_styles.encoder(photo).mean)
    assert torch.equal(styled, wanted)
    plain = SpadeNetworks(SpadeConfig(num_classes=CLASSES, width=1, crop_size=64))
    with pytest.raises(InputError, match="no style encoder"):
        plain.synthesize(labels, style_image=photo)


def test_boundaries_run_between_objects() -> None:
    """By hand: sky and road (no instances) meet in row 2; two cars of one class meet in a column."""
    networks = SpadeNetworks(SpadeConfig(num_classes=3, width=1, crop_size=32))
    labels = torch.tensor([[[0, 0, 0, 0], [0, 0, 0, 0], [1, 2, 2, 1], [1, 2, 2, 1]]])
    instances = torch.tensor([[[0, 0, 0, 0], [0, 0, 0, 0], [0, 1, 2, 0], [0, 1, 2, 0]]])
    without = torch.tensor([[0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]]).float()
    seen = networks.semantics(labels, instances)
    assert seen.shape == (1, 4, 4, 4)
    assert torch.equal(seen[0, 3], without)
    one_car = networks.semantics(labels, None)[0, 3]
    assert torch.equal(one_car, without)  # every pixel of these cars lies at a boundary anyway
    third = torch.tensor([[[0, 0, 0, 0, 0]] * 3])
    cars = torch.tensor([[[1, 1, 1, 2, 2]] * 3])
    assert torch.equal(networks.semantics(third, cars)[0, 3], torch.tensor([[0.0, 0, 1, 1, 0]] * 3))
    assert not networks.semantics(third, None)[0, 3].any()


def test_preparation_channels() -> None:
    labels = torch.tensor([[[0, 1], [255, 2]]])
    plain = prepare(labels, num_classes=3)
    assert plain.shape == (1, 3, 2, 2) and not plain[0, :, 1, 0].any()
    full = prepare(labels, num_classes=3, dontcare_channel=True, instance_map=labels[:, None])
    assert full.shape == (1, 5, 2, 2)
    assert torch.equal(full[0, 3], torch.tensor([[0.0, 0], [1, 0]])) and full[0, 4].all()
    with pytest.raises(LabelError, match="class index 4"):
        prepare(torch.full((1, 2, 2), 4), num_classes=3)


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_the_configuration_chooses_the_discriminator(name: str) -> None:
    config = SpadeConfig(num_classes=12, boundary_channel=False, dontcare_channel=True, discriminator=name)  # type: ignore[arg-type]
    with torch.device("meta"):
        discriminator = build_discriminator(config)
    assert isinstance(discriminator, SPADEDiscriminator) == (name == "concatenated")
    assert isinstance(discriminator, SesameDiscriminator) == (name == "two_streams")
    seen = {m.in_channels for m in discriminator.modules() if isinstance(m, nn.Conv2d)}
    assert seen & {13, 16}, "the semantics of the generator, alone or with the image"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"width": 0}, "config.width is 0"),
        ({"upsampling": "least"}, "'least'; expected normal, more, most"),
        ({"crop_size": 31}, "crop size 31 .* leaves 0x0 places at 1/32"),
        ({"crop_size": 64, "aspect_ratio": 5.0}, "leaves 2x0 places"),
        ({"width": 1, "upsampling": "most"}, "config.width is 1, which 'most'"),
        ({"aspect_ratio": 0.0}, "aspect_ratio is 0.0"),
    ],
)
def test_wrong_configurations_are_named(options: dict[str, object], text: str) -> None:
    with pytest.raises(RecipeError, match=text):
        SpadeConfig(**options)  # type: ignore[arg-type]


def test_what_does_not_fit_is_said() -> None:
    generator = build(crop_size=64)
    with pytest.raises(InputError, match=r"72x64.*divisible by 32"):
        generator(semantics(64, 72))
    with pytest.raises(InputError, match="have 6 channels, expected 5"):
        generator(torch.zeros(1, 6, 64, 64))
    styled = build(crop_size=64, style_channels=6)
    with pytest.raises(InputError, match=r"style is none; expected \(batch, 6\)"):
        styled(semantics(64, 64))
    with pytest.raises(InputError, match=r"style is \(1, 5\); expected \(batch, 6\)"):
        styled(semantics(64, 64), torch.zeros(1, 5))


def test_initialisation_is_the_papers() -> None:
    torch.manual_seed(0)
    generator = SPADEGenerator(36, width=8)
    weight = generator.head.convolution_0.weight.detach()
    assert float(weight.std()) == pytest.approx(0.02 * (2 / (9 * (128 + 128))) ** 0.5, rel=0.03)
    assert not any(p.any() for name, p in generator.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ({}, {}),
        ({"upsampling": "more", "crop_size": 128, "aspect_ratio": 2.0}, {"upsampling": "more"}),
        ({"upsampling": "most", "crop_size": 128}, {}),
        ({"style_channels": 6, "crop_size": 64}, {}),
        ({"style_channels": 6, "crop_size": 128, "aspect_ratio": 2.0}, {}),  # 4x2 places: told from the count
        ({"style_channels": 6, "crop_size": 96, "aspect_ratio": 1.5}, {"aspect_ratio": 1.5}),
        ({"spade_kernel_size": 5, "norm": nn.InstanceNorm2d, "image_channels": 1}, {}),
    ],
)
@torch.no_grad()
def test_checkpoints_go_there_and_back(options: dict[str, object], given: dict[str, object]) -> None:
    generator = build(**options)
    again = original_keys.generator_from_original(original_keys.to_original(generator.state_dict()), **given).eval()  # type: ignore[arg-type]
    layout = semantics(128, 128)
    style = None if generator.style_channels is None else torch.randn(1, 6)
    assert torch.equal(generator(layout, style), again(layout, style))
    if style is not None:
        assert again.latent_size == generator.latent_size


def test_what_no_shape_tells_is_taken_from_the_data_set_or_asked_for() -> None:
    with torch.device("meta"):
        cityscapes = original_keys.to_original(SPADEGenerator(36, width=1).state_dict())
        ade = original_keys.to_original(SPADEGenerator(151, width=1).state_dict())
        most = original_keys.to_original(SPADEGenerator(6, width=2, upsampling="most").state_dict())
        odd = original_keys.to_original(
            SPADEGenerator(6, width=1, style_channels=4, crop_size=96, aspect_ratio=3.0).state_dict()
        )
    assert original_keys.generator_from_original(cityscapes).upsampling == "more"
    assert original_keys.generator_from_original(cityscapes, upsampling="normal").upsampling == "normal"
    assert original_keys.generator_from_original(ade).upsampling == "normal"
    assert original_keys.generator_from_original(most).upsampling == "most"
    with pytest.raises(ModelError, match="holds 'up_4', but upsampling 'more'"):
        original_keys.generator_from_original(most, upsampling="more")
    with pytest.raises(ModelError, match=r"3 places.*give the aspect ratio"):
        original_keys.generator_from_original(odd)
    assert original_keys.generator_from_original(odd, aspect_ratio=3.0).latent_size == (1, 3)


def test_encoder_and_discriminator_checkpoints_go_there_and_back() -> None:
    encoder = ImageEncoder(width=2, style_channels=5)
    discriminator = SPADEDiscriminator(7, width=3, num_layers=3, num_scales=3)
    for network, back in (
        (encoder, original_keys.encoder_from_original),
        (discriminator, original_keys.discriminator_from_original),
    ):
        restored = back(original_keys.to_original(network.state_dict()))
        for key, value in network.state_dict().items():
            assert torch.equal(restored.state_dict()[key], value)


def test_old_and_odd_checkpoints() -> None:
    """What old PyTorch left out is made up, the normalised weight beside the original one is dropped."""
    discriminator = SPADEDiscriminator(7, width=3)
    state = original_keys.to_original(discriminator.state_dict())
    key = "discriminator_0.model1.0.0.weight"
    state[key] = state[f"{key}_orig"]
    del state[f"{key}_v"]
    restored = original_keys.from_original({f"module.{k}": v for k, v in state.items()}, discriminator)
    assert restored.keys() == discriminator.state_dict().keys()
    assert float(restored["scales.0.stream.1.0.weight_v"].norm()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda s: s.pop("up_3.norm_s.mlp_beta.bias"), "lacks 'up_3.norm_s.mlp_beta.bias'"),
        (lambda s: s.update(extra=torch.zeros(1)), "holds 'extra'"),
        (lambda s: s.update({"conv_img.bias": torch.zeros(5)}), r"'conv_img.bias' is \(5,\), the network's \(3,\)"),
        (lambda s: s.clear(), "lacks 'fc.weight'; expected a SPADE network"),
    ],
)
def test_wrong_checkpoints_are_named(change: Callable[[dict[str, Tensor]], object], text: str) -> None:
    state = original_keys.to_original(build().state_dict())
    change(state)
    with pytest.raises(ModelError, match=text):
        original_keys.generator_from_original(state)
