import math

import pytest
import torch

from scenebrush.methods.sims.affine import inverse
from scenebrush.methods.sims.perturbing import (
    Perturbation,
    boxes_of,
    centres_of,
    perturb,
    random_affines,
    warp_segment,
)


def rectangle() -> torch.Tensor:
    mask = torch.zeros(1, 1, 60, 80)
    mask[:, :, 20:40, 30:60] = 1
    return mask


def draws(perturbation: Perturbation, count: int = 400) -> torch.Tensor:
    boxes = boxes_of(rectangle()).repeat(count, 1)
    return random_affines(boxes, (60, 80), torch.Generator().manual_seed(0), perturbation)


def test_boxes_and_centres() -> None:
    boxes = boxes_of(torch.cat([rectangle(), torch.zeros(1, 1, 60, 80)]))
    assert boxes.tolist() == [[30, 20, 60, 40], [0, 0, 80, 60]]
    assert centres_of(boxes, (60, 80)).tolist() == [[5, 0], [0, 0]]


def test_scale_and_stretch_are_within_their_ranges_about_the_box() -> None:
    affines = inverse(draws(Perturbation(scale=0.1, stretch=0.05, translation=0, rotation=0)))
    wide, high = affines[:, 0, 0], affines[:, 1, 1]
    assert 0.9 <= float(high.min()) < 0.92
    assert 1.08 < float(high.max()) <= 1.1
    assert 0.95 - 1e-5 <= float((wide / high).min()) < 0.96
    centre = torch.tensor([5.0, 0.0])
    torch.testing.assert_close(affines[:, :, :2] @ centre + affines[:, :, 2], centre.expand(400, 2))


def test_translation_is_a_share_of_the_box() -> None:
    shifts = draws(Perturbation(scale=0, stretch=0, translation=0.1, rotation=0))[:, :, 2]
    largest = shifts.abs().amax(0)
    assert 2.8 < float(largest[0]) <= 3
    assert 1.8 < float(largest[1]) <= 2


def test_rotation_is_applied_in_pixels() -> None:
    linear = draws(Perturbation(scale=0, stretch=0, translation=0, rotation=10))[:, :, :2]
    torch.testing.assert_close(linear @ linear.mT, torch.eye(2).expand(400, 2, 2))
    angles = torch.atan2(linear[:, 0, 1], linear[:, 0, 0]) * 180 / math.pi
    assert 9 < float(angles.max()) <= 10
    assert -10 <= float(angles.min()) < -9


def test_clipping_cuts_the_moved_box() -> None:
    mask = rectangle().repeat(50, 1, 1, 1)
    only = Perturbation(scale=0, stretch=0, translation=0, rotation=0, clipping=0.2)
    moved = perturb(mask.repeat(1, 3, 1, 1), mask, torch.Generator().manual_seed(0), only)
    areas = moved.mask.sum((1, 2, 3))
    assert float(areas.min()) >= 600 * 0.6**2
    assert float(areas.max()) < 600
    # What is left is one rectangle.
    sides = boxes_of(moved.mask)
    torch.testing.assert_close((sides[:, 2] - sides[:, 0]) * (sides[:, 3] - sides[:, 1]), areas)


def test_nothing_is_moved_by_ranges_of_zero() -> None:
    colour = torch.rand(1, 3, 60, 80) * rectangle()
    moved = perturb(colour, rectangle(), torch.Generator().manual_seed(0), Perturbation(0, 0, 0, 0, 0))
    torch.testing.assert_close(moved.mask, rectangle())
    torch.testing.assert_close(moved.colour, colour, atol=1e-4, rtol=1e-4)


def test_the_generator_decides() -> None:
    colour = torch.rand(1, 3, 60, 80) * rectangle()
    first, again, other = (
        perturb(colour, rectangle(), torch.Generator().manual_seed(seed)).colour for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("shift", [0.5, 0.25])
def test_rim_keeps_its_colour(shift: float) -> None:
    mask = rectangle()
    affine = torch.eye(2, 3)[None].clone()
    affine[0, 0, 2] = shift
    colour, moved = warp_segment(0.8 * mask.repeat(1, 3, 1, 1), mask, affine)
    torch.testing.assert_close(colour, 0.8 * moved.repeat(1, 3, 1, 1))
