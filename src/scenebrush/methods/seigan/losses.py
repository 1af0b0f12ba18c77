"""SEIGAN's losses, each a plain function (sections 2.2-2.4), and the guards against its two collapses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from scenebrush.layers.vgg import VGGName, layer_indices
from scenebrush.losses.style import gram_matrix

Adversary = Literal["least_squares", "hinge"]


def generator_verdict(logits: Sequence[Tensor], shares: Sequence[float], adversary: Adversary) -> Tensor:
    """Returns what a generator minimises: E[(D - 1)^2], or with "hinge" -E[D]; maps count their shares."""
    if adversary == "hinge":
        terms = [-d.float().mean() for d in logits]
    else:
        terms = [(d.float() - 1).square().mean() for d in logits]
    return torch.stack([share * term for share, term in zip(shares, terms, strict=True)]).sum()


def discriminator_verdict(logits: Sequence[Tensor], adversary: Adversary, *, real: bool) -> Tensor:
    """Returns what a discriminator minimises on real or fake pictures, the mean over its maps.

    Least squares: E[(D - 1)^2] for real, E[D^2] for fake; hinge: E[max(0, 1 - D)], E[max(0, 1 + D)].
    """
    if adversary == "hinge":
        terms = [F.relu(1 - d.float() if real else 1 + d.float()).mean() for d in logits]
    else:
        terms = [(d.float() - float(real)).square().mean() for d in logits]
    return torch.stack(terms).mean()


def texture_groups(name: VGGName, *, compact: bool = False) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns VGG_1 and VGG_2: the first five and the last five convolutions of VGG19, or of VGG16.

    `compact`: of the five layers that discriminators on features look at anyway, the first three and the last two.
    """
    if compact:
        return ("relu1_1", "relu2_1", "relu3_1"), ("relu4_1", "relu5_1")
    layers = tuple(layer_indices(name))
    return layers[:5], layers[-5:]


def texture_distance(fake: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """Returns how unlike the Gram matrices of features (B, C, h, w) are: sum |G - G'| / sum |G'|, mean over layers.

    Relative, so that no layer outweighs the others; 0 = equal. No gradient flows into `real`.
    """
    terms = []
    for found, wanted in zip(fake, real, strict=True):
        target = gram_matrix(wanted.detach())
        apart = (gram_matrix(found) - target).abs().sum((1, 2))
        terms.append((apart / target.abs().sum((1, 2)).clamp_min(1e-8)).mean())
    return torch.stack(terms).mean()


def mask_share(mask: Tensor, box: Tensor) -> Tensor:
    """Returns for each mask (B, 1, H, W) its mean inside the box (B, 1, H, W): (B,), 0 = empty, 1 = full."""
    shares: Tensor = mask.float().sum((1, 2, 3)) / box.float().sum((1, 2, 3)).clamp_min(1)
    return shares


def area_guard(mask: Tensor, box: Tensor, *, least: float = 0.2, most: float = 0.85) -> Tensor:
    """Returns how far mask shares lie outside [least, most], the mean over the batch: 0 for every mask inside."""
    share = mask_share(mask, box)
    return (F.relu(least - share) + F.relu(share - most)).mean()


def indecision(mask: Tensor, box: Tensor) -> Tensor:
    """Returns the mean of 4 m (1 - m) inside boxes: 0 for masks of 0 and 1, 1 for 0.5 everywhere."""
    inside = box.float()
    return (4 * mask.float() * (1 - mask.float()) * inside).sum() / inside.sum().clamp_min(1)


def sharpness(mask: Tensor, box: Tensor) -> Tensor:
    """Returns the mean of |2 m - 1| inside boxes: 1 for masks of 0 and 1, 0 for 0.5 everywhere."""
    inside = box.float()
    return ((2 * mask.float() - 1).abs() * inside).sum() / inside.sum().clamp_min(1)


def edge_disagreement(mask: Tensor, image: Tensor, *, tolerance: float = 0.15) -> Tensor:
    """Returns the mask's steps between neighbours where the picture has none, the mean over pixels (ours).

    A step counts exp(-(|colour step| / tolerance)), with the colour step the mean over channels in [-1, 1].
    """
    total = mask.new_zeros(())
    for axis in (2, 3):
        steps = mask.float().diff(dim=axis).abs()
        colors = image.detach().float().diff(dim=axis).abs().mean(1, keepdim=True)
        total = total + (steps * torch.exp(-colors / tolerance)).mean()
    return total
