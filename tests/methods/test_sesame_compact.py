"""The compact generator: what it looks at, its gate, its size."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from scenebrush.methods.sesame.compact import AttentionBlock, CompactGenerator, Drawing, ModulatedBlock
from scenebrush.methods.sesame.config import SesameConfig
from scenebrush.methods.sesame.networks import build_generator

Inputs = dict[str, Tensor]
SIZE = (32, 48)


def make_inputs(batch: int = 2) -> Inputs:
    rng = torch.Generator().manual_seed(1)
    hole = torch.zeros(batch, 1, *SIZE)
    hole[:, :, 8:25, 11:30] = 1

    def uniform(channels: int) -> Tensor:
        return torch.rand(batch, channels, *SIZE, generator=rng) * 2 - 1

    return {
        "image": uniform(3),
        "hole": hole,
        "label_map": torch.randint(0, 5, (batch, *SIZE), generator=rng),
        "coordinates": uniform(4),
        "hint": uniform(4),
        "guide": uniform(3),
        "copied": (uniform(1) > 0).float(),
    }


@pytest.fixture
def generator() -> CompactGenerator:
    torch.manual_seed(0)
    return CompactGenerator(5, (3, 4), width=4, num_blocks=2, embedding=3).eval().requires_grad_(False)


def assert_equal_in_the_hole(one: Drawing, two: Drawing, hole: Tensor) -> None:
    for a, b in zip(one, two, strict=True):
        assert torch.equal(a * hole, b * hole)


def test_shapes_and_ranges(generator: CompactGenerator) -> None:
    drawing = generator(**make_inputs())
    assert drawing.image.shape == drawing.drawn.shape == (2, 3, *SIZE)
    assert drawing.gate.shape == (2, 1, *SIZE)
    assert drawing.drawn.abs().max() <= 1 and drawing.gate.min() >= 0 and drawing.gate.max() <= 1


@pytest.mark.parametrize("name", ["image", "coordinates", "hint", "guide", "copied", "label_map"])
def test_only_one_side_of_the_hole_is_looked_at(generator: CompactGenerator, name: str) -> None:
    inputs = make_inputs()
    hole = inputs["hole"]
    ignored = hole if name == "image" else 1 - hole  # the photo around the hole, all else inside
    place = ignored[:, 0] if name == "label_map" else ignored
    other = inputs[name].flip(0).roll(5, -1)
    changed = inputs | {name: torch.where(place > 0, other, inputs[name])}
    assert not torch.equal(changed[name], inputs[name])
    assert_equal_in_the_hole(generator(**inputs), generator(**changed), hole)
    seen = inputs | {name: torch.where(place > 0, inputs[name], other)}
    assert not torch.equal(generator(**seen).drawn * hole, generator(**inputs).drawn * hole)


def test_an_open_gate_gives_the_guide_and_a_shut_one_the_drawing(generator: CompactGenerator) -> None:
    inputs = make_inputs()
    generator.gate_bias.weight.fill_(1e6)
    opened, hole = generator(**inputs), inputs["hole"]
    assert torch.equal(opened.image * hole, inputs["guide"] * hole)
    generator.gate_bias.weight.fill_(-1e6)
    shut = generator(**inputs)
    assert torch.equal(shut.image * hole, shut.drawn * hole)


def test_the_gate_starts_open_for_stuff_and_shut_for_things() -> None:
    bias = CompactGenerator(4, (1, 3), width=4).gate_bias.weight[:, 0]
    assert torch.equal(bias > 0, torch.tensor([True, False, True, False]))


def test_a_window_without_a_guide_is_drawn_whole_beside_guided_ones(generator: CompactGenerator) -> None:
    inputs = make_inputs()
    inputs["guide"][1], inputs["copied"][1] = 0, 0
    drawing = generator(**inputs)
    assert (drawing.gate[1] == 0).all() and torch.equal(drawing.image[1], drawing.drawn[1])
    assert (drawing.gate[0] > 0).any()


def test_a_black_or_grey_guide_is_a_guide(generator: CompactGenerator) -> None:
    inputs = make_inputs(1)
    for level in (0, 127, 128, 255):
        inputs["guide"][:] = level / 127.5 - 1
        assert (generator(**inputs).gate > 0).any()


def test_an_unguided_network_has_no_gate_to_learn() -> None:
    torch.manual_seed(0)
    network = CompactGenerator(5, width=4, num_blocks=1, guided=False)
    drawing = network(**make_inputs())
    assert torch.equal(drawing.image, drawing.drawn) and not drawing.gate.any()
    drawing.image.sum().backward()
    assert not [n for n, p in network.named_parameters() if p.requires_grad and p.grad is None]


def test_every_parameter_of_a_guided_network_learns() -> None:
    torch.manual_seed(0)
    network = CompactGenerator(5, width=4)
    network(**make_inputs()).image.square().mean().backward()
    assert not [n for n, p in network.named_parameters() if p.grad is None or not p.grad.any()]


@pytest.mark.parametrize("make", [lambda: ModulatedBlock(8, 5, dilation=2), lambda: AttentionBlock(8)])
def test_blocks_begin_near_the_identity(make: Callable[[], torch.nn.Module]) -> None:
    torch.manual_seed(0)
    block, x = make(), torch.randn(2, 8, 12, 12)
    y = block(x, torch.randn(2, 5, 12, 12)) if isinstance(block, ModulatedBlock) else block(x)
    assert y.shape == x.shape
    assert (y - x).std() < 0.3 * x.std()


def test_the_default_fits_16_megabytes_in_half_precision() -> None:
    config = SesameConfig(num_classes=35, thing_classes=(26,))
    with torch.device("meta"):
        generator = build_generator(config)
    assert sum(p.numel() for p in generator.parameters()) * 2 <= 16e6
