"""Sketches: a photo bent so that its lines come to lie on those of a sketch.

Lines say little of what is between them, so that copying needs to know where things went: a dense flow between the
distance fields of both line drawings, from coarse to fine (Lucas and Kanade, iterated, by scikit-image), begun from the
photo as it is, mirrored, or fitted box onto box. Whichever brings the lines together best with the least bending is
taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import ndimage
from skimage.registration import optical_flow_ilk

from scenebrush.canvas.analogy.sheet import NOTHING, Sheet

_STEPS = (40, 24, 2), (16, 14, 2), (8, 9, 1)  # how far from a line is far, the flow's radius, and every how many pixels
_LEAST_SIDE = 3  # pixels: a sketch that is narrower has no slopes to follow
_FINE = 8.0  # pixels: a line that lies farther away is not met
_ROUGH = 0.1  # what bending counts beside lines that do not meet
_SMOOTH = 1.0  # pixels over which a flow is evened out
_PROMISING = 2  # of the beginnings that are gone on from
_TORN = 0.9  # stretched by more than this from pixel to pixel, the photo is torn there
_MEANT = 0.85  # of how badly the photo fits as it is: bent, it has to fit better than that


@dataclass(frozen=True, eq=False)
class Bend:
    """Where each pixel of a sketch comes from: `rows` and `columns` of the photo, float32 (H, W)."""

    rows: np.ndarray
    columns: np.ndarray


class _Try(NamedTuple):
    """A bend, and how badly it brings the lines together."""

    badness: float
    bend: Bend


def follow(lines: np.ndarray, sketch: np.ndarray) -> Bend | None:
    """Returns how a photo is bent so that its lines, bool (h, w), follow those of a sketch, bool (H, W).

    None where it had better stay as it is, where either has no lines, or the sketch is too narrow.
    """
    if not lines.any() or not sketch.any() or min(sketch.shape) < _LEAST_SIDE:
        return None
    tries = list(_tries(lines, sketch))
    best = min(tries, key=lambda one: one.badness)
    return best.bend if best.badness < _MEANT * tries[0].badness else None


def _tries(lines: np.ndarray, sketch: np.ndarray) -> Iterator[_Try]:
    """The beginnings, the photo as it is first, and what comes of the promising ones."""
    firsts = list(_firsts(lines, sketch))
    far = _STEPS[0][0]
    apart = [float(np.abs(_bent(_field(lines, far), first) - _field(sketch, far)).mean()) for first in firsts]
    for first in firsts:
        yield _judged(lines, sketch, first)
    for index in np.argsort(apart, kind="stable")[:_PROMISING]:
        for begin in (0, 1):
            bend = firsts[index]
            for cap, radius, step in _STEPS[begin:]:
                bend = _closer(lines, sketch, bend, cap, radius, step)
            yield _judged(lines, sketch, bend)


def _firsts(lines: np.ndarray, sketch: np.ndarray) -> Iterator[Bend]:
    """The photo as it is, its lines' box fitted onto the sketch's, and both mirrored."""
    height, width = sketch.shape
    rows, columns = (a.astype(np.float32) for a in np.mgrid[:height, :width])
    ratio = lines.shape[0] / height, lines.shape[1] / width
    top, bottom, left, right = _box(lines)
    above, below, start, end = _box(sketch)
    fitted = (
        (rows - above) * (bottom - top) / (below - above) + top,
        (columns - start) * (right - left) / (end - start) + left,
        (end - 1 - columns) * (right - left) / (end - start) + left,
    )
    yield Bend(rows * ratio[0], columns * ratio[1])
    yield Bend(fitted[0], fitted[1])
    yield Bend(rows * ratio[0], lines.shape[1] - 1 - columns * ratio[1])
    yield Bend(fitted[0], fitted[2])


def _closer(lines: np.ndarray, sketch: np.ndarray, bend: Bend, cap: float, radius: int, step: int) -> Bend:
    """The bend, bent on by the flow between the distance fields up to `cap`, at every `step`-th pixel."""
    wanted, shown = _field(sketch, cap), _bent(_field(lines, cap), bend)
    flow = optical_flow_ilk(wanted[::step, ::step], shown[::step, ::step], radius=radius, num_warp=10)  # type: ignore[no-untyped-call]
    down, across = flow
    if step > 1:
        zoom = np.array(sketch.shape) / down.shape
        down, across = (ndimage.zoom(flow, zoom, order=1) * step for flow in (down, across))
    down, across = (ndimage.gaussian_filter(flow, _SMOOTH) for flow in (down, across))
    places = np.mgrid[: sketch.shape[0], : sketch.shape[1]] + np.stack([down, across])
    return Bend(*(ndimage.map_coordinates(a, places, order=1, mode="nearest") for a in (bend.rows, bend.columns)))


def _judged(lines: np.ndarray, sketch: np.ndarray, bend: Bend) -> _Try:
    """How far lines and sketch lie apart, 0 to 1, and a little for stretching."""
    apart = float(np.abs(_bent(_field(lines, _FINE), bend) - _field(sketch, _FINE)).mean())
    return _Try(apart + _ROUGH * float(np.minimum(_stretch(bend), 1).mean()), bend)


def _stretch(bend: Bend) -> np.ndarray:
    """By how much the way from pixel to pixel differs from that in a picture that is only mirrored and fitted."""
    gradients = np.stack([np.gradient(bend.rows, axis=0), np.abs(np.gradient(bend.columns, axis=1))])
    crossed = np.abs(np.gradient(bend.rows, axis=1)) + np.abs(np.gradient(bend.columns, axis=0))
    typical = np.median(gradients.reshape(2, -1), axis=1)[:, None, None]
    stretch: np.ndarray = np.abs(gradients - typical).max(0) + crossed
    return stretch


def bent(photo: np.ndarray, label_map: np.ndarray, bend: Bend) -> Sheet:
    """Returns the photo, float32 (h, w, 3), and its labels, bent; torn places, and those beyond it, hold nothing."""
    places = np.stack([bend.rows, bend.columns])
    picture = np.stack([ndimage.map_coordinates(photo[..., c], places, order=1, mode="nearest") for c in range(3)], -1)
    labels = ndimage.map_coordinates(label_map, places, order=0, mode="nearest")
    inside = (places >= -0.5).all(0) & (bend.rows <= photo.shape[0] - 0.5) & (bend.columns <= photo.shape[1] - 0.5)
    used = inside & (_stretch(bend) < _TORN)
    return Sheet(picture, np.where(used, labels, NOTHING), used)


def _bent(field: np.ndarray, bend: Bend) -> np.ndarray:
    """A field of the photo (h, w), bent, float32 (H, W)."""
    moved: np.ndarray = ndimage.map_coordinates(field, [bend.rows, bend.columns], order=1, mode="nearest")
    return moved.astype(np.float32)


def _field(lines: np.ndarray, cap: float) -> np.ndarray:
    """Distance to the nearest line, 0 to 1 = `cap` pixels and more."""
    return np.asarray(np.minimum(ndimage.distance_transform_edt(~lines), cap) / cap, np.float32)


def _box(lines: np.ndarray) -> tuple[int, int, int, int]:
    """Top, bottom, left and right, the second and fourth excluded."""
    rows, columns = np.flatnonzero(lines.any(1)), np.flatnonzero(lines.any(0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
