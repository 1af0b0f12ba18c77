"""The atlas: the visible part of a photo around a hole, laid out so that a source is an index plus a shift."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NOWHERE = -1
"""Class of atlas pixels that are no source: in the hole, unlabelled or outside the photo."""


@dataclass(frozen=True, eq=False)
class Atlas:
    """A cut-out of the photo, padded so that every shift of a pixel near the hole stays inside it.

    Args:
        photo: uint8 (H, W, 3).
        label_map: int32 (H, W), `NOWHERE` where there is nothing to copy.
        top: photo row of row 0 (negative where padded).
        left: photo column of column 0.
    """

    photo: np.ndarray
    label_map: np.ndarray
    top: int
    left: int

    @classmethod
    def cut(cls, photo: np.ndarray, label_map: np.ndarray, box: tuple[int, int, int, int], margin: int) -> Atlas:
        """Returns the atlas of a box (x0, y0, x1, y1) with `margin` pixels on each side."""
        height, width = label_map.shape
        x0, y0, x1, y1 = box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin
        inside = slice(max(y0, 0), min(y1, height)), slice(max(x0, 0), min(x1, width))
        target = slice(inside[0].start - y0, inside[0].stop - y0), slice(inside[1].start - x0, inside[1].stop - x0)
        pixels = np.zeros((y1 - y0, x1 - x0, 3), np.uint8)
        labels = np.full((y1 - y0, x1 - x0), NOWHERE, np.int32)
        pixels[target], labels[target] = photo[inside], label_map[inside]
        return cls(pixels, labels, y0, x0)

    @property
    def stride(self) -> int:
        """How far one row down is in the flat arrays."""
        return int(self.label_map.shape[1])

    def cut_map(self, array: np.ndarray, empty: int) -> np.ndarray:
        """Returns the atlas's part of another (H, W) array of the photo, `empty` outside of the photo."""
        height, width = array.shape
        out = np.full(self.label_map.shape, empty, array.dtype)
        y1, x1 = self.top + out.shape[0], self.left + out.shape[1]
        ys, xs = slice(max(self.top, 0), min(y1, height)), slice(max(self.left, 0), min(x1, width))
        out[ys.start - self.top : ys.stop - self.top, xs.start - self.left : xs.stop - self.left] = array[ys, xs]
        return out
