"""The atlas: the visible part of a photo around a hole, laid out so that a source is an index plus a shift.

The cut-out is stacked with its mirror image about the hole's centre, and with warped versions. In the
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


@dataclass(frozen=True, eq=False)
class Variant:
    """How a variant of the atlas shows the photo: mirrored left to right, or warped.

    `warp` (3, 3) takes a place (x, y, 1) of the frame to where in variant 0 its source lies.
    """

    mirrored: bool = False
    warp: np.ndarray | None = None


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

    def joined(
        self,
        photos: np.ndarray,
        label_maps: np.ndarray,
        dear: np.ndarray,
        rims: np.ndarray,
        variants: tuple[Variant, ...],
    ) -> Atlas:
        """Returns the atlas with further variants, arrays of its size; the shifts of those it has stay as they are."""
        return Atlas(
            np.concatenate([self.photo, photos]),
            np.concatenate([self.label_map, label_maps]),
            np.concatenate([self.dear, dear]),
            np.concatenate([self.rim, rims]),
            (*self.variants, *variants),
            self.top,
            self.left,
        )

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
        columns = np.where(np.array([v.mirrored for v in self.variants])[number], width - 1 - columns, columns)
        rows, columns = rows.astype(np.float32), columns.astype(np.float32)
        for k, variant in enumerate(self.variants):
            if variant.warp is not None and (here := number == k).any():
                x, y, w = variant.warp @ np.stack([columns[here], rows[here], np.ones(here.sum())])
                rows[here], columns[here] = y / w, x / w
        return rows, columns


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
    if variant.mirrored:
        photo, labels, costs, rims = photo[:, ::-1], labels[:, ::-1], costs[:, ::-1], rims[:, ::-1]
    return photo, labels, costs, rims
