"""Facades in perspective: copies along the facade, by its own periods, instead of along the picture.

The part of a class around the hole is rectified (`vanishing`), its periods t are found in the rectified frame
(`periods`), and each gives a warp of the picture onto itself, x -> H^-1 T_t H x, under which the facade looks the
same. A warp that puts the right thing onto the ring around the hole becomes a variant of the atlas; whether it is
taken is then for the ring to say, as with every other offset.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage import transform

from scenebrush.canvas.atlas import NOWHERE, Atlas, Variant
from scenebrush.canvas.draft import window_around
from scenebrush.canvas.periods import periods
from scenebrush.canvas.sources import Sources, color_distance
from scenebrush.canvas.vanishing import rectification, segments

_LEAST_RING = 20  # pixels
_SEARCHED = 256  # pixels that the longer side of the part looked at is brought down to
_PERIODS, _TAKEN = 24, 4  # periods judged, warps taken at most
_STRETCH = 1.6  # a source is magnified, or shrunk, no more than this
_LEAST_SHARE, _LEAST_SEEN = 0.12, 0.1  # of the hole, and of the ring, that a warp must cover
_HOPELESS = 1.8, 1.6  # times what other copies are off, before and after refining: the best mix makes up for less
_UNCOVERED = 40.0  # cost of covering nothing, in colour steps
_STRAIGHT = 0.35  # pixels; a warp that differs less from a shift is a shift


@dataclass(frozen=True, eq=False)
class Facade:
    """What a search in the rectified frame needs.

    Args:
        sources: what may be copied.
        pixels: (M,) flat indices, samples of the hole.
        ring: (K,) flat indices, samples of the ring around it.
        rectify: (3, 3), from frame positions (x, y, 1) to the rectified plane.
    """

    sources: Sources
    pixels: np.ndarray
    ring: np.ndarray
    rectify: np.ndarray

    def warps(self, steps: np.ndarray) -> np.ndarray:
        """Returns the matrices (N, 3, 3) that take a place (x, y, 1) to its source some periods (N, 2) on."""
        shifts = np.tile(np.eye(3), (len(steps), 1, 1))
        shifts[:, :2, 2] = steps
        whole = np.linalg.inv(self.rectify) @ shifts @ self.rectify
        scaled: np.ndarray = whole / whole[:, 2:, 2:]
        return scaled

    def covers(self, steps: np.ndarray) -> np.ndarray:
        """Returns which samples of the hole have a source, bool (N, M)."""
        return self._sources(self.warps(steps), self.pixels)[2]

    def scores(self, steps: np.ndarray, empty: np.ndarray) -> np.ndarray:
        """Returns what periods (N, 2) cost on the ring and for what of `empty`, bool (M,), they leave empty, (N,)."""
        warps, photo = self.warps(steps), self.sources.atlas.photo[0]
        share = (self._sources(warps, self.pixels)[2] & empty).sum(axis=1) / max(empty.sum(), 1)
        x, y, seen = self._sources(warps, self.ring)
        known = photo.reshape(-1, 3)[np.broadcast_to(self.ring, seen.shape)[seen]].astype(np.float32)
        apart = np.zeros(seen.shape, np.float32)
        apart[seen] = color_distance(_between(photo, x[seen], y[seen]), known)
        scores = apart.sum(axis=1) / np.maximum(seen.sum(axis=1), 1) + _UNCOVERED * (1 - share)
        scores[(share < _LEAST_SHARE) | (seen.mean(axis=1) < _LEAST_SEEN)] = np.inf
        found: np.ndarray = scores
        return found

    def _sources(self, warps: np.ndarray, indices: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where places come from, x and y (N, P), and whether there is something to copy there, bool (N, P)."""
        height, width = self.sources.atlas.shape
        rows, columns = np.divmod(indices, width)
        x, y, fair = mapped(warps, columns.astype(float), rows.astype(float))
        fair &= (x >= 1) & (x < width - 3) & (y >= 1) & (y < height - 3)
        place = np.where(fair, np.rint(y) * width + np.rint(x), 0).astype(int)
        return x, y, fair & self.sources.usable[place]


