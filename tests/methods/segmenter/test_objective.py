"""The losses against torch's own and a brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from scenebrush.methods.segmenter.classes import IGNORED
from scenebrush.methods.segmenter.objective import LossWeights, Objective, class_weights, cross_entropy, dice


@pytest.fixture
def batch():
    rng = torch.Generator().manual_seed(5)
    scores = torch.randn(2, 4, 6, 8, generator=rng).requires_grad_()
    target = torch.randint(0, 3, (2, 6, 8), generator=rng)  # class 3 never occurs
    target[0, :2] = IGNORED
    return scores, target


@pytest.mark.parametrize("smoothing", [0.0, 0.05])
def test_cross_entropy_is_torchs_weighted_mean(batch, smoothing):
    scores, target = batch
    weights = torch.tensor([1.0, 0.5, 3.0, 2.0])
    expected = F.cross_entropy(scores, target, weights, ignore_index=IGNORED, label_smoothing=smoothing)
    assert torch.allclose(cross_entropy(scores, target, weights, smoothing), expected)


def test_dice_is_that_of_a_brute_force(batch):
    scores, target = batch
    chances, values = scores.detach().softmax(1).numpy(), []
    labelled = target.numpy() != IGNORED
    for k in range(3):
        p, t = chances[:, k][labelled], (target.numpy() == k)[labelled]
        values.append(1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1))
    assert float(dice(scores, target).detach()) == pytest.approx(np.mean(values), rel=1e-5)
    right = F.one_hot(target.clamp(max=3), 4).permute(0, 3, 1, 2) * 50.0
    assert float(dice(right, target)) == pytest.approx(0, abs=1e-5)


def test_a_batch_without_labels_teaches_nothing_and_breaks_nothing(batch):
    scores, target = batch
    loss, parts = Objective(torch.ones(4)).step(scores, torch.full_like(target, IGNORED), LossWeights())
    loss.backward()
    assert float(loss.detach()) == 0 and not scores.grad.any() and float(parts["accuracy"]) == 0


def test_the_loss_is_the_weighted_sum_of_its_parts(batch):
    loss, parts = Objective(torch.ones(4)).step(*batch, LossWeights(cross_entropy=2.0, dice=0.5))
    assert torch.allclose(loss, 2 * parts["cross_entropy"] + 0.5 * parts["dice"])
    assert set(Objective(torch.ones(4)).step(*batch, LossWeights(dice=0.0))[1]) == {"cross_entropy", "accuracy"}


def test_class_weights_by_hand():
    """Shares 1/4, 3/4: 1/sqrt = 2 and 2/sqrt(3), of mean 1 over the pixels; a class that never occurs counts 0."""
    mean = 0.25 * 2 + 0.75 * 2 / 3**0.5
    assert class_weights(np.array([100, 300, 0])).tolist() == pytest.approx([2 / mean, 2 / 3**0.5 / mean, 0])
    few = class_weights(np.array([1, 10**6]))
    assert float(few[0] / few[1]) == pytest.approx(2000**0.5, rel=1e-3)
    assert class_weights(np.zeros(3, int)).tolist() == [0, 0, 0]
