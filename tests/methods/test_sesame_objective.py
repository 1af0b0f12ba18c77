"""The losses of one training step."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from scenebrush.layers.spectral_norm import SpectralConv2d
from scenebrush.methods.sesame.compact import Drawing
from scenebrush.methods.sesame.config import SesameConfig
from scenebrush.methods.sesame.inputs import EditBatch
from scenebrush.methods.sesame.networks import build_discriminator
from scenebrush.methods.sesame.objective import LossWeights, Objective, crop_around_holes

NOTHING = LossWeights(adversarial=0, feature_matching=0, perceptual=0)
ADVERSARIAL = LossWeights(adversarial=1, feature_matching=0, perceptual=0)


def make_batch(size: int = 32) -> EditBatch:
    rng = torch.Generator().manual_seed(0)
    hole = torch.zeros(2, 1, size, size)
    hole[0, :, 4:8, 4:8] = 1  # 16 pixels
    hole[1, :, 4:24, 4:24] = 1  # 400 pixels

    def uniform(channels: int) -> Tensor:
        return torch.rand(2, channels, size, size, generator=rng) * 1.6 - 0.8

    labels = torch.randint(0, 5, (2, size, size), generator=rng)
    return EditBatch(uniform(3), hole, labels, uniform(4), uniform(4), uniform(3), uniform(1))


class Off(nn.Module):
    """Draws the truth plus a constant inside the hole and nonsense outside; the drawn picture is off by twice that."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = nn.Parameter(torch.tensor(by))

    def forward(self, batch: EditBatch) -> Drawing:
        outside = (1 - batch.hole) * 5
        return Drawing(batch.image + self.by + outside, batch.image + 2 * self.by + outside, batch.hole)


def no_adversary(generator: nn.Module, **networks: object) -> Objective:
    return Objective(generator, None, judge=None, num_classes=5, **networks)  # type: ignore[arg-type]


@pytest.fixture
def judged() -> Objective:
    """An objective with a real, tiny discriminator."""
    torch.manual_seed(0)
    config = SesameConfig(num_classes=5, discriminator_width=4, discriminator_layers=2)
    judge = build_discriminator(config)
    return Objective(Off(0.1), judge, judge=judge, num_classes=5)


def test_reconstruction_is_a_mean_over_hole_pixels_small_holes_count_like_large_ones() -> None:
    batch = make_batch()
    weights = LossWeights(0, 0, 0, reconstruction=3, drawn=10)
    loss, parts, fake = no_adversary(Off(0.1)).generator_step(batch, weights)
    assert parts["reconstruction"].item() == pytest.approx(0.1, rel=1e-4)
    assert parts["drawn"].item() == pytest.approx(0.2, rel=1e-4)
    assert loss.item() == pytest.approx(3 * 0.1 + 10 * 0.2, rel=1e-4)
    assert torch.equal(torch.where(batch.hole > 0, 0.0, fake), torch.where(batch.hole > 0, 0.0, batch.image))


def test_an_empty_hole_costs_nothing_and_is_no_nan() -> None:
    batch = make_batch()._replace(hole=torch.zeros(2, 1, 32, 32))
    loss, _, _ = no_adversary(Off(0.1)).generator_step(batch, LossWeights(0, 0, 0, reconstruction=1))
    assert loss.item() == 0


def test_perceptual_and_style_losses_see_a_crop_around_the_hole() -> None:
    seen: list[tuple[int, ...]] = []

    def told(fake: Tensor, real: Tensor) -> Tensor:
        seen.append(tuple(fake.shape))
        return (fake - real).abs().sum()

    weights = LossWeights(0, 0, perceptual=2, style=1, crop=24)
    loss, parts, _ = no_adversary(Off(0.1), perceptual=told, style=told).generator_step(make_batch(), weights)
    assert seen == [(2, 3, 24, 24)] * 2
    assert parts["perceptual"].item() == pytest.approx(416 * 3 * 0.1, rel=1e-3)  # all of both holes
    assert loss.item() == pytest.approx(3 * parts["style"].item(), rel=1e-5)


def test_a_loss_without_its_network_is_left_out() -> None:
    weights = LossWeights(adversarial=1, feature_matching=1, perceptual=1, style=1, reconstruction=1)
    assert no_adversary(Off(0.1)).generator_step(make_batch(), weights)[1].keys() == {"reconstruction"}