def mapped(warps: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns where homographies (..., 3, 3) take positions (P,), x and y, and where they do not stretch too much.

    (..., P) each; what lies behind a homography is stretched too much.
    """
    to_x, to_y, w = (row[..., :1] * x + row[..., 1:2] * y + row[..., 2:] for row in np.moveaxis(warps, -2, 0))
    w = np.maximum(w, 1e-6)
    area = np.abs(np.linalg.det(warps))[..., None] / w**3
    return to_x / w, to_y / w, (area < _STRETCH**2) & (area > _STRETCH**-2)


def extended(
    sources: Sources, mask: np.ndarray, samples: np.ndarray, ring: np.ndarray, reach: int, limit: float = np.inf
) -> tuple[Sources, np.ndarray]:
    """Returns the sources with the warps that suit a region of the hole as further variants, and the moves to them.

    Args:
        sources: of the region's class.
        mask: bool (H, W), the region.
        samples: flat indices of some of its pixels.
        ring: flat indices of some visible ones around it, at least 20; else nothing is looked for.
        reach: longest offset along x and y that stays in the atlas, in pixels.
        limit: colour steps off the ring that other copies are: what is no better is not gone into.
    """
    none = np.zeros((0, 3), int)
    if len(ring) < _LEAST_RING:
        return sources, none
    facade, found = _searched(sources, _window(mask), mask, samples, ring)
    if facade is None:
        return sources, none
    atlas, moves, warps = sources.atlas, list[tuple[int, int, int]](), list[np.ndarray]()
    box = window_around(mask, int(_reach_of(ring, mask)) + 2)
    for warp in _chosen(facade, found, limit):
        shift = _as_shift(warp, box)
        if shift is None or max(map(abs, shift)) > reach:
            moves.append((len(atlas.variants) + len(warps), 0, 0))
            warps.append(warp)
        else:
            moves.append((0, *shift))
    if warps:
        atlas = _with_warps(atlas, warps, box)
    usable = atlas.label_map.reshape(-1) == atlas.label_map[0].reshape(-1)[ring[0]]
    return Sources(atlas, usable, sources.trend), np.array(moves, int).reshape(-1, 3)


def _reach_of(ring: np.ndarray, mask: np.ndarray) -> int:
    """How many rows or columns the ring lies outside of the region's box."""
    rows, columns = window_around(mask, 0)
    y, x = np.divmod(ring, mask.shape[1])
    return int(max(rows.start - y.min(), y.max() - rows.stop, columns.start - x.min(), x.max() - columns.stop, 0))


def _window(mask: np.ndarray) -> tuple[slice, slice]:
    """The part of the frame that is looked at: the hole's part and about as much again on each side."""
    tight = window_around(mask, 0)
    side = max(part.stop - part.start for part in tight)
    rows, columns = window_around(mask, max(48, round(0.8 * side)))
    return slice(rows.start, min(rows.stop, mask.shape[0])), slice(columns.start, min(columns.stop, mask.shape[1]))


def _searched(
    sources: Sources, window: tuple[slice, slice], mask: np.ndarray, samples: np.ndarray, ring: np.ndarray
) -> tuple[Facade | None, np.ndarray]:
    """The facade and its periods (N, 2), in the units of the rectified frame."""
    size = sources.atlas.shape
    seen = sources.usable[: mask.size].reshape(size)[window]
    step = max(1, -(-max(seen.shape) // _SEARCHED))
    gray = _reduced(sources.atlas.gray[0][window].astype(np.float32), step)
    visible = _reduced(seen.astype(np.float32), step) > 0.99
    rows, columns = np.nonzero(mask[window])
    middle = float(columns.mean()) / step, float(rows.mean()) / step
    unit = max(gray.shape) / 2
    upright = rectification(segments(gray, visible), middle, unit)
    if upright is None:
        return None, np.zeros((0, 2))
    found = periods(*_rectified(gray, visible, upright, unit), _PERIODS)
    coarse = np.array(
        [
            [1 / step, 0, -(window[1].start + (step - 1) / 2) / step],
            [0, 1 / step, -(window[0].start + (step - 1) / 2) / step],
            [0, 0, 1],
        ]
    )
    return Facade(sources, samples, ring, upright @ coarse), found


def _reduced(values: np.ndarray, step: int) -> np.ndarray:
    """Means over blocks of `step` x `step`; what does not fill a block is cut off."""
    height, width = values.shape[0] // step, values.shape[1] // step
    reduced: np.ndarray = values[: height * step, : width * step].reshape(height, step, width, step).mean(axis=(1, 3))
    return reduced


def _rectified(
    gray: np.ndarray, visible: np.ndarray, upright: np.ndarray, unit: float
) -> tuple[np.ndarray, np.ndarray]:
    """The rectified picture around the middle, and where it is visible and not stretched out of all proportion."""
    side = int(2 * unit)
    back = np.linalg.inv(upright) @ np.array([[1, 0, -unit], [0, 1, -unit], [0, 0, 1.0]])
    flat = _pulled(gray, back, (side, side), 1)
    seen = _pulled(visible, back, (side, side), 0) > 0.5
    y, x = np.mgrid[:side, :side].astype(float)
    w = back[2, 0] * x + back[2, 1] * y + back[2, 2]
    area = np.abs(np.linalg.det(back)) / np.maximum(np.abs(w), 1e-6) ** 3
    return flat, seen & (w > 0) & (area < 4) & (area > 1 / 9)


def _chosen(facade: Facade, found: np.ndarray, limit: float) -> list[np.ndarray]:
    """The warps that explain the ring best: the first of all, then for what is left empty, then what is next."""
    chosen = list[np.ndarray]()
    empty, all_of_it = np.ones(len(facade.pixels), bool), np.ones(len(facade.pixels), bool)
    while len(found) and len(chosen) < _TAKEN:
        wanted = empty
        scores = facade.scores(found, wanted)
        if not np.isfinite(scores).any() and chosen:
            wanted = all_of_it  # nothing covers the rest: further warps for what is covered already
            scores = facade.scores(found, wanted)
        best = int(np.argmin(scores))
        if not np.isfinite(scores[best]) or (not chosen and scores[best] > _HOPELESS[0] * limit):
            break
        step, score = _refined(facade, found[best], float(scores[best]), wanted)
        if not chosen and score > _HOPELESS[1] * limit:
            break
        found = np.delete(found, best, axis=0)
        empty = empty & ~facade.covers(step[None])[0]
        empty = empty if empty.any() else all_of_it
        chosen.append(facade.warps(step[None])[0])
    return chosen


def _refined(facade: Facade, step: np.ndarray, score: float, empty: np.ndarray) -> tuple[np.ndarray, float]:
    """A better period in the neighbourhood, in steps of a pixel and less, and its score."""
    for size in (1.0, 0.5, 0.25):
        around = step + size * _NEIGHBOURS
        scores = facade.scores(around, empty)
        best = int(np.argmin(scores))
        if scores[best] < score:
            step, score = around[best], float(scores[best])
    return step, score


_NEIGHBOURS = np.array([(x, y) for y in (-1, 0, 1) for x in (-1, 0, 1) if x or y], float)


def _as_shift(warp: np.ndarray, box: tuple[slice, slice]) -> tuple[int, int] | None:
    """The whole pixels (dx, dy) that a warp comes to within a box, or None if it is no mere shift."""
    y, x = (corner.ravel().astype(float) for corner in np.meshgrid(*((part.start, part.stop) for part in box)))
    to_x, to_y, _ = mapped(warp, x, y)
    dx, dy = to_x - x, to_y - y
    if max(np.ptp(dx), np.ptp(dy)) > 2 * _STRAIGHT:
        return None
    return round(float(dx.mean())), round(float(dy.mean()))


def _with_warps(atlas: Atlas, warps: list[np.ndarray], box: tuple[slice, slice]) -> Atlas:
    """The atlas with variants in which each place of a box shows where a warp takes it; nothing elsewhere."""
    unseen = ndimage.maximum_filter((atlas.label_map[0] == NOWHERE).view(np.uint8), 5) > 0
    labels = np.where(unseen, np.int16(NOWHERE), atlas.label_map[0])  # the filter reaches two pixels far
    shown = [np.zeros((len(warps), *a.shape[1:]), a.dtype) for a in (atlas.photo, atlas.dear, atlas.rim)]
    label_maps = np.full((len(warps), *atlas.shape), np.int16(NOWHERE))
    for k, warp in enumerate(warps):
        rows, columns, inside = _places(warp, box, atlas.shape)
        label_maps[k][box] = np.where(inside, labels[rows, columns], NOWHERE)
        shown[0][k][box] = _resampled(atlas.photo[0], warp, box)
        shown[1][k][box], shown[2][k][box] = atlas.dear[0][rows, columns], atlas.rim[0][rows, columns]
    return atlas.joined(shown[0], label_maps, shown[1], shown[2], tuple(Variant(warp=warp) for warp in warps))


def _places(
    warp: np.ndarray, box: tuple[slice, slice], shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows and columns that a warp takes the places of a box to, and whether they lie in the picture, (h, w)."""
    y, x = np.mgrid[box]
    to_x, to_y, inside = (part.reshape(x.shape) for part in mapped(warp, x.ravel(), y.ravel()))
    inside &= (to_x >= 0) & (to_x <= shape[1] - 1) & (to_y >= 0) & (to_y <= shape[0] - 1)
    return np.where(inside, np.rint(to_y), 0).astype(int), np.where(inside, np.rint(to_x), 0).astype(int), inside


def _resampled(photo: np.ndarray, warp: np.ndarray, box: tuple[slice, slice]) -> np.ndarray:
    """What a warp brings to a box, bicubic, uint8 (h, w, 3)."""
    shape = box[0].stop - box[0].start, box[1].stop - box[1].start
    from_box = warp @ np.array([[1, 0, box[1].start], [0, 1, box[0].start], [0, 0, 1.0]])
    planes = [_pulled(photo[..., c], from_box, shape, 3) for c in range(3)]
    brought: np.ndarray = np.clip(np.rint(np.stack(planes, axis=-1)), 0, 255).astype(np.uint8)
    return brought


def _pulled(values: np.ndarray, matrix: np.ndarray, shape: tuple[int, int], order: int) -> np.ndarray:
    """A picture of a shape whose places come from where a homography (3, 3) takes them, float32; 0 from outside."""
    pulled: np.ndarray = transform.warp(  # type: ignore[no-untyped-call]
        values.astype(np.float32), matrix, order=order, output_shape=shape, preserve_range=True
    )
    return pulled


def _between(photo: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Colours between pixels, bilinear, float32 (N, 3)."""
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    right, down = (x - column)[:, None].astype(np.float32), (y - row)[:, None].astype(np.float32)
    above = photo[row, column] * (1 - right) + photo[row, column + 1] * right
    below = photo[row + 1, column] * (1 - right) + photo[row + 1, column + 1] * right
    colors: np.ndarray = above * (1 - down) + below * down
    return colors
