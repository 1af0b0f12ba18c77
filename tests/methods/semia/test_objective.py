"""SemIA's losses, by hand and by their gradients; their values against the authors' are in `test_parity`."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from scenebrush.layers.spectral_norm import settle_
from scenebrush.layers.vgg import VGG, layer_indices
from scenebrush.losses.patch_coherence import PatchCoherence
from scenebrush.methods.semia.auxiliary import AuxiliaryClassifier
from scenebrush.methods.semia.discriminator import SemiaDiscriminator
from scenebrush.methods.semia.generator import SemiaGenerator
from scenebrush.methods.semia.objective import LossWeights, Objective, Pair, fixed_point, noisy
from scenebrush.methods.semia.translation import Translation


def random_vgg() -> VGG:
    """Returns a VGG16 with random weights up to relu2_1."""
    generator = torch.Generator().manual_seed(0)
    shapes = {"relu1_1": (64, 3), "relu1_2": (64, 64), "relu2_1": (128, 64)}
    tensors: dict[str, Tensor] = {}
    for layer, index in layer_indices("vgg16").items():
        out, into = shapes.get(layer, (1, 1))
        tensors[f"features.{index}.weight"] = torch.randn(out, into, 3, 3, generator=generator) / 10
        tensors[f"features.{index}.bias"] = torch.zeros(out)
    return VGG(tensors, "vgg16")


@pytest.fixture(scope="module")
def patches() -> PatchCoherence:
    """The patch loss on a random VGG16."""
    return PatchCoherence(random_vgg())


@pytest.fixture
def pairs(patches: PatchCoherence) -> tuple[Pair, Pair]:
    """A source and a target of 24x16 pixels."""
    photo, layout, other, other_layout = torch.rand(4, 1, 3, 16, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return Pair(photo, layout, patches.features(photo)), Pair(other, other_layout)


def objective(patches: PatchCoherence | None, weights: LossWeights | None = None, **options: bool) -> Objective:
    torch.manual_seed(0)
    generator, discriminator = SemiaGenerator(width=4, levels=2), SemiaDiscriminator(width=4)
    settle_(generator)
    settle_(discriminator)
    return Objective(generator, discriminator, AuxiliaryClassifier(width=4), patches, weights, **options)


def only(**weights: float) -> LossWeights:
    """Returns weights of 0 but for those given."""
    return LossWeights(**dict.fromkeys(LossWeights.__dataclass_fields__, 0.0) | weights)


def largest_gradient(network: torch.nn.Module) -> float:
    return max((float(p.grad.abs().max()) for p in network.parameters() if p.grad is not None), default=0.0)


def test_alignment_teaches_the_generator(patches: PatchCoherence, pairs: tuple[Pair, Pair]) -> None:
    ours = objective(patches, only(alignment=1.0))
    ours.sample_step(*pairs, torch.Generator().manual_seed(0))[0].backward()
    assert largest_gradient(ours.generator) > 0


def test_alignment_as_released_teaches_it_nothing(patches: PatchCoherence, pairs: tuple[Pair, Pair]) -> None:
    """Facts 1.4, defect 1: the value is the same, but nothing flows back."""
    released = objective(patches, only(alignment=1.0), alignment_as_released=True)
    loss, parts, _ = released.sample_step(*pairs, torch.Generator().manual_seed(0))
    assert not parts["alignment"].requires_grad
    assert not loss.requires_grad
    ours = objective(patches, only(alignment=1.0)).sample_step(*pairs, torch.Generator().manual_seed(0))[0]
    assert loss.item() == pytest.approx(ours.item(), rel=1e-6)
    everything = objective(patches, alignment_as_released=True)
    everything.sample_step(*pairs, torch.Generator().manual_seed(0))[0].backward()
    assert all(p.grad is None for p in everything.auxiliary.parameters())


@pytest.mark.parametrize("term", ["adversarial", "feature_matching", "patch_coherence", "alignment"])
def test_each_loss_of_sample_mode_reaches_the_generator(
    patches: PatchCoherence, pairs: tuple[Pair, Pair], term: str
) -> None:
    alone = objective(patches, only(**{term: 1.0}))
    loss, parts, _ = alone.sample_step(*pairs, torch.Generator().manual_seed(0))
    assert set(parts) == {term}
    loss.backward()
    assert largest_gradient(alone.generator) > 0


def test_weights_multiply(patches: PatchCoherence, pairs: tuple[Pair, Pair]) -> None:
    once = objective(patches).reconstruction_step(pairs[0], torch.Generator().manual_seed(0))[1]
    thrice = objective(patches, LossWeights(3, 3, 3, 3, 15, 3)).reconstruction_step(
        pairs[0], torch.Generator().manual_seed(0)
    )[1]
    assert once.keys() == {"adversarial", "feature_matching", "reconstruction", "fixed_scales", "fixed_shifts"}
    assert all(thrice[name].item() == pytest.approx(3 * value.item(), rel=1e-5) for name, value in once.items())


def test_reconstruction_is_five_times_the_mean_difference(patches: PatchCoherence, pairs: tuple[Pair, Pair]) -> None:
    _, parts, made = objective(patches).reconstruction_step(pairs[0])
    assert parts["reconstruction"].item() == pytest.approx(
        5 * (made.picture - pairs[0].photo).abs().mean().item(), rel=1e-5
    )


def test_what_was_said_of_the_photo_before_counts_as_if_said_now(
    patches: PatchCoherence, pairs: tuple[Pair, Pair]
) -> None:
    ours = objective(patches)
    ours.discriminator.eval()  # so that spectral norm stands still
    now = ours.sample_step(*pairs, torch.Generator().manual_seed(0))[1]
    before = ours.sample_step(*pairs, torch.Generator().manual_seed(0), real=ours.judge(pairs[1]))[1]
    for name, value in now.items():
        torch.testing.assert_close(before[name], value, rtol=1e-3, atol=1e-4)


def test_fixed_point_by_hand() -> None:
    translation = Translation(
        [torch.tensor([[[[1.5, 1.0]]]]), torch.tensor([[[[-1.0]]]])],
        [torch.tensor([[[[0.0, -2.0]]]]), torch.ones(1, 1, 1, 1)],
    )
    scales, shifts = fixed_point(translation)
    assert (scales.item(), shifts.item()) == (0.25 + 2, 1 + 1)


def test_discriminator_step_by_hand(patches: PatchCoherence, pairs: tuple[Pair, Pair]) -> None:
    ours = objective(patches)
    ours.discriminator.eval()
    picture = torch.rand(1, 3, 16, 24, requires_grad=True)
    loss, terms = ours.discriminator_step(pairs[1], picture)
    real, fake = ours.discriminator(pairs[1].layout, [pairs[1].photo, picture])
    assert terms.real.item() == pytest.approx(sum((d - 1).square().mean().item() for d in real.logits) / 2, rel=1e-5)
    assert terms.fake.item() == pytest.approx(sum(d.square().mean().item() for d in fake.logits) / 2, rel=1e-5)
    loss.backward()
    assert picture.grad is None
    assert largest_gradient(ours.discriminator) > 0


def test_noise_is_a_grey_level_at_most_and_only_where_there_is_a_generator() -> None:
    photo = torch.zeros(1, 3, 64, 64)
    drawn = noisy(photo, torch.Generator().manual_seed(0))
    assert 0.9 / 255 < drawn.abs().max().item() <= 1 / 255
    assert noisy(photo, None) is photo
