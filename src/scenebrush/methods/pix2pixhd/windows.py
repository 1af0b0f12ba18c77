"""Where a picture is drawn again: boxes around what changed, and how they are pasted."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from scipy import ndimage

from scenebrush.scene.objects import EIGHT

FEATHER: Final = 16
"""Pixels at a box's edge over which the old picture turns into the new one."""


class Box(NamedTuple):
    """Rows `top` to `bottom` - 1, columns `left` to `right` - 1."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def slices(self) -> tuple[slice, slice]:
        """(rows, columns) of an array."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    @property
    def pixels(self) -> int:
        """How many there are."""
        return (self.bottom - self.top) * (self.right - self.left)

    def grown(self, pixels: int, shape: tuple[int, int]) -> Box:
        """Returns the box with so many pixels more on each side, cut off at a picture of `shape` (H, W)."""
        return Box(
            max(self.top - pixels, 0),
            max(self.left - pixels, 0),
            min(self.bottom + pixels, shape[0]),
            min(self.right + pixels, shape[1]),
        )

    def times(self, factor: int) -> Box:
        """Returns the same box in a picture that is so many times as large."""
        return Box(*(side * factor for side in self))

    def over(self, divisor: int) -> Box:
        """Returns the same box in a picture that is so many times smaller; its sides are multiples of the divisor."""
        return Box(*(side // divisor for side in self))


def boxes_around(changed: np.ndarray, reach: int, divisor: int) -> list[Box]:
    """Returns boxes that do not touch and hold all that changed with `reach` pixels around it, cut at the picture.

    Their sides are multiples of the divisor, as those of the map `changed`, bool (H, W), are. What lies far apart gets
    boxes of its own, so that an object that moves across the picture does not draw all between.
    """
    height, width = changed.shape
    cells = np.asarray(changed.reshape(height // divisor, divisor, width // divisor, divisor).any((1, 3)))
    if not cells.any():
        return []
    cells = ndimage.binary_dilation(cells, EIGHT, iterations=-(-reach // divisor))
    while True:  # a box may touch a shape that was apart
        found = ndimage.find_objects(ndimage.label(cells, EIGHT)[0])
        filled = np.zeros_like(cells)
        for box in found:
            filled[box] = True
        if np.array_equal(filled, cells):
            return [Box(r.start, c.start, r.stop, c.stop).times(divisor) for r, c in found]
        cells = filled


def paste(picture: np.ndarray, part: np.ndarray, box: Box) -> None:
    """Puts a part, float (h, w, 3) 0-255, into a picture, uint8 (H, W, 3), in place; outside the box nothing changes.

    A part that reaches beyond the picture, as its padding does, is cut off. Towards the box's edges, where they are not
    the picture's, the part fades into what was there.
    """
    rows = slice(box.top, min(box.bottom, picture.shape[0]))
    columns = slice(box.left, min(box.right, picture.shape[1]))
    old = picture[rows, columns].astype(np.float32)
    new = part[: old.shape[0], : old.shape[1]]
    down = _ramp(old.shape[0], fade=(box.top > 0, box.bottom < picture.shape[0]))
    across = _ramp(old.shape[1], fade=(box.left > 0, box.right < picture.shape[1]))
    weight = np.minimum(down[:, None], across)[..., None]
    picture[rows, columns] = np.rint(old + (new - old) * weight).clip(0, 255).astype(np.uint8)


def _ramp(length: int, fade: tuple[bool, bool]) -> np.ndarray:
    """Returns weights (length,), 1 but for where they rise from the first or fall to the last pixel."""
    place = np.arange(length, dtype=np.float32) + 0.5
    first = place / FEATHER if fade[0] else np.ones_like(place)
    last = place[::-1] / FEATHER if fade[1] else np.ones_like(place)
    weights: np.ndarray = np.minimum(np.minimum(first, last), 1)
    return weights
