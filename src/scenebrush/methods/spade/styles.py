"""Styles that seeds may draw: those of the training photos are made N(0, 1) after training, exactly (ours).

A VAE's divergence is to make the photos' styles together N(0, 1), so that a draw from it is the style of some photo.
With its weight of 0.05 a short training learns no styles at all; with less they lie anywhere. A linear map of the style
space, folded into the layers before and after it, puts them right: every photo's picture stays the same.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from scenebrush.methods.spade.networks import SpadeNetworks

_LEAST_SHARE = 1e-4  # of the largest variance: directions that photos hardly differ in are not blown up


@torch.no_grad()
def standardise_styles(networks: SpadeNetworks, photos: Iterable[Tensor]) -> None:
    """Changes encoder and generator so that the mean styles of these photos have mean 0 and covariance 1.

    `photos` are batches (B, 3, H, W) in [-1, 1]. With z = m + A z' the encoder gives z' and the generator's first layer
    takes it. The noise of `Style.draw` becomes the same for all photos: its mean in each of the new directions.
    """
    encoder, first = networks.encoder, networks.generator.first
    assert encoder is not None
    assert isinstance(first, nn.Linear)
    styles = [encoder(photo) for photo in photos]
    means = torch.cat([s.mean for s in styles]).double()  # (N, S)
    variance = torch.cat([s.log_variance for s in styles]).double().exp().mean(0)  # (S,)
    center = means.mean(0)
    spread, directions = torch.linalg.eigh(torch.cov(means.T))  # (S,), (S, S) columns
    spread = spread.clamp(min=float(spread.max()) * _LEAST_SHARE).sqrt()
    into, out = directions * spread, (directions / spread).T  # A (S, S') and its inverse (S', S)
    noise = (out.square() * variance).sum(1).clamp(min=1e-6).log()
    _set(encoder.mean, out @ encoder.mean.weight.double(), out @ (encoder.mean.bias.double() - center))
    _set(encoder.log_variance, torch.zeros_like(encoder.log_variance.weight), noise)
    _set(first, first.weight.double() @ into, first.bias.double() + first.weight.double() @ center)


def _set(layer: nn.Linear, weight: Tensor, bias: Tensor) -> None:
    layer.weight.copy_(weight)
    layer.bias.copy_(bias)
