"""The atlas: the visible part of a photo around a hole, laid out so that a source is an index plus a shift.

The cut-out is stacked with its mirror image and slightly scaled versions, all about the hole's centre. In the
flat arrays one shift (an int) then names a variant and an offset at once, and two neighbours that are copied
with the same shift have neighbouring sources, mirrored or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

NOWHERE = -1
"""Class of atlas pixels that are no source: in the hole, unlabelled or outside the photo."""

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Variant:
    """How a variant of the atlas shows the photo: mirrored left to right, things `scale` times as large."""

    mirrored: bool = False
    scale: float = 1.0


@dataclass(frozen=True, eq=False)
class Atlas:
    """V variants of a cut-out of the photo, padded so that every shift of a pixel near the hole stays inside.

    Variant 0 is the photo itself.

    Args:
        photo: uint8 (V, H, W, 3).
        label_map: int16 (V, H, W), `NOWHERE` where there is nothing to copy.
        dear: uint8 (V, H, W), what a source costs because of what is near it, in colour steps.
        rim: bool (V, H, W), true = another class is near: labels are never exact, it may show that.
        variants: V ways to show the photo.
        top: photo row of row 0 (negative where padded).
        left: photo column of column 0.
    """

    photo: np.ndarray
    label_map: np.ndarray
    dear: np.ndarray
    rim: np.ndarray
    variants: tuple[Variant, ...]
    top: int
    left: int

    @classmethod
    def cut(
        cls,
        photo: np.ndarray,
        label_map: np.ndarray,
        dear: np.ndarray,
        box: Box,
        margin: int,
        variants: tuple[Variant, ...] = (),
        *,
        rim: int = 0,
    ) -> Atlas:
        """Returns the atlas of a box (x0, y0, x1, y1) with `margin` pixels on each side.

        Args:
            photo: uint8 (H, W, 3).
            label_map: int (H, W), `NOWHERE` where nothing may be copied.
            dear: uint8 (H, W), cost of sources.
            box: the hole's box.
            margin: the reach of the shifts.
            variants: further variants, besides the photo as it is.
            rim: how near another class has to be, in pixels.
        """
        frame = box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin
        classes = cut_out(label_map.astype(np.int16), frame, NOWHERE)
        plain = cut_out(photo, frame, 0), classes, cut_out(dear, frame, 0), rim_of(classes, rim)
        shown = [plain, *(_shown(plain, variant) for variant in variants)]
        photos, labels, costs, rims = (np.stack(parts) for parts in zip(*shown, strict=True))
        return cls(photos, labels, costs, rims, (Variant(), *variants), frame[1], frame[0])

    @cached_property
    def gray(self) -> np.ndarray:
        """uint8 (V, H, W), how light the photo is."""
        gray: np.ndarray = self.photo[..., 0] // 4 + self.photo[..., 1] // 2 + self.photo[..., 2] // 4
        return gray

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of each variant."""
        return self.label_map.shape[1], self.label_map.shape[2]

    @property
    def stride(self) -> int:
        """How far one row down is in the flat arrays."""
        return int(self.label_map.shape[2])

    @property
    def frame(self) -> Box:
        """The atlas's box in the photo (x0, y0, x1, y1); may reach over the photo's edges."""
        return self.left, self.top, self.left + self.shape[1], self.top + self.shape[0]

    def shift(self, moves: np.ndarray) -> np.ndarray:
        """Returns the flat shifts, int (N,), of moves (variant, dx, dy), int (N, 3)."""
        height, width = self.shape
        shifts: np.ndarray = moves[:, 0] * (height * width) + moves[:, 2] * width + moves[:, 1]
        return shifts

    def locate(self, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the rows and columns, float32, in variant 0 of what lies at flat indices."""
        height, width = self.shape
        number, place = np.divmod(indices, height * width)
        rows, columns = np.divmod(place, width)
        scales = np.array([v.scale for v in self.variants], np.float32)[number]
        signs = np.array([-1 if v.mirrored else 1 for v in self.variants], np.float32)[number]
        middle = np.float32((height - 1) / 2), np.float32((width - 1) / 2)
        return (rows - middle[0]) / scales + middle[0], signs * (columns - middle[1]) / scales + middle[1]


def cut_out(array: np.ndarray, box: Box, empty: int | bool) -> np.ndarray:
    """Returns a box (x0, y0, x1, y1) of an (H, W) or (H, W, C) array, `empty` where it reaches outside."""
    x0, y0, x1, y1 = box
    height, width = array.shape[:2]
    out = np.full((y1 - y0, x1 - x0, *array.shape[2:]), empty, array.dtype)
    rows, columns = slice(max(y0, 0), min(y1, height)), slice(max(x0, 0), min(x1, width))
    out[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0] = array[rows, columns]
    return out


def rim_of(classes: np.ndarray, width: int) -> np.ndarray:
    """Returns which pixels of a class map, int (H, W), lie less than `width` pixels from another class, bool (H, W).

    `NOWHERE` is no class: what borders on a hole or on the photo's edge lies at no rim.
    """
    edge = np.zeros(classes.shape, bool)
    if not width:
        return edge
    for axis in (0, 1):
        p, q = (np.moveaxis(a, axis, 0) for a in (classes, edge))
        apart = (p[1:] != p[:-1]) & (p[1:] != NOWHERE) & (p[:-1] != NOWHERE)
        q[1:] |= apart
        q[:-1] |= apart
    rim: np.ndarray = ndimage.maximum_filter(edge.view(np.uint8), 2 * width - 1).view(bool)
    return rim


_Shown = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _shown(plain: _Shown, variant: Variant) -> _Shown:
    """Photo, label map, costs and rims as a variant shows them, about the centre of the same frame."""
    photo, labels, costs, rims = plain
    if variant.scale != 1:
        height, width = labels.shape
        rows = (np.arange(height) - (height - 1) / 2) / variant.scale + (height - 1) / 2
        columns = (np.arange(width) - (width - 1) / 2) / variant.scale + (width - 1) / 2
        grid = np.meshgrid(rows, columns, indexing="ij")
        planes = [ndimage.map_coordinates(photo[..., c], grid, order=1, mode="nearest") for c in range(3)]
        photo = np.stack(planes, axis=-1)
        labels = ndimage.map_coordinates(labels, grid, order=0, mode="constant", cval=NOWHERE)
        costs, rims = (ndimage.map_coordinates(a, grid, order=0, mode="nearest") for a in (costs, rims))
    if variant.mirrored:
        photo, labels, costs, rims = photo[:, ::-1], labels[:, ::-1], costs[:, ::-1], rims[:, ::-1]
    return photo, labels, costs, rims
