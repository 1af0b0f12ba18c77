"""A collage: a picture pasted together of pieces, each pixel of one piece or still missing.

A segment of a memory bank and a patch of a photo are the same kind of thing here: pixels, which of them count, and a
matrix that says where they go (as `scene.Carry` says it of an object).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import ndimage

WHITE = np.uint8(255)
"""What elided pixels are painted with (SIMS)."""
MISSING = -1
"""In `Collage.owner`: no piece lies here."""


@dataclass(frozen=True, eq=False)
class Piece:
    """Pixels on their way into a collage.

    Args:
        color: uint8 (h, w, 3) RGB.
        mask: bool (h, w), the pixels that count.
        class_id: what they show.
        matrix: float (2, 3), maps a position (x, y, 1) in the piece to one in the collage.
    """

    color: np.ndarray
    mask: np.ndarray
    class_id: int
    matrix: np.ndarray

    @classmethod
    def at(cls, color: np.ndarray, mask: np.ndarray, class_id: int, corner: tuple[int, int]) -> Self:
        """Returns a piece that keeps its size; its first pixel goes to `corner` (x, y)."""
        return cls(color, mask, class_id, np.array([[1.0, 0, corner[0]], [0, 1.0, corner[1]]]))


@dataclass(frozen=True, eq=False)
class Laid:
    """A piece as it lies in a collage, within `window` (rows, columns): `color` float (h, w, 3), `mask` bool (h, w)."""

    window: tuple[slice, slice]
    color: np.ndarray
    mask: np.ndarray

    def whole_mask(self, shape: tuple[int, int]) -> np.ndarray:
        """Returns its pixels in a picture of `shape`, bool (H, W)."""
        whole = np.zeros(shape, bool)
        whole[self.window] = self.mask
        return whole


class Collage:
    """A picture that pieces are painted into, one over the other.

    Args:
        shape: (H, W).

    `color` uint8 (H, W, 3), black where nothing lies; `owner` int32 (H, W), number of the piece that is seen (in the
    order of painting), `MISSING` where none is; `class_map` int32 (H, W), its class, -1 likewise; `elided` bool (H, W),
    pixels that were taken out again along boundaries.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self.color = np.zeros((*shape, 3), np.uint8)
        self.owner = np.full(shape, MISSING, np.int32)
        self.class_map = np.full(shape, -1, np.int32)
        self.elided = np.zeros(shape, bool)
        self.count = 0

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.owner.shape[0], self.owner.shape[1]

    @property
    def present(self) -> np.ndarray:
        """bool (H, W): where a piece lies and was not elided."""
        shown: np.ndarray = (self.owner != MISSING) & ~self.elided
        return shown

    def paint(self, laid: Laid, class_id: int, where: np.ndarray | None = None) -> int:
        """Paints a piece over what is there, only on `where`, bool (H, W), if given; returns its number."""
        rows, columns = laid.window
        shown = laid.mask if where is None else laid.mask & where[rows, columns]
        self.color[rows, columns][shown] = np.rint(laid.color[shown]).clip(0, 255).astype(np.uint8)
        self.owner[rows, columns][shown] = self.count
        self.class_map[rows, columns][shown] = class_id
        self.count += 1
        return self.count - 1

    def elide(self, places: np.ndarray) -> None:
        """Takes pixels, bool (H, W), out again: what is left there is for a network to invent."""
        self.elided |= places & (self.owner != MISSING)


def lay(piece: Piece, shape: tuple[int, int]) -> Laid:
    """Returns a piece at its place in a picture of `shape`; bilinear, and antialiased where it shrinks."""
    extended = _extended(piece)
    height, width = piece.mask.shape
    window = _window(piece.matrix, (height, width), shape)
    if _keeps_pixels(piece.matrix):
        left, top = (round(float(v)) for v in piece.matrix[:, 2])
        inner = slice(window[0].start - top, window[0].stop - top), slice(window[1].start - left, window[1].stop - left)
        return Laid(window, extended[inner].astype(np.float64), piece.mask[inner])
    share = piece.mask.astype(np.float64)
    pixels = extended.astype(np.float64)
    across, down = np.linalg.norm(piece.matrix[:, :2], axis=0)  # how long a pixel's sides become
    sigmas = [0.5 * max(0.0, 1 / side - 1) for side in (down, across)]
    if any(sigmas):
        pixels, share = ndimage.gaussian_filter(pixels, (*sigmas, 0)), ndimage.gaussian_filter(share, sigmas)
    rows, columns = np.mgrid[window]
    inverse = np.linalg.inv(piece.matrix[:, :2])
    x, y = inverse @ (np.stack([columns.ravel(), rows.ravel()]) - piece.matrix[:, 2:])
    places = np.stack([y, x]).reshape(2, *rows.shape)
    moved = [ndimage.map_coordinates(pixels[..., c], places, order=1, mode="nearest") for c in range(3)]
    # "grid-constant": the outer half of the rim's pixels counts too ("constant" is 0 beyond their middle)
    mask = ndimage.map_coordinates(share, places, order=1, mode="grid-constant") >= 0.5
    return Laid(window, np.stack(moved, -1), mask)


def boundary_band(owner: np.ndarray, width: float) -> np.ndarray:
    """Returns the pixels within `width` pixels of a boundary between two pieces, bool (H, W); both sides of it."""
    edges = np.zeros(owner.shape, bool)
    across, down = owner[:, 1:] != owner[:, :-1], owner[1:] != owner[:-1]
    edges[:, 1:] |= across
    edges[:, :-1] |= across
    edges[1:] |= down
    edges[:-1] |= down
    if not edges.any() or width < 1:
        return edges & (width >= 1)
    band: np.ndarray = ndimage.distance_transform_cdt(~edges, metric="chessboard") < width
    return band


def _extended(piece: Piece) -> np.ndarray:
    """The piece's colours, each pixel that does not count with those of the nearest that does: no dark rims."""
    if piece.mask.all() or not piece.mask.any():
        return piece.color
    rows, columns = ndimage.distance_transform_edt(~piece.mask, return_distances=False, return_indices=True)
    colors: np.ndarray = piece.color[rows, columns]
    return colors


def _keeps_pixels(matrix: np.ndarray) -> bool:
    return bool(np.allclose(matrix[:, :2], np.eye(2)) and np.allclose(matrix[:, 2], np.rint(matrix[:, 2]), atol=1e-3))


def _window(matrix: np.ndarray, size: tuple[int, int], shape: tuple[int, int]) -> tuple[slice, slice]:
    """The part of a picture that a piece of `size` (h, w) may reach."""
    height, width = size
    corners = np.array(
        [[-0.5, -0.5, 1], [width - 0.5, -0.5, 1], [-0.5, height - 0.5, 1], [width - 0.5, height - 0.5, 1]]
    )
    x, y = matrix @ corners.T
    bounds = [
        (int(np.ceil(low.min() - 1e-3)), int(np.floor(low.max() + 1e-3)) + 1) for low in (y, x)
    ]  # pixel centres lie at whole numbers
    rows, columns = (
        slice(min(max(begin, 0), side), min(max(end, 0), side))
        for (begin, end), side in zip(bounds, shape, strict=True)
    )
    return rows, columns
