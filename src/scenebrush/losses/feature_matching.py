"""Feature matching: fakes should look like real photos to the discriminator's inner layers (pix2pixHD Eq. 4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def feature_matching(fake: Sequence[Sequence[Tensor]], real: Sequence[Sequence[Tensor]]) -> Tensor:
    """Returns the L1 distance of the features `[scale][layer]`: mean per layer, sum over layers, mean over scales.

    No gradient flows into `real`. Logits are not features: leave them out.
    """
    scales = [_distance(f, r) for f, r in zip(fake, real, strict=True)]
    return torch.stack(scales).mean()


def _distance(fake: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    layers = [F.l1_loss(f.float(), r.detach().float()) for f, r in zip(fake, real, strict=True)]
    return torch.stack(layers).sum()
