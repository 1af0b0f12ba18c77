"""The sizes that a fill works with, chosen by the size of the photo and the hole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_RING, _BAND, _REACH, _RIM = 5, 6, 72, 3  # pixels at 128
_BLOCKS = 400


@dataclass(frozen=True)
class Plan:
    """How a fill is searched.

    Args:
        scale: the photo's size relative to 128 pixels, at least 1.
        ring: pixels around a region on which offsets are judged.
        band: half the width of the band along a boundary between two classes, in pixels.
        rim: how near to another class labels are not trusted, in pixels.
        reach: longest offset along x and y, in pixels.
        offsets: at most so many per region.
        blocks: about so many blocks per region for the graph cut.
        rng: draws the samples.
    """

    scale: float
    ring: int
    band: int
    rim: int
    reach: int
    offsets: int
    blocks: int
    rng: np.random.Generator

    @classmethod
    def of(cls, shape: tuple[int, ...], offsets: int, reach: int | None, rng: np.random.Generator | None) -> Plan:
        """Returns the plan for a photo (H, W)."""
        scale = max(1.0, max(shape) / 128)
        blocks = round(_BLOCKS * min(scale, 4.0))
        ring = round(_RING * scale**0.5)
        band, rim = round(_BAND * scale**0.5), round(_RIM * scale**0.5)
        reach = reach or round(_REACH * scale**0.75)
        return cls(scale, ring, band, rim, reach, offsets, blocks, rng or np.random.default_rng(0))
