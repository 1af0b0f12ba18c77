"""SemIA's networks: published sizes, and what each option does."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from scenebrush.errors import InputError, RecipeError
from scenebrush.layers.spectral_norm import settle_
from scenebrush.methods.semia.auxiliary import AuxiliaryClassifier
from scenebrush.methods.semia.blocks import ResidualBottleneck
from scenebrush.methods.semia.config import SemiaConfig
from scenebrush.methods.semia.discriminator import SemiaDiscriminator
from scenebrush.methods.semia.generator import SemiaGenerator
from scenebrush.methods.semia.translation import feature_change, modulate


def size(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_parameters_are_those_of_the_facts() -> None:
    """Facts 1.2, counted on the released code."""
    with torch.device("meta"):
        generator, discriminator, auxiliary = SemiaGenerator(), SemiaDiscriminator(), AuxiliaryClassifier()
    assert size(generator.layout_encoder) == size(generator.image_encoder) == 1_502_640
    assert size(generator.decoder) == 2_148_902
    assert size(generator.translation.scale_heads) == size(generator.translation.shift_heads) == 178_752
    assert size(generator) == 5_511_686
    assert size(discriminator) == 2_664_257
    unused = [discriminator.encoder[3], discriminator.laterals[2], discriminator.smooth[2]]
    assert sum(size(part) for part in unused) == 1_605_632
    assert size(auxiliary) == 221_315


def tiny(**options: bool) -> SemiaGenerator:
    torch.manual_seed(0)
    generator = SemiaGenerator(width=4, levels=2, **options)
    settle_(generator)
    return generator


@pytest.fixture
def views() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A photo and two layouts, (1, 3, 16, 24)."""
    generator = torch.Generator().manual_seed(1)
    photo, source, target = torch.rand(3, 1, 3, 16, 24, generator=generator) * 2 - 1
    return photo, source, target


def test_equal_layouts_change_nothing(views: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    photo, source, _ = views
    change = tiny().eval()(photo, source, source).change
    assert all(torch.equal(ratio, torch.ones_like(ratio)) for ratio in change.ratios)
    assert all(torch.equal(gap, torch.zeros_like(gap)) for gap in change.differences)


@pytest.mark.parametrize("off", ["modulate_encoder", "modulate_decoder"])
def test_either_modulation_alone_shows_the_target_layout(
    views: tuple[torch.Tensor, torch.Tensor, torch.Tensor], off: str
) -> None:
    photo, source, target = views
    generator = tiny(**{off: False}).eval()
    assert not torch.allclose(generator(photo, source, target).picture, generator(photo, source, source).picture)


def test_without_modulation_no_layout_is_seen(views: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    photo, source, target = views
    generator = tiny(modulate_encoder=False, modulate_decoder=False).eval()
    assert torch.equal(generator(photo, source, target).picture, generator(photo, source, source).picture)


def test_skips_change_the_picture_and_nothing_else(views: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    with_skips, without = tiny(skips=True), tiny()
    assert size(with_skips) == size(without)
    assert not torch.allclose(with_skips(*views).picture, without(*views).picture)


def test_unused_tail_moves_only_its_own_statistics(views: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> None:
    run, not_run = tiny(unused_tail=True), tiny()
    assert torch.equal(run(*views).picture, not_run(*views).picture)
    moved = {k for k, v in run.state_dict().items() if not torch.equal(v, not_run.state_dict()[k])}
    assert moved
    assert all(key.startswith("layout_encoder.tail.") for key in moved)


def test_modulation_gives_the_scale_and_shift_as_deviation_and_mean() -> None:
    x = torch.randn(1, 4, 9, 11) * 5 + 3
    made = modulate(x, torch.full_like(x, 2.0), torch.full_like(x, -1.0))
    torch.testing.assert_close(made.mean(dim=(2, 3)), torch.full((1, 4), -1.0))
    torch.testing.assert_close(made.std(dim=(2, 3)), torch.full((1, 4), 2.0), rtol=1e-4, atol=1e-4)


def test_feature_change_by_hand() -> None:
    source, target = torch.tensor([[[[2.0, -1.0]]]]), torch.tensor([[[[1.0, 0.5]]]])
    change = feature_change([source], [target])
    torch.testing.assert_close(change.ratios[0], torch.tensor([[[[0.5, -0.5]]]]))
    torch.testing.assert_close(change.differences[0], torch.tensor([[[[-1.0, 1.5]]]]))


def test_a_bottleneck_adds_to_its_input() -> None:
    block = ResidualBottleneck(8, norm=False).eval()
    nn.init.zeros_(block.widen.bias)
    x = torch.zeros(1, 8, 4, 4)
    block.narrow.bias.data.zero_()
    block.middle.bias.data.zero_()
    assert torch.equal(block(x), x)


def test_sizes_that_do_not_fit_are_named() -> None:
    generator = tiny().eval()
    with pytest.raises(InputError, match=r"photo is 24x18; expected sides divisible by 4"):
        generator(*torch.zeros(3, 1, 3, 18, 24))
    with pytest.raises(InputError, match=r"layout is 20x16, the photo 24x16"):
        generator(torch.zeros(1, 3, 16, 24), torch.zeros(1, 3, 16, 24), torch.zeros(1, 3, 16, 20))
    with pytest.raises(InputError, match=r"picture is 24x12; expected sides divisible by 8"):
        SemiaDiscriminator(width=4)(torch.zeros(1, 3, 12, 24), [torch.zeros(1, 3, 12, 24)])


def test_discriminator_sees_the_layout_only_where_asked_to() -> None:
    torch.manual_seed(0)
    pictures = [torch.rand(1, 3, 16, 16)]
    layouts = torch.rand(2, 1, 3, 16, 16)
    blind, seeing = SemiaDiscriminator(width=4).eval(), SemiaDiscriminator(3, width=4).eval()
    assert torch.equal(blind(layouts[0], pictures)[0].logits[0], blind(layouts[1], pictures)[0].logits[0])
    assert not torch.equal(seeing(layouts[0], pictures)[0].logits[0], seeing(layouts[1], pictures)[0].logits[0])


def test_dropout_of_the_classifier_depends_on_its_generator_alone() -> None:
    classifier = AuxiliaryClassifier(width=4)
    image = torch.rand(1, 3, 16, 16)
    made = [classifier(image, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kind": "papr"}, r"config.kind is 'papr'; expected compact or paper"),
        ({"levels": 0}, r"config.levels is 0"),
        ({"width": 1}, r"config.width is 1"),
        ({"modulate_encoder": False, "modulate_decoder": False}, r"both off"),
    ],
)
def test_impossible_settings_are_named(given: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        SemiaConfig(**given)


def test_divisor() -> None:
    assert SemiaConfig(levels=2).divisor == 8
    assert SemiaConfig(levels=4).divisor == 16
