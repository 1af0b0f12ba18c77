"""Whether what a text says of two regions holds: left of, on, behind, ..."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

CLEAR = 0.01
"""By how much of the picture one centre must lie beside or above the other."""
CLOSE = 0.15
"""Things beside each other are no further apart than this share of the picture's width."""


@dataclass(frozen=True, eq=False)
class Region:
    """Pixels of one object or of one class.

    Args:
        mask: bool (H, W).
        is_object: an object stands on its lowest pixels; a class of the backdrop does not.
    """

    mask: np.ndarray
    is_object: bool

    @cached_property
    def box(self) -> tuple[float, float, float, float]:
        """(x0, y0, x1, y1) as shares of the picture's width and height; `mask` must not be empty."""
        height, width = self.mask.shape
        rows, columns = np.nonzero(self.mask.any(axis=1))[0], np.nonzero(self.mask.any(axis=0))[0]
        return columns[0] / width, rows[0] / height, (columns[-1] + 1) / width, (rows[-1] + 1) / height

    @cached_property
    def centre(self) -> tuple[float, float]:
        """(x, y) of the centroid as shares of the picture's width and height."""
        height, width = self.mask.shape
        rows, columns = np.nonzero(self.mask)
        return (float(columns.mean()) + 0.5) / width, (float(rows.mean()) + 0.5) / height

    @property
    def foot(self) -> float:
        """Its lower edge as a share of the picture's height."""
        return self.box[3]

    @cached_property
    def foot_pixels(self) -> tuple[np.ndarray, np.ndarray]:
        """(rows, columns) of the lowest pixels."""
        row = int(np.nonzero(self.mask.any(axis=1))[0][-1])
        columns = np.nonzero(self.mask[row])[0]
        return np.full(columns.shape, row), columns


def holds(kind: str, subject: Region, objects: list[Region]) -> bool:
    """Returns whether a relation holds; `objects` are all regions that it refers to, none for a place in the picture.

    "left of" and the like compare centroids; "on" is about the lowest pixels; in front is what has the lower foot and
    shares columns; "behind" is the reverse of "in front of".
    """
    x = subject.centre[0]
    if kind in ("background", "foreground"):
        return True  # a matter of choosing the foot line, not of what else is there
    if kind in ("left", "right", "centre"):
        return {"left": x < 0.45, "right": x > 0.55, "centre": 0.3 <= x <= 0.7}[kind]
    if kind == "between":
        centres = [region.centre[0] for region in objects]
        return len(centres) == 1 or min(centres) + CLEAR < x < max(centres) - CLEAR
    return all(_holds_of_two(kind, subject, other) for other in objects)


def _holds_of_two(kind: str, a: Region, b: Region) -> bool:
    if kind == "left_of":
        return a.centre[0] < b.centre[0] - CLEAR
    if kind == "right_of":
        return a.centre[0] > b.centre[0] + CLEAR
    if kind == "above":
        return a.centre[1] < b.centre[1] - CLEAR and (_shared_columns(a, b) > 0.2 or not b.is_object)
    if kind == "below":
        return a.centre[1] > b.centre[1] + CLEAR and (_shared_columns(a, b) > 0.2 or not b.is_object)
    if kind == "beside":
        return _beside(a, b)
    if kind == "in_front_of":
        return _in_front(a, b)
    if kind == "behind":
        return _in_front(b, a)
    if kind == "on":
        return _on(a, b)
    raise ValueError(f"unknown relation {kind!r}")


def _shared_columns(a: Region, b: Region) -> float:
    """The share of the slimmer one's width that both cover."""
    shared = min(a.box[2], b.box[2]) - max(a.box[0], b.box[0])
    return shared / min(a.box[2] - a.box[0], b.box[2] - b.box[0])


def _beside(a: Region, b: Region) -> bool:
    gap = max(b.box[0] - a.box[2], a.box[0] - b.box[2])
    if a.is_object and b.is_object:
        return -0.03 <= gap <= CLOSE and abs(a.foot - b.foot) <= 0.15
    return gap <= CLOSE and _near(a.mask, b.mask)


def _near(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether the second has pixels in the first one's bounding box, widened by `CLOSE`."""
    rows, columns = np.nonzero(a.any(axis=1))[0], np.nonzero(a.any(axis=0))[0]
    margin = round(CLOSE * a.shape[1])
    left = max(0, columns[0] - margin)
    return bool(b[rows[0] : rows[-1] + 1, left : columns[-1] + 1 + margin].any())


def _in_front(a: Region, b: Region) -> bool:
    """Whether the first stands nearer and where the second is."""
    if a.is_object and b.is_object:
        return a.foot > b.foot + 0.005 and _shared_columns(a, b) >= 0.25
    if a.is_object:  # over its columns the second is seen above its foot, and it does not stand on it
        rows, columns = a.foot_pixels
        over = b.mask[: rows[0], columns[0] : columns[-1] + 1]
        return bool(over.any(axis=0).mean() >= 0.3) and not b.mask[rows, columns].mean() > 0.5
    both = a.mask.any(axis=0) & b.mask.any(axis=0)
    if not both.any():
        return False
    lowest_a, lowest_b = _lowest(a.mask[:, both]), _lowest(b.mask[:, both])
    return bool((lowest_a >= lowest_b).mean() > 0.5)


def _lowest(mask: np.ndarray) -> np.ndarray:
    """The row of the lowest pixel of every column."""
    return np.asarray(mask.shape[0] - 1 - np.argmax(mask[::-1], axis=0))


def _on(a: Region, b: Region) -> bool:
    """Whether the second is just below an object's feet (most of them); of two classes: whether one lies over it."""
    if not a.is_object:
        return a.centre[1] < b.centre[1]
    rows, columns = a.foot_pixels
    under = np.minimum(rows + 1, b.mask.shape[0] - 1)
    least = 0.5 if b.is_object else 0.85  # what stands on a table may overhang
    return bool(b.mask[under, columns].mean() >= least) and (a.centre[1] < b.foot)
