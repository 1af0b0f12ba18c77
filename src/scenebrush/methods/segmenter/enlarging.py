"""From a network's chances at its own size to labels at the photo's: the chances are enlarged, not the labels."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

_PIXELS_AT_ONCE: Final = 2**20  # of the photo; a dozen classes of 100 megapixels would be 5 GB


def enlarged_argmax(chances: Tensor, size: tuple[int, int]) -> np.ndarray:
    """Returns int64 (H, W), the class of the largest chance in each pixel of a photo of `size` (height, width).

    Bilinear between pixel centres, strip by strip, as `F.interpolate` with `align_corners=False` would on the whole.

    Args:
        chances: float (K, h, w).
        size: of the photo.
    """
    height, width = size
    if tuple(chances.shape[1:]) == size:
        return np.asarray(chances.argmax(0).cpu())
    wide = max(1, _PIXELS_AT_ONCE // width)
    strips = [_strip(chances, range(top, min(top + wide, height)), size) for top in range(0, height, wide)]
    return np.concatenate([np.asarray(strip.argmax(0).cpu()) for strip in strips])


def _strip(chances: Tensor, rows: range, size: tuple[int, int]) -> Tensor:
    """Returns the chances (K, len(rows), W) of some of the photo's rows."""
    last = chances.shape[1] - 1
    at = (torch.arange(rows.start, rows.stop, device=chances.device) + 0.5) * chances.shape[1] / size[0] - 0.5
    at = at.clamp(0, last)
    above = at.floor().long()
    share = (at - above)[None, :, None]
    part = chances[:, above] * (1 - share) + chances[:, (above + 1).clamp(max=last)] * share  # (K, rows, w)
    wide: Tensor = F.interpolate(part[None], size=(len(rows), size[1]), mode="bilinear")[0]
    return wide
