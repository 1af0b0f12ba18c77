"""Coarse to fine: what each phase trains, and that it trains nothing else."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from scenebrush.errors import InputError, ModelError
from scenebrush.layers.layouts import LayoutBatch
from scenebrush.methods.pix2pixhd.config import Pix2PixHDConfig
from scenebrush.methods.pix2pixhd.networks import Pix2PixHDNetworks, build_discriminator, build_networks
from scenebrush.methods.pix2pixhd.objective import LossWeights, Objective
from scenebrush.methods.pix2pixhd.schedule import (
    Phase,
    num_scales,
    phases,
    set_phase,
    shrink,
    start_from,
    trained_names,
    without_coarser_heads,
)


def config(num_enhancers: int) -> Pix2PixHDConfig:
    return Pix2PixHDConfig(
        num_classes=3, num_features=2, width=8, num_downsamplings=1, num_blocks=1, num_enhancers=num_enhancers,
        num_enhancer_blocks=1, encoder_width=4, encoder_downsamplings=1, discriminator_width=4,
        discriminator_layers=1, discriminator_scales=3,
    )  # fmt: skip


def networks(num_enhancers: int) -> Pix2PixHDNetworks:
    torch.manual_seed(0)
    return build_networks(config(num_enhancers), every_level=True)


def batch(side: int = 32) -> LayoutBatch:
    rng = torch.Generator().manual_seed(1)
    labels = torch.randint(0, 3, (2, 1, side, side), generator=rng)
    return LayoutBatch(torch.rand(2, 3, side, side, generator=rng) * 2 - 1, labels, labels * 2)


def test_the_order_of_the_phases() -> None:
    assert [p.name for p in phases(0)] == ["global"]
    assert [p.name for p in phases(2)] == ["global", "enhancer 1", "together 1", "enhancer 2", "together 2"]


@pytest.mark.parametrize("phase", phases(2), ids=lambda p: p.name)
def test_a_step_changes_what_the_phase_trains_and_nothing_else(phase: Phase) -> None:
    """The whole step, discriminator included, with an optimiser over ALL parameters that has stepped before."""
    made = networks(2)
    discriminator = build_discriminator(config(2))
    optimizer = torch.optim.Adam(made.parameters(), 1e-2)
    for everything in (Phase(0), Phase(2)):
        _step(made, discriminator, optimizer, everything)
    before = {name: p.detach().clone() for name, p in made.named_parameters()}
    _step(made, discriminator, optimizer, phase)
    changed = {name for name, p in made.named_parameters() if not torch.equal(p, before[name])}
    biases = {name for name in trained_names(made, phase) if name.endswith(".bias")}  # instance norm removes them
    assert changed <= trained_names(made, phase)
    assert trained_names(made, phase) - biases <= changed


def _step(made: Pix2PixHDNetworks, discriminator: nn.Module, optimizer: torch.optim.Optimizer, phase: Phase) -> None:
    set_phase(made, phase)
    small = shrink(batch(), 2 - phase.level)
    objective = Objective(
        made, discriminator, judge=discriminator, level=phase.level,  # type: ignore[arg-type]
        num_scales=num_scales(discriminator, made, phase),  # type: ignore[arg-type]
    )  # fmt: skip
    semantics = made.condition(small.label_map, small.instance_map).semantics
    loss, _, fake = objective.generator_step(small, semantics, LossWeights(perceptual=0))
    assert fake.shape[2] == 8 * 2**phase.level
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def test_what_is_trained_when() -> None:
    made = networks(2)
    parts = {
        phase.name: {".".join(name.split(".")[:3]) if "trunk" not in name else "trunk" for name in found}
        for phase, found in ((p, trained_names(made, p)) for p in phases(2))
    }
    encoder = {name for name in parts["global"] if name.startswith("encoder")}
    assert encoder
    assert parts["global"] == {"trunk", "generator.heads.0"} | (encoder - {"trunk"})
    assert parts["enhancer 1"] == {"generator.enhancers.0", "generator.heads.1"}
    assert parts["together 1"] == parts["enhancer 1"] | {"trunk"} | encoder
    assert parts["enhancer 2"] == {"generator.enhancers.1", "generator.heads.2"}
    assert parts["together 2"] == parts["enhancer 2"] | {"trunk", "generator.enhancers.0"} | encoder


def test_the_coarsest_scales_judge_the_coarser_levels() -> None:
    """Facts 1.4: 2 scales at 512p, 3 at 1024p, and the new one is the finest."""
    made = networks(1)
    discriminator = build_discriminator(config(1))
    assert [num_scales(discriminator, made, phase) for phase in phases(1)] == [2, 3, 3]
    assert num_scales(discriminator, networks(2), Phase(0)) == 1
    other = build_discriminator(dataclasses.replace(config(1), discriminator="two_streams"))
    assert num_scales(other, made, Phase(0)) is None


def test_a_level_that_is_not_there() -> None:
    with pytest.raises(InputError, match="generator has levels 0 to 1"):
        set_phase(networks(1), Phase(2))
    with pytest.raises(InputError, match="level 0 has no head"):
        set_phase(build_networks(config(1)), Phase(0))


def test_shrinking_keeps_labels_and_means() -> None:
    labels = torch.arange(16).view(1, 4, 4)
    image = torch.randn(1, 3, 4, 4)
    small = shrink(LayoutBatch(image, labels, labels + 100), 1)
    assert small.label_map[0, 0].tolist() == [[0, 2], [8, 10]]
    assert small.instance_map is not None and small.instance_map[0, 0].tolist() == [[100, 102], [108, 110]]
    assert torch.allclose(small.image[0, :, 0, 1], image[0, :, :2, 2:].mean((1, 2)))
    assert torch.equal(shrink(LayoutBatch(image, labels), 0).image, image)


def test_a_finer_model_starts_from_a_coarser_one() -> None:
    coarse, fine = networks(0), networks(1)
    torch.nn.init.constant_(coarse.generator.heads["0"].weight, 0.25)
    for parameter in fine.parameters():
        parameter.data.mul_(0)
    new = start_from(fine, coarse)
    assert {name.rsplit(".", 1)[0].split(".")[1] for name in new} == {"enhancers", "heads"}
    assert all(name.startswith(("generator.enhancers.0", "generator.heads.1")) for name in new)
    coarse_batch = shrink(batch(), 1)
    assert torch.equal(fine(coarse_batch, 0), coarse(coarse_batch))
    wider = build_networks(Pix2PixHDConfig(num_classes=3, num_features=2, width=16, num_downsamplings=1, num_blocks=1))
    with pytest.raises(ModelError, match="in the coarser model"):
        start_from(wider, coarse)


def test_a_discriminator_gets_its_new_scale_on_top() -> None:
    two, three = (build_discriminator(dataclasses.replace(config(1), discriminator_scales=n)) for n in (2, 3))
    new = start_from(three, two)
    assert new and all(name.startswith("scales.2.") for name in new)
    condition, image = torch.randn(1, 4, 32, 32), torch.randn(1, 3, 32, 32)
    small = [torch.nn.functional.avg_pool2d(x, 3, 2, 1, count_include_pad=False) for x in (condition, image)]
    of_three = three(condition, [image])[0].logits[1:]
    of_two = two(small[0], [small[1]])[0].logits
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(of_three, of_two, strict=True))


def test_the_finest_head_alone_is_kept() -> None:
    made = networks(1)
    wanted = made(batch())
    assert set(without_coarser_heads(made.generator).heads) == {"1"}
    assert torch.equal(made(batch()), wanted)
