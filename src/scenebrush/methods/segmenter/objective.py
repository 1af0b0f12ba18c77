"""The losses of one training step: cross-entropy that rare classes count more in, and Dice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from scenebrush.methods.segmenter.classes import IGNORED


@dataclass(frozen=True)
class LossWeights:
    """What each loss counts; 0 = off.

    Args:
        cross_entropy: mean over the labelled pixels, each weighted by its class.
        dice: 1 - the mean over the classes in the batch of 2 |P T| / (|P| + |T|).
        smoothing: of the labels in the cross-entropy: this share of each is spread over all classes.
    """

    cross_entropy: float = 1.0
    dice: float = 0.5
    smoothing: float = 0.05

    @property
    def any(self) -> bool:
        """Whether there is anything that the network is asked for."""
        return max(self.cross_entropy, self.dice) > 0


class Objective:
    """Losses of the scores against the labels.

    Args:
        class_weights: float (K,), what a pixel of each class counts.
    """

    def __init__(self, class_weights: Tensor) -> None:
        self.class_weights = class_weights

    def step(self, scores: Tensor, target: Tensor, weights: LossWeights) -> tuple[Tensor, dict[str, Tensor]]:
        """Returns the loss and its unweighted parts by name, with `accuracy`, the share of pixels, every fourth each
        way, that are right.

        Args:
            scores: (B, K, H, W).
            target: int64 (B, H, W), output numbers, `IGNORED` = unlabelled. A batch without labels has loss 0.
        """
        scores = scores.float()
        parts: dict[str, Tensor] = {}
        if weights.cross_entropy:
            parts["cross_entropy"] = cross_entropy(scores, target, self.class_weights, weights.smoothing)
        if weights.dice:
            parts["dice"] = dice(scores, target)
        loss = torch.stack([getattr(weights, name) * value for name, value in parts.items()]).sum()
        few = scores.detach()[:, :, ::4, ::4].argmax(1), target[:, ::4, ::4]  # of a sixteenth: it is only told
        right, count = (few[0] == few[1]).sum(), (few[1] != IGNORED).sum()
        return loss, {**parts, "accuracy": right / count.clamp(min=1)}


def cross_entropy(scores: Tensor, target: Tensor, class_weights: Tensor, smoothing: float = 0.0) -> Tensor:
    """Returns the weighted mean cross-entropy of the labelled pixels; 0 where there are none."""
    per_pixel = F.cross_entropy(
        scores,
        target,
        class_weights.to(scores.device),
        ignore_index=IGNORED,
        label_smoothing=smoothing,
        reduction="sum",
    )
    weight = F.pad(class_weights.to(scores.device), (0, IGNORED + 1 - len(class_weights)))[target].sum()
    return per_pixel / weight.clamp(min=1e-6)


def dice(scores: Tensor, target: Tensor) -> Tensor:
    """Returns 1 - the mean soft Dice over the classes that the batch shows; unlabelled pixels do not count."""
    labelled = target != IGNORED
    chances = scores.softmax(1) * labelled[:, None]  # (B, K, H, W)
    places = target[labelled]
    pixels = torch.bincount(places, minlength=scores.shape[1])  # |T|
    own = chances.gather(1, (target * labelled)[:, None])[:, 0][labelled]  # of the true class; no one-hot: it is large
    both = torch.zeros_like(scores[0, :, 0, 0]).index_add(0, places, own)
    values = (2 * both + 1) / (chances.sum((0, 2, 3)) + pixels + 1)
    shown = pixels > 0
    return (1 - values)[shown].mean() if bool(shown.any()) else scores.sum() * 0


def class_weights(counts: np.ndarray) -> Tensor:
    """Returns float32 (K,): 1 / sqrt(share of the pixels), of mean 1 over the pixels; 0 for a class that never occurs.

    Shares below 1/2000 count as that: a class of a few pixels would drown the others.
    """
    shares = counts / max(int(counts.sum()), 1)
    weights = np.where(counts > 0, 1 / np.sqrt(np.maximum(shares, 1 / 2000)), 0.0)
    return torch.from_numpy(weights / max(float((weights * shares).sum()), 1e-12)).float()
