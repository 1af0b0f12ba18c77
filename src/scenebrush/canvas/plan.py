"""The sizes that a fill works with, chosen by the size of the photo and the hole."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_RING, _BAND, _REACH, _RIM = 5, 6, 72, 3  # pixels at 128
_WIDE, _WIDE_SHARE, _WIDE_FROM = 24, 0.4, 1.5  # pixels at 128, of a hole's side, and scale
_BLOCKS = 400


@dataclass(frozen=True)
class Parts:
    """Which parts of the recipe a fill uses; all by default. To see what one of them is good for, leave it out.

    Args:
        mirrored: sources are mirrored as well where none is good as it is.
        trends: smooth gradients (sky, water) are taken off before copying and put on again.
        facades: copies along a facade in perspective, by its own periods.
        seams: offsets are cut against one another where they differ least; else each takes what the better left.
        boundaries: a kerb, a shore or the ragged rim of a bush is copied whole, a few pixels off the boundary that
            the layout asks for; else every copied pixel keeps strictly to its class.
        blend: the copies take on the light of their place; else they stay as they are, seams and all.
    """

    mirrored: bool = True
    trends: bool = True
    facades: bool = True
    seams: bool = True
    boundaries: bool = True
    blend: bool = True


ALL_PARTS = Parts()
"""The whole recipe."""


@dataclass(frozen=True)
class Plan:
    """How a fill is searched.

    Args:
        scale: the photo's size relative to 128 pixels, at least 1.
        ring: pixels around a region on which offsets are judged.
        wide: the same for copies along a facade: wide enough to show where windows are, for the wall next to the hole
            looks the same everywhere. 0 = none are looked for.
        band: half the width of the band along a boundary between two classes, in pixels.
        rim: how near to another class labels are not trusted, in pixels.
        reach: longest offset along x and y, in pixels.
        offsets: at most so many per region.
        blocks: about so many blocks per region for the graph cut.
        parts: what is done.
        rng: draws the samples.
    """

    scale: float
    ring: int
    wide: int
    band: int
    rim: int
    reach: int
    offsets: int
    blocks: int
    parts: Parts
    rng: np.random.Generator

    @classmethod
    def of(
        cls,
        hole: np.ndarray,
        offsets: int,
        reach: int | None,
        rng: np.random.Generator | None,
        parts: Parts = ALL_PARTS,
    ) -> Plan:
        """Returns the plan for a hole, bool (H, W), in a photo of its size."""
        scale = max(1.0, max(hole.shape) / 128)
        blocks = round(_BLOCKS * min(scale, 4.0))
        ring = round(_RING * scale**0.5)
        band, rim = round(_BAND * scale**0.5), round(_RIM * scale**0.5)
        wide = round(min(_WIDE_SHARE * np.count_nonzero(hole) ** 0.5, _WIDE * scale**0.5))
        wide = max(ring, wide) if scale >= _WIDE_FROM else 0
        reach = reach or round(_REACH * scale**0.75)
        return cls(scale, ring, wide, band, rim, reach, offsets, blocks, parts, rng or np.random.default_rng(0))

    @property
    def margin(self) -> int:
        """How far from the hole the search reaches, in pixels: an offset from the outermost pixel of a ring."""
        return self.reach + max(self.ring, self.wide)
