"""SESAME's networks: published parameter counts and sizes, and what the papers promise of them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from scenebrush.errors import InputError, LabelError, ModelError
from scenebrush.layers.receptive_field import output_size
from scenebrush.methods.sesame import original_keys
from scenebrush.methods.sesame.discriminator import SesameDiscriminator
from scenebrush.methods.sesame.generator import SesameGenerator
from scenebrush.methods.sesame.preprocess import paste, prepare


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(
    ("condition", "options", "wanted"),
    [
        (36, {}, 20_489_091),  # Cityscapes, 35 classes and the mask
        (36, {"skips": True}, 24_113_952),
        (36, {"wide": True}, 53_240_835),
        (50, {}, 20_791_043),  # ADE20K bedrooms
        (50, {"skips": True}, 24_432_410),
        (19, {}, 20_122_435),  # landscapes
        (184, {}, 23_681_155),  # COCO-Stuff
        (181, {}, 23_616_451),  # 180 classes: 184 channels in
        (185, {"first_channels": 184}, 23_690_179),  # the parser's defaults, without skips
        (185, {"first_channels": 184, "skips": True}, 27_490_603),  # and with them
    ],
)
def test_generator_parameters(condition: int, options: dict[str, int], wanted: int) -> None:
    with torch.device("meta"):
        assert count(SesameGenerator(condition, **options)) == wanted


def test_generator_parameters_per_block() -> None:
    with torch.device("meta"):
        generator = SesameGenerator(36)
    assert count(generator.first) == 122_304
    assert [count(block) for block in generator.down_blocks] == [73_728, 294_912]
    assert [count(block) for block in generator.residual_blocks] == [1_179_648] * 4
    assert [count(block) for block in generator.core_blocks] == [2_444_032] * 5
    assert [count(block) for block in generator.up_blocks] == [2_076_032, 981_632]
    assert count(generator.to_image) == 1_731


@pytest.mark.parametrize(
    ("channels", "wanted"),
    [(36, 11_106_562), (50, 11_135_234), (184, 11_409_666), (19, 11_071_746), (151, 11_342_082), (185, 11_411_714)],
)
def test_discriminator_parameters(channels: int, wanted: int) -> None:
    with torch.device("meta"):
        assert count(SesameDiscriminator(channels)) == wanted


@torch.no_grad()
def test_discriminator_sizes_at_256() -> None:
    discriminator = SesameDiscriminator(36)
    judged = discriminator(torch.zeros(1, 36, 256, 256), [torch.zeros(1, 3, 256, 256)])[0]
    shapes = [[tuple(m.shape[1:]) for m in maps] for maps in judged.features]
    assert shapes[0] == [(64, 129, 129), (128, 65, 65), (256, 33, 33), (512, 34, 34)]
    assert shapes[1] == [(64, 65, 65), (128, 33, 33), (256, 17, 17), (512, 18, 18)]
    assert [tuple(d.shape) for d in judged.logits] == [(1, 1, 35, 35), (1, 1, 19, 19)]


@pytest.fixture
def discriminator() -> SesameDiscriminator:
    torch.manual_seed(0)
    return SesameDiscriminator(6, width=4).eval()


def random_input(size: int = 64, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    semantics = torch.rand(batch, 6, size, size, generator=generator)
    fake, real = (torch.rand(batch, 3, size, size, generator=generator) * 2 - 1 for _ in range(2))
    return semantics, fake, real


def test_one_pass_equals_two(discriminator: SesameDiscriminator) -> None:
    semantics, fake, real = random_input()
    together = discriminator(semantics, [fake, real])
    for judged, image in zip(together, (fake, real), strict=True):
        alone = discriminator(semantics, [image])[0]
        for scale in range(2):
            torch.testing.assert_close(judged.logits[scale], alone.logits[scale])
            for a, b in zip(judged.features[scale], alone.features[scale], strict=True):
                torch.testing.assert_close(a, b)


def test_the_semantics_stream_runs_once(discriminator: SesameDiscriminator) -> None:
    seen = []
    for scale in discriminator._scales():
        scale.semantic_stream[0].register_forward_hook(lambda _, args, __: seen.append(args[0].shape[0]))
    semantics, fake, real = random_input()
    discriminator(semantics, [fake, real])
    assert seen == [2, 2]  # one batch of two per scale, not four


def test_without_semantics_it_is_a_plain_patch_discriminator(discriminator: SesameDiscriminator) -> None:
    """Gate 1 + 0: the logits are the last convolution of the image features."""
    _, fake, _ = random_input()
    ones = [torch.ones(2, 1, 1, 1), torch.ones(2, 1, 1, 1)]
    judged = discriminator.judge(ones, [fake])[0]
    for scale, maps, logits in zip(discriminator._scales(), judged.features, judged.logits, strict=True):
        torch.testing.assert_close(logits, scale.prediction(maps[-1]))


def test_the_gate_sums_over_channels_place_by_place(discriminator: SesameDiscriminator) -> None:
    semantics, *_ = random_input()
    gate = discriminator.semantic_gates(semantics)[0]
    x = semantics
    for layer in discriminator._scales()[0].semantic_stream:
        x = layer(x)
    assert gate.shape == (2, 1, *x.shape[2:])
    torch.testing.assert_close(gate[:, 0], 1 + x.sum(1))


@pytest.mark.parametrize("size", [128, 48])
def test_small_windows_under_autocast(discriminator: SesameDiscriminator, size: int) -> None:
    semantics, fake, real = random_input(size, 1)
    discriminator.train()
    with torch.autocast("cpu", torch.bfloat16):
        judged = discriminator(semantics, [fake, real.requires_grad_()])
        sum(logits.float().sum() for logits in judged[1].logits).backward()
    assert torch.isfinite(real.grad).all()
    assert [d.shape[-1] for d in judged[0].logits] == [size // 8 + 3, size // 16 + 3]


def test_touched_patches_are_those_that_feel_the_hole(discriminator: SesameDiscriminator) -> None:
    """Without instance norm (which lets all feel all), a changed hole pixel changes the touched logits only."""
    for scale in discriminator._scales():
        for layer in scale.image_stream[1:]:
            layer[1] = nn.Identity()
            layer[0].weight.data *= 50
    discriminator.double()
    _, fake, _ = random_input(96, 1)
    hole = torch.zeros(1, 1, 96, 96)
    hole[..., 50:60, 3:20] = 1
    changed = torch.where(hole > 0, -fake, fake).double()
    ones = [torch.ones(1, 1, 1, 1).double()] * 2
    before, after = discriminator.judge(ones, [fake.double()])[0], discriminator.judge(ones, [changed])[0]
    for touched, a, b in zip(discriminator.touched_patches(hole), before.logits, after.logits, strict=True):
        assert torch.equal(touched, a != b)
        assert 0 < int(touched.sum()) < touched.numel()


def test_touched_patches_have_the_shape_of_the_logits() -> None:
    discriminator = SesameDiscriminator(4, width=2, num_scales=3, num_layers=3)
    semantics, image = torch.rand(1, 4, 80, 56), torch.rand(1, 3, 80, 56)
    logits = discriminator(semantics, [image])[0].logits
    touched = discriminator.touched_patches(torch.ones(1, 1, 80, 56))
    assert [t.shape for t in touched] == [d.shape for d in logits]
    assert output_size(80, discriminator._scales()[0].windows) == logits[0].shape[2]


def scene(size: int = 32) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    image = torch.rand(1, 3, size, size, generator=generator) * 2 - 1
    labels = torch.randint(0, 5, (1, size, size), generator=generator)
    hole = torch.zeros(1, 1, size, size)
    hole[..., 8:20, 10:25] = 1
    return image, labels, hole


def test_kept_pixels_are_the_photos() -> None:
    image, _, hole = scene()
    result = paste(image, torch.randn(1, 3, 32, 32), hole)
    assert torch.equal(result[(1 - hole).bool().expand_as(image)], image[(1 - hole).bool().expand_as(image)])
    low = paste(image, torch.zeros(1, 3, 32, 32).bfloat16(), hole.bool())
    assert low.dtype == torch.float32
    assert torch.equal(low, image * (1 - hole))


def test_labels_outside_the_hole_do_not_matter_unless_asked_for() -> None:
    image, labels, hole = scene()
    generator = SesameGenerator(6, width=4).eval()
    changed = torch.where(hole[:, 0] > 0, labels, (labels + 1) % 5)
    same = [generator(*prepare(image, m, hole, num_classes=5)) for m in (labels, changed)]
    assert torch.equal(*same)
    given = [generator(*prepare(image, m, hole, num_classes=5, semantics_everywhere=True)) for m in (labels, changed)]
    assert not torch.equal(*given)


def test_pixels_in_the_hole_do_not_matter() -> None:
    image, labels, hole = scene()
    other = torch.where(hole > 0, torch.randn_like(image), image)
    a, b = (prepare(i, labels, hole, num_classes=5) for i in (image, other))
    assert torch.equal(a.masked_image, b.masked_image)
    assert not a.masked_image[hole.bool().expand_as(image)].any()


def test_preparation_channels() -> None:
    image, labels, hole = scene()
    plain = prepare(image, labels, hole, num_classes=5).condition
    assert torch.equal(plain[:, -1:], hole)
    assert torch.equal(plain[:, :-1].sum(1, keepdim=True), hole)
    full = prepare(
        image, labels, hole.bool(), num_classes=5, dontcare_channel=True, instance_map=labels[:, None]
    ).condition
    assert full.shape[1] == 5 + 1 + 1 + 1


@pytest.mark.parametrize(
    "options",
    [
        {"num_downsamplings": 3, "skips": True},
        {"num_downsamplings": 1, "num_residual_blocks": 0, "num_spade_blocks": 1, "wide": False},
        {"wide": True, "skips": True, "residual_kernel_size": 5, "first_kernel_size": 3, "spade_kernel_size": 5},
        {"image_channels": 1, "norm": nn.InstanceNorm2d},
    ],
)
def test_generator_options(options: dict[str, int]) -> None:
    generator = SesameGenerator(6, width=2, **options)
    image = torch.rand(1, options.get("image_channels", 3), 32, 48)
    result = generator(image, torch.rand(1, 6, 32, 48))
    assert result.shape == image.shape
    assert result.abs().max() <= 1
    result.sum().backward()
    # But for biases that a norm removes, every parameter has its part in the picture.
    assert all(p.grad is not None for p in generator.parameters())


def test_generator_is_deterministic_and_fits_other_sizes() -> None:
    generator = SesameGenerator(6, width=2).eval()
    image, condition = torch.rand(1, 3, 20, 64), torch.rand(1, 6, 20, 64)
    assert torch.equal(generator(image, condition), generator(image, condition))


def test_what_does_not_fit_is_said() -> None:
    generator = SesameGenerator(6, width=2)
    with pytest.raises(InputError, match=r"30x32.*divisible by 4"):
        generator(torch.zeros(1, 3, 32, 30), torch.zeros(1, 6, 32, 30))
    with pytest.raises(InputError, match=r"8x32.*at least 12"):
        generator(torch.zeros(1, 3, 32, 8), torch.zeros(1, 6, 32, 8))
    with pytest.raises(InputError, match="has 5 channels, expected 6"):
        generator(torch.zeros(1, 3, 32, 32), torch.zeros(1, 5, 32, 32))
    with pytest.raises(InputError, match="num_spade_blocks"):
        SesameGenerator(6, num_spade_blocks=0)
    image, labels, hole = scene()
    with pytest.raises(LabelError, match="class index"):
        prepare(image, labels + 3, hole, num_classes=5)


def test_initialisation_is_the_papers() -> None:
    torch.manual_seed(0)
    generator = SesameGenerator(36, width=16)
    weight = generator.core_blocks[0].convolution_0.weight.detach()
    assert float(weight.std()) == pytest.approx(0.02 * (2 / (9 * (64 + 64))) ** 0.5, rel=0.03)
    assert not any(p.any() for name, p in generator.named_parameters() if name.endswith("bias"))


@pytest.mark.parametrize("options", [{}, {"skips": True}, {"wide": True, "residual_kernel_size": 5}])
def test_checkpoints_go_there_and_back(options: dict[str, int]) -> None:
    generator = SesameGenerator(6, width=2, num_residual_blocks=2, num_spade_blocks=2, **options).eval()
    again = original_keys.generator_from_original(original_keys.to_original(generator.state_dict())).eval()
    image, condition = torch.rand(1, 3, 32, 32), torch.rand(1, 6, 32, 32)
    assert torch.equal(generator(image, condition), again(image, condition))


def test_old_and_odd_checkpoints(discriminator: SesameDiscriminator) -> None:
    """What old PyTorch left out is made up, the normalised weight beside the original one is dropped."""
    state = original_keys.to_original(discriminator.state_dict())
    key = "discriminator_0.img_sequence.1.0.0.weight"
    state[key] = state[f"{key}_orig"]
    del state[f"{key}_v"]
    restored = original_keys.from_original(state, discriminator)
    assert restored.keys() == discriminator.state_dict().keys()
    assert float(restored["scales.0.image_stream.1.0.weight_v"].norm()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda s: s.pop("discriminator_1.img_sequence.4.0.bias"), "lacks 'discriminator_1.img_sequence.4.0.bias'"),
        (lambda s: s.update(extra=torch.zeros(1)), "holds 'extra'"),
        (
            lambda s: s.update({"discriminator_0.sem_sequence.0.0.bias": torch.zeros(5)}),
            r"\(5,\), the network's \(4,\)",
        ),
    ],
)
def test_wrong_checkpoints_are_named(discriminator: SesameDiscriminator, change: object, text: str) -> None:
    state = original_keys.to_original(discriminator.state_dict())
    change(state)  # type: ignore[operator]
    with pytest.raises(ModelError, match=text):
        original_keys.from_original(state, discriminator)
