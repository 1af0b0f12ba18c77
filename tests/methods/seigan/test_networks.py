"""Generators and discriminators: counts, sizes, and what they must do with masks of 0 and 1."""

from __future__ import annotations

import math

import pytest
import torch

from scenebrush.canvas.box_evidence import box_evidence
from scenebrush.errors import InputError, RecipeError
from scenebrush.methods.seigan.blocks import ResNet
from scenebrush.methods.seigan.config import SeiganConfig
from scenebrush.methods.seigan.discriminator import Discriminators, PatchDiscriminator, Shown
from scenebrush.methods.seigan.inpainter import smooth_fill
from scenebrush.methods.seigan.networks import PARTS, build_networks
from scenebrush.methods.seigan.swap import paste


def count(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_the_compact_generators_fit_into_2_5_megabytes_in_half_precision():
    networks = build_networks(SeiganConfig(kind="compact", width=16))
    assert count(networks) == sum(count(getattr(networks, part)) for part in PARTS) == 1_143_159
    assert count(networks) <= 1_250_000


def test_the_papers_parts_are_cyclegans():
    """As CycleGAN's authors print them, less the biases that an instance norm undoes."""
    with torch.device("meta"):
        assert count(ResNet(3, 3)) == 11_378_179 - (64 + 128 + 256 + 9 * 2 * 256 + 128 + 64)
        assert count(PatchDiscriminator()) == 2_764_737 - (128 + 256 + 512)
        assert count(Discriminators(SeiganConfig())) == 2 * count(PatchDiscriminator())


@pytest.mark.parametrize("kind", ["paper", "compact"])
@pytest.mark.parametrize("size", [(32, 48), (64, 32)])
def test_outputs_keep_the_size_of_any_crop_divisible_by_16(kind, size):
    networks = build_networks(SeiganConfig(kind=kind, width=4, num_blocks=1)).eval()
    x, box = torch.zeros(1, 3, *size), torch.ones(1, 1, *size)
    with torch.no_grad():
        swapped = networks.swap(x, x, box)
        assert swapped.mask.shape == (1, 1, *size)
        assert swapped.enhanced.shape == networks.inpainter(x, swapped.mask).shape == x.shape


def test_other_sizes_are_refused(networks):
    with pytest.raises(InputError, match="crop is 40x32; expected sides divisible by 16"):
        networks.segmenter(torch.zeros(1, 3, 32, 40), torch.ones(1, 1, 32, 40))


def test_the_mask_is_soft_and_nothing_outside_the_box(networks, batch):
    mask = networks.segmenter(batch.x, batch.box)
    assert (mask[batch.box == 0] == 0).all()
    assert (mask[batch.box > 0] > 0).all() and (mask < 1).all()


@pytest.mark.parametrize("logit", [-100.0, 100.0])
def test_no_mask_is_so_sure_that_it_cannot_turn_back(networks, batch, logit):
    networks.segmenter.network.to_map.bias.fill_(logit)
    mask = networks.segmenter(batch.x, batch.box)[batch.box > 0]
    torch.testing.assert_close(mask, torch.full_like(mask, 1 / (1 + math.exp(-math.copysign(4, logit)))))


def test_with_evidence_a_new_segmenter_says_what_the_photo_says(batch):
    torch.manual_seed(0)
    segmenter = build_networks(SeiganConfig(kind="compact", width=4, evidence=True)).eval().segmenter
    segmenter.network.to_map.weight.data.zero_()
    photos = ((batch.x + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    logits = torch.from_numpy(box_evidence(photos, batch.box[:, 0].numpy() > 0).logits)[:, None]
    mask, begun = segmenter.masks(batch.x, batch.box)
    assert torch.equal(mask, begun)
    torch.testing.assert_close(mask, torch.sigmoid(4 * torch.tanh(logits / 4)) * batch.box)


@pytest.mark.parametrize("size", [(96, 96), (48, 80)])
def test_a_smooth_fill_goes_on_with_the_colours_around(size):
    columns = torch.linspace(-1, 1, size[1]).expand(1, 3, *size).clone()
    known = torch.ones(1, 1, *size)
    known[:, :, 10:30, 20:44] = 0
    filled = smooth_fill(columns * known, known)
    assert torch.equal(filled * known, columns * known)
    assert float((filled - columns).abs().max()) < 0.25
    assert (smooth_fill(columns, torch.zeros_like(known)) == 0).all()


def test_a_new_inpainter_shows_nearly_the_smooth_fill(networks, batch):
    even = torch.full_like(batch.x, 0.4)
    filled = networks.inpainter(torch.where(batch.box > 0, -even, even), batch.box)
    assert float((filled - even).abs().max()) < 0.1


def test_pastes_of_limiting_masks(batch):
    zero, one = torch.zeros(2, 1, 32, 32), torch.ones(2, 1, 32, 32)
    assert torch.equal(paste(batch.x, batch.y, zero), batch.y)
    assert torch.equal(paste(batch.x, batch.y, one), batch.x)
    torch.testing.assert_close(paste(batch.x, batch.y, one / 4), batch.x / 4 + batch.y * 3 / 4)


def test_the_inpainter_keeps_what_is_not_masked_and_sees_nothing_of_what_is(networks, batch):
    assert torch.equal(networks.inpainter(batch.x, torch.zeros_like(batch.box)), batch.x)
    other = torch.where(batch.box > 0, -batch.x, batch.x)
    filled = networks.inpainter(batch.x, batch.box)
    assert torch.equal(filled, networks.inpainter(other, batch.box))
    assert torch.equal(filled * (1 - batch.box), batch.x * (1 - batch.box))


def test_the_papers_inpainter_draws_all_anew(batch):
    torch.manual_seed(0)
    networks = build_networks(SeiganConfig(width=4, num_blocks=1)).eval()
    assert not torch.allclose(networks.inpainter(batch.x, torch.zeros_like(batch.box)), batch.x, atol=0.1)


def test_the_enhancers_change_is_bounded(networks, batch):
    with torch.no_grad():
        networks.enhancer.network.to_map.bias.fill_(100.0)
    enhanced = networks.enhancer(batch.x * 0.4, batch.box)
    torch.testing.assert_close(enhanced, batch.x * 0.4 + 0.5)


def test_noise_changes_what_the_enhancer_makes_only_where_it_is_asked_for(batch):
    torch.manual_seed(0)
    networks = build_networks(SeiganConfig(kind="compact", width=4, noise_channels=1)).eval()
    first, second = (networks.cycle(batch._replace(seed=seed)).y1 for seed in (1, 2))
    assert not torch.equal(first, second)
    assert torch.equal(first, networks.cycle(batch._replace(seed=1)).y1)


def test_the_cycle_by_its_equations(networks, batch):
    made = networks.cycle(batch)
    mask = networks.segmenter(batch.x, batch.box)
    z = mask * batch.x + (1 - mask) * batch.y
    y1, x1 = networks.enhancer(z, mask), networks.inpainter(batch.x, mask)
    mask2 = networks.segmenter(y1, batch.box)
    z2 = mask2 * y1 + (1 - mask2) * x1
    expected = (mask, z, y1, x1, mask2, z2, networks.enhancer(z2, mask2), networks.inpainter(y1, mask2))
    for found, wanted in zip(made[:8], expected, strict=True):
        torch.testing.assert_close(found, wanted)


def test_discriminators_judge_every_picture_they_are_shown(tiny, vgg, batch):
    from scenebrush.losses.perceptual import LAYERS

    shown = Shown(batch.x, batch.box, vgg(batch.x, LAYERS))
    backgrounds, objects = Discriminators(tiny)([shown, shown], [shown])
    assert (len(backgrounds), len(objects)) == (2, 1)
    assert [tuple(d.shape) for d in objects[0]] == [(2, 1, s, s) for s in (16, 8, 4, 2)]
    patches = PatchDiscriminator(4)(Shown(torch.zeros(1, 3, 256, 256), batch.box))
    assert [tuple(d.shape) for d in patches] == [(1, 1, 30, 30)]


@pytest.mark.parametrize("wrong", [{"width": 0}, {"pool_size": -1}, {"residual": 0.0}, {"context": 1.0}])
def test_impossible_sizes_are_refused(wrong):
    with pytest.raises(RecipeError, match=f"config.{next(iter(wrong))} is"):
        SeiganConfig(**wrong)
