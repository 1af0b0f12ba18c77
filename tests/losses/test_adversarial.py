"""`losses.adversarial` by hand-worked numbers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from scenebrush.losses.adversarial import (
    generator_weights,
    hinge_discriminator,
    hinge_fake,
    hinge_generator,
    hinge_real,
    hinge_targets,
    least_squares_discriminator,
    least_squares_generator,
)


def logits(*scales: list[float]) -> list[Tensor]:
    return [torch.tensor(scale).view(1, 1, 1, -1) for scale in scales]


REAL = logits([2.0, 0.5, 0.0], [-1.0])  # max(0, 1 - D): 0, .5, 1 -> .5; 2
FAKE = logits([-2.0, -0.5, 3.0], [0.0])  # max(0, 1 + D): 0, .5, 4 -> 1.5; 1
TOUCHED = [torch.tensor([True, True, False]).view(1, 1, 1, 3), torch.tensor([True]).view(1, 1, 1, 1)]


def test_hinges_are_means_over_places_then_scales() -> None:
    assert float(hinge_real(REAL)) == pytest.approx((0.5 + 2) / 2)
    assert float(hinge_fake(FAKE)) == pytest.approx((1.5 + 1) / 2)
    assert float(hinge_generator(FAKE)) == pytest.approx(-(0.5 / 3 + 0) / 2)


def test_targets_of_both_kinds() -> None:
    ones = [torch.ones_like(d) for d in REAL]
    assert hinge_targets(REAL, ones) == hinge_real(REAL)
    assert hinge_targets(FAKE, [-t for t in ones]) == hinge_fake(FAKE)


def test_weights_leave_places_out() -> None:
    assert float(hinge_fake(FAKE, TOUCHED)) == pytest.approx((0.25 + 1) / 2)
    nothing = [torch.zeros_like(t) for t in TOUCHED]
    assert float(hinge_fake(FAKE, nothing)) == 0


@pytest.mark.parametrize(
    ("untouched", "fake", "real"),
    [
        ("fake", (1.5 + 1) / 2, (0.5 + 2) / 2),
        ("real", ((0 + 0.5 + 0) / 3 + 1) / 2, (0.5 + 2) / 2),  # the untouched 3.0 is rightly called real
        ("ignore", (0.25 + 1) / 2, (0.25 + 2) / 2),
    ],
)
def test_what_untouched_patches_count_as(untouched: str, fake: float, real: float) -> None:
    loss = hinge_discriminator(REAL, FAKE, touched=TOUCHED, untouched_patches=untouched)
    assert float(loss.fake) == pytest.approx(fake)
    assert float(loss.real) == pytest.approx(real)
    assert float(loss.total) == pytest.approx(fake + real)


def test_all_touched_is_the_paper() -> None:
    everywhere = [torch.ones_like(t) for t in TOUCHED]
    paper = hinge_discriminator(REAL, FAKE)
    for untouched in ("real", "ignore"):
        assert hinge_discriminator(REAL, FAKE, touched=everywhere, untouched_patches=untouched) == paper


def test_generator_only_hears_of_touched_patches() -> None:
    assert generator_weights(TOUCHED, "fake") is None
    weights = generator_weights(TOUCHED, "real")
    assert float(hinge_generator(FAKE, weights)) == pytest.approx(-(-1.25 + 0) / 2)


def test_an_untouched_patch_gives_no_gradient_to_the_generator() -> None:
    fake = [d.clone().requires_grad_() for d in FAKE]
    hinge_generator(fake, TOUCHED).backward()
    assert fake[0].grad.view(-1).tolist() == [-0.25, -0.25, 0]


def test_half_precision_logits_are_summed_in_float32() -> None:
    low = [torch.full((1, 1, 100, 100), 0.1).bfloat16()]
    assert hinge_fake(low).dtype == torch.float32


def test_least_squares_are_means_over_places_then_sums_over_scales() -> None:
    loss = least_squares_discriminator(REAL, FAKE)
    assert float(loss.real) == pytest.approx((1 + 0.25 + 1) / 3 + 4)  # (D - 1)^2
    assert float(loss.fake) == pytest.approx((4 + 0.25 + 9) / 3 + 0)  # D^2
    assert float(least_squares_generator(FAKE)) == pytest.approx((9 + 2.25 + 4) / 3 + 1)
    assert least_squares_generator([d.bfloat16() for d in FAKE]).dtype == torch.float32
