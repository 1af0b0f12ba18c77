"""Which windows of a photo the network is shown, so that every pixel of a hole is drawn once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy import ndimage

LEAST_WINDOW = 128  # pixels of the photo: the scale that the network was trained at
MOST_DRAWN = 256  # longest side that the network sees where it draws objects: larger ones are drawn smaller
MOST_COPIED = 512  # the same where it only mends what the canvas copied: texture must keep its size
STEP = 16  # the generator's sizes are multiples of this
LEAST_CONTEXT = 24  # pixels around a part

_TOGETHER = 8  # parts of a hole that lie at most twice as far apart are one
_COARSEST = 0.75  # a thin part whose window would be drawn smaller than this is cut in two
_THIN = 6  # a part is thin where it fills less than one such share of the square on its longer side

Box = tuple[slice, slice]


class HoleWindow(NamedTuple):
    """A part of a hole and the window that it is drawn in.

    `part` bool (h, w) within the window; `window` (rows, columns) of the photo; `most` pixels that the network
    sees along the window's longer side.
    """

    part: np.ndarray
    window: Box
    most: int

    @property
    def scale(self) -> float:
        """Pixels that the network sees per pixel of the photo, at most 1."""
        height, width = self.part.shape
        return min(1.0, self.most / max(int(height), int(width)))


class _Piece(NamedTuple):
    mask: np.ndarray  # bool, cut to its box
    things: np.ndarray  # bool, its pixels that hold things
    top: int
    left: int

    @property
    def box(self) -> Box:
        height, width = self.mask.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


def hole_windows(hole: np.ndarray, things: np.ndarray) -> list[HoleWindow]:
    """Returns windows whose parts hold every pixel of the hole once, the largest parts first.

    What lies together is drawn together. A window holds its part with context on every side (a third of the part's
    longer side, at least 24 pixels, and at least 128 pixels in all) as far as the photo goes; its sides are
    multiples of 16 wherever the photo leaves room for that. A long thin part is cut where no thing is cut; specks
    share a window.

    Args:
        hole: bool (H, W).
        things: bool (H, W), where a thing class is asked for.
    """
    pieces = [piece for whole in _clusters(hole, things) for piece in _cut(whole)]
    pieces.sort(key=lambda piece: -np.count_nonzero(piece.mask))
    shared: list[HoleWindow] = []
    for piece in pieces:
        host = next((w for w in shared if _has_room(w, piece, hole.shape)), None)
        if host is None:
            host = _own_window(piece, hole.shape)
            shared.append(host)
        rows, columns = piece.box
        top, left = host.window[0].start, host.window[1].start
        host.part[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left] |= piece.mask
    return shared


def _clusters(hole: np.ndarray, things: np.ndarray) -> Iterator[_Piece]:
    clusters, count = ndimage.label(ndimage.maximum_filter(hole, 2 * _TOGETHER + 1))
    for number, around in enumerate(ndimage.find_objects(clusters, max_label=count), 1):
        mask = hole[around] & (clusters[around] == number)
        yield _trimmed(mask, mask & things[around], around[0].start, around[1].start)


def _trimmed(mask: np.ndarray, things: np.ndarray, top: int, left: int) -> _Piece:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    return _Piece(mask[box], things[box], top + int(rows[0]), left + int(columns[0]))


def _cut(piece: _Piece) -> Iterator[_Piece]:
    """Yields the piece, in parts where it is so long and thin that its window would be drawn far too small."""
    longer = max(piece.mask.shape)
    thin = _THIN * np.count_nonzero(piece.mask) < longer**2
    axis = int(piece.mask.shape[0] < longer)
    at = _line_without_things(piece, axis) if thin and longer + 2 * (longer // 3) > MOST_COPIED / _COARSEST else None
    if at is None:
        yield piece
        return
    first, second = np.split(piece.mask, [at], axis), np.split(piece.things, [at], axis)
    corners = ((piece.top, piece.left), (piece.top + at * (1 - axis), piece.left + at * axis))
    for mask, things, corner in zip(first, second, corners, strict=True):
        yield from _cut(_trimmed(mask, things, *corner))


def _line_without_things(piece: _Piece, axis: int) -> int | None:
    """Returns the place in the middle half of an axis nearest to its middle where a cut goes through no thing."""
    length = piece.mask.shape[axis]
    crossed = np.asarray(piece.things.any(1 - axis))
    places = np.arange(length // 4, 3 * length // 4) + 1
    free = places[~(crossed[places - 1] & crossed[places])]
    return int(free[np.abs(free - length // 2).argmin()]) if len(free) else None


def _own_window(piece: _Piece, shape: tuple[int, ...]) -> HoleWindow:
    margin = max(LEAST_CONTEXT, max(piece.mask.shape) // 3)
    rows, columns = (_stretch(side, margin, limit) for side, limit in zip(piece.box, shape, strict=True))
    part = np.zeros((rows.stop - rows.start, columns.stop - columns.start), bool)
    return HoleWindow(part, (rows, columns), MOST_DRAWN if piece.things.any() else MOST_COPIED)


def _stretch(side: slice, margin: int, limit: int) -> slice:
    """Returns the stretch of a photo's side that holds `side` with context, shifted into the photo."""
    wanted = max(LEAST_WINDOW, side.stop - side.start + 2 * margin)
    length = min(wanted + -wanted % STEP, limit - limit % STEP)
    if length < side.stop - side.start:  # nearly all of the photo, whose side is no multiple: to be padded
        length = limit
    begin = min(max((side.start + side.stop - length) // 2, 0), limit - length)
    return slice(begin, begin + length)


def _has_room(host: HoleWindow, piece: _Piece, shape: tuple[int, ...]) -> bool:
    """Whether a piece lies in another's window with context, and the window is drawn at full size."""
    if max(host.part.shape) > (MOST_DRAWN if piece.things.any() else host.most):
        return False
    margin = max(LEAST_CONTEXT, max(piece.mask.shape) // 3)
    return all(
        window.start <= max(0, side.start - margin) and min(limit, side.stop + margin) <= window.stop
        for window, side, limit in zip(host.window, piece.box, shape, strict=True)
    )
