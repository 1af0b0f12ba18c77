"""Each loss by hand-worked and limiting cases."""

from __future__ import annotations

import math

import pytest
import torch

from scenebrush.methods.seigan import losses

BOX = torch.zeros(1, 1, 4, 4)
BOX[..., 1:3, 1:3] = 1


def test_verdicts_by_hand():
    logits, shares = [torch.tensor([[[[0.0, 2.0]]]]), torch.full((1, 1, 1, 1), 3.0)], (0.25, 0.75)
    assert losses.generator_verdict(logits, shares, "least_squares") == pytest.approx(0.25 * 1 + 0.75 * 4)
    assert losses.generator_verdict(logits, shares, "hinge") == pytest.approx(-0.25 * 1 - 0.75 * 3)
    assert losses.discriminator_verdict(logits, "least_squares", real=True) == pytest.approx((1 + 4) / 2)
    assert losses.discriminator_verdict(logits, "least_squares", real=False) == pytest.approx((2 + 9) / 2)
    assert losses.discriminator_verdict(logits, "hinge", real=True) == pytest.approx((0.5 + 0) / 2)
    assert losses.discriminator_verdict(logits, "hinge", real=False) == pytest.approx((2 + 4) / 2)


def test_a_perfect_discriminator_has_no_least_squares_loss():
    assert losses.discriminator_verdict([torch.ones(1, 1, 2, 2)], "least_squares", real=True) == 0
    assert losses.discriminator_verdict([torch.zeros(1, 1, 2, 2)], "least_squares", real=False) == 0


def test_texture_of_equal_features_is_0_of_doubled_ones_3():
    features = [torch.rand(2, 5, 4, 4), torch.rand(2, 3, 2, 2)]
    assert losses.texture_distance(features, features) == 0
    # Gram matrices grow fourfold: |4 G - G| / |G| = 3.
    assert losses.texture_distance([2 * f for f in features], features) == pytest.approx(3, rel=1e-4)


def test_texture_does_not_ask_where_things_are():
    features = torch.rand(1, 5, 4, 4)
    assert losses.texture_distance([features.flip(3)], [features]) == pytest.approx(0, abs=1e-5)
    assert losses.texture_distance([features.flip(1)], [features]) > 0.01


def test_texture_groups_are_the_first_and_last_five_convolutions():
    first, last = losses.texture_groups("vgg19")
    assert first == ("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1")
    assert last == ("relu4_4", "relu5_1", "relu5_2", "relu5_3", "relu5_4")
    assert losses.texture_groups("vgg16")[1] == ("relu4_2", "relu4_3", "relu5_1", "relu5_2", "relu5_3")


@pytest.mark.parametrize(("value", "expected"), [(0.0, 0.2), (0.2, 0.0), (0.5, 0.0), (0.85, 0.0), (1.0, 0.15)])
def test_the_area_guard_by_hand(value, expected):
    assert losses.area_guard(value * BOX, BOX) == pytest.approx(expected, abs=1e-6)


def test_the_area_guard_holds_each_mask_by_itself():
    masks, boxes = torch.cat([0 * BOX, BOX]), torch.cat([BOX, BOX])  # half of the boxes on average
    assert losses.mask_share(masks, boxes).tolist() == [0, 1]
    assert losses.area_guard(masks, boxes) == pytest.approx((0.2 + 0.15) / 2)


def test_the_guard_pushes_an_empty_mask_up_and_a_full_one_down():
    for value, sign in ((0.01, -1), (0.99, 1)):
        mask = (value * BOX).requires_grad_()
        losses.area_guard(mask, BOX).backward()
        assert mask.grad is not None and (mask.grad[BOX > 0] * sign > 0).all()


@pytest.mark.parametrize(
    ("value", "undecided", "sharp"), [(0.0, 0.0, 1.0), (1.0, 0.0, 1.0), (0.5, 1.0, 0.0), (0.75, 0.75, 0.5)]
)
def test_indecision_and_sharpness_by_hand(value, undecided, sharp):
    assert losses.indecision(value * BOX, BOX) == pytest.approx(undecided)
    assert losses.sharpness(value * BOX, BOX) == pytest.approx(sharp)


def test_edges_cost_where_the_picture_has_none():
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., 2:] = 1  # one vertical edge: 4 of 12 steps along x
    flat, stepped = torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)
    stepped[..., 2:] = 0.3
    assert losses.edge_disagreement(mask, flat) == pytest.approx(4 / 12)
    assert losses.edge_disagreement(mask, stepped) == pytest.approx(4 / 12 * math.exp(-2), rel=1e-5)
    assert losses.edge_disagreement(torch.ones(1, 1, 4, 4), stepped) == 0