@pytest.mark.parametrize("untouched", ["fake", "real", "ignore"])
def test_the_generator_learns_from_the_adversary_which_gets_no_gradient(judged: Objective, untouched: str) -> None:
    weights = LossWeights(1, 10, 0, untouched_patches=untouched)  # type: ignore[arg-type]
    assert judged.judge is not None
    judged.judge.requires_grad_(False)
    loss, parts, _ = judged.generator_step(make_batch(), weights)
    loss.backward()
    assert parts.keys() == {"adversarial", "feature_matching"} and parts["feature_matching"] > 0
    assert isinstance(judged.generator, Off) and judged.generator.by.grad is not None and judged.generator.by.grad != 0
    assert all(p.grad is None for p in judged.judge.parameters())


def test_a_perfect_picture_matches_every_feature(judged: Objective) -> None:
    judged.generator = Off(0.0)
    parts = judged.generator_step(make_batch(), LossWeights(1, 10, 0))[1]
    assert parts["feature_matching"].item() == pytest.approx(0, abs=1e-6)


def test_the_discriminator_does_not_move_the_generator(judged: Objective) -> None:
    batch = make_batch()
    _, _, fake = judged.generator_step(batch, ADVERSARIAL)
    loss, parts = judged.discriminator_step(batch, fake, ADVERSARIAL)
    loss.backward()
    assert loss.item() == pytest.approx((parts["d_fake"] + parts["d_real"]).item())
    assert isinstance(judged.generator, Off) and judged.generator.by.grad is None
    assert judged.judge is not None and all(p.grad is not None for p in judged.judge.parameters())


def test_the_discriminator_sees_labels_in_the_hole_only_unless_asked(judged: Objective) -> None:
    batch = make_batch()
    semantics = judged.semantics(batch)
    assert semantics.shape == (2, 6, 32, 32)
    assert torch.equal(semantics[:, -1:], batch.hole)
    assert torch.equal(semantics[:, :5].sum(1, keepdim=True), batch.hole)
    judged.semantics_everywhere = True
    assert torch.equal(judged.semantics(batch)[:, :5].argmax(1), batch.label_map)


@pytest.mark.parametrize(
    ("rows", "columns", "corner"),
    [
        (slice(0, 2), slice(0, 3), (0, 0)),  # in the corner: as near as it goes
        (slice(10, 14), slice(8, 16), (8, 8)),  # the middle of the box is (12, 12)
        (slice(30, 40), slice(37, 40), (31, 32)),
        (slice(0, 0), slice(0, 0), (0, 0)),  # no hole
    ],
)
def test_crops_lie_around_the_middle_of_the_hole(rows: slice, columns: slice, corner: tuple[int, int]) -> None:
    hole = torch.zeros(1, 1, 40, 40)
    hole[:, :, rows, columns] = 1
    places = torch.arange(1600).reshape(1, 1, 40, 40)
    (crop,) = crop_around_holes(8, hole, places)
    assert crop.shape == (1, 1, 8, 8)
    assert np.unravel_index(int(crop[0, 0, 0, 0]), (40, 40)) == corner


def test_a_crop_larger_than_the_window_is_the_window() -> None:
    batch = make_batch()
    (crop,) = crop_around_holes(96, batch.hole, batch.image)
    assert torch.equal(crop, batch.image)


@pytest.mark.parametrize(("weights", "wanted"), [(NOTHING, False), (ADVERSARIAL, True), (LossWeights(0, 10, 0), False)])
def test_whether_anything_is_asked_for(weights: LossWeights, wanted: bool) -> None:
    assert weights.any is wanted


def test_both_steps_work_for_every_treatment_of_untouched_patches(judged: Objective) -> None:
    found: Callable[[str], float] = lambda u: judged.discriminator_step(  # noqa: E731
        make_batch(64),
        make_batch(64).guide,
        LossWeights(1, 0, 0, untouched_patches=u),  # type: ignore[arg-type]
    )[0].item()
    assert len({round(found(u), 5) for u in ("fake", "real", "ignore")}) == 3


@pytest.mark.parametrize("kind", ["two_stream", "features"])
def test_a_new_discriminator_judges_in_evaluation_as_it_does_in_training(kind: str) -> None:
    """The generator's first step asks it at rest, before any pass in training has measured its weights."""
    for seed in range(4):
        torch.manual_seed(seed)
        judge = build_discriminator(SesameConfig(num_classes=5, discriminator=kind, discriminator_width=8))  # type: ignore[arg-type]
        convolutions = [m for m in judge.modules() if isinstance(m, SpectralConv2d)]
        assert convolutions
        for convolution in convolutions:
            largest = torch.linalg.matrix_norm(convolution.eval().normalized_weight().flatten(1), 2)
            assert largest.item() == pytest.approx(1, abs=0.1)
