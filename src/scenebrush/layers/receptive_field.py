"""Which input pixels each output position of a stack of convolutions can see."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Window(NamedTuple):
    """Geometry of one convolution or pooling, the same on both axes, in pixels."""

    kernel: int
    stride: int
    padding: int


def output_size(size: int, windows: Sequence[Window]) -> int:
    """Returns the length, along one axis, of the stack's output for an input of `size` pixels."""
    for window in windows:
        size = (size + 2 * window.padding - window.kernel) // window.stride + 1
    return size


def touched_patches(hole: Tensor, windows: Sequence[Window]) -> Tensor:
    """Returns bool (B, 1, h, w): the output positions that see at least one hole pixel.

    `hole` is (B, 1, H, W), bool or 0/1. What lies in the padding is no pixel. Instance normalisation inside a
    network lets every position feel the whole picture a little; that is not counted.
    """
    with torch.autocast(hole.device.type, enabled=False):  # counts must be exact
        rows = _sees(hole.shape[2], windows, hole.device)
        columns = _sees(hole.shape[3], windows, hole.device)
        return rows @ (hole > 0).float() @ columns.t() > 0


def _sees(size: int, windows: Sequence[Window], device: torch.device) -> Tensor:
    """Returns float (h, size): 1 where output row i sees input row j.

    Layer by layer, for a padding between two layers sees nothing although the geometry of the whole stack
    would let it reach back over the border.
    """
    sees = torch.eye(size, device=device)
    for window in windows:
        length = sees.shape[0]
        first = torch.arange(output_size(length, [window]), device=device)[:, None] * window.stride - window.padding
        place = torch.arange(length, device=device)[None]
        layer = (place >= first) & (place < first + window.kernel)
        sees = (layer.float() @ sees > 0).float()
    return sees
