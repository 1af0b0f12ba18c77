"""Rectifying a plane from the photo alone: straight edges, two vanishing points, the homography that undoes them.

What people build repeats along two directions of a plane. In a photo the lines of each direction meet in a
vanishing point; the homography that sends both points to infinity makes equal steps on the plane equal again
(Hartley and Zisserman 2004, section 8.6), up to the scale of each axis, which periods do not ask for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage import measure

_BINS = 16  # directions of the gradient that edges are grouped by
_LEAST_GRADIENT = 3.0  # colour steps per pixel
_LEAST_LENGTH = 8.0  # pixels
_THIN = 4.0  # least ratio of length to width
_MOST, _PAIRED = 240, 48  # segments looked at, and those of which pairs make guesses
_TOLERANCE = 0.035  # radians that a segment may miss its vanishing point by
_APART = 0.5  # sine of the least angle between the two directions
_EXPLAINED = 0.45  # share of all segments' length that the two points must explain
_EACH = 0.12  # and each of them


@dataclass(frozen=True, eq=False)
class Segments:
    """N straight edges: `centers` (N, 2) as (x, y), unit `directions` (N, 2), `lengths` (N,), in pixels."""

    centers: np.ndarray
    directions: np.ndarray
    lengths: np.ndarray

    @property
    def lines(self) -> np.ndarray:
        """The lines through them, homogeneous, (N, 3)."""
        normals = np.stack([-self.directions[:, 1], self.directions[:, 0]], axis=1)
        return np.concatenate([normals, -(normals * self.centers).sum(axis=1, keepdims=True)], axis=1)

    def towards(self, points: np.ndarray) -> np.ndarray:
        """Returns how well each segment points at each of some points (homogeneous, (K, 3)): 1 = exactly, (K, N)."""
        aim_x = points[:, :1] - points[:, 2:] * self.centers[:, 0]
        aim_y = points[:, 1:2] - points[:, 2:] * self.centers[:, 1]
        across = aim_x * self.directions[:, 1] - aim_y * self.directions[:, 0]
        sine = np.abs(across) / np.maximum(np.hypot(aim_x, aim_y), 1e-9)
        fit: np.ndarray = np.maximum(1 - (sine / (_TOLERANCE + 0.5 / self.lengths)) ** 2, 0)
        return fit


def segments(gray: np.ndarray, visible: np.ndarray) -> Segments:
    """Returns the straight edges of the visible part of a picture, the longest first.

    Neighbouring pixels whose gradients point the same way make one edge (Burns et al. 1986).

    Args:
        gray: float (H, W).
        visible: bool (H, W); edges next to what is not visible are left out.
    """
    grad_x, grad_y = (ndimage.gaussian_filter(gray, 1.0, order=order) for order in ((0, 1), (1, 0)))
    strength = np.hypot(grad_x, grad_y)
    clear = ndimage.binary_erosion(visible, iterations=4, border_value=1) & (strength > _LEAST_GRADIENT)
    turn = (np.arctan2(grad_y, grad_x) / (2 * np.pi) + 1) * _BINS
    found = [_straight(np.where(clear, np.floor(turn + half) % _BINS + 1, 0), strength) for half in (0.0, 0.5)]
    centers, directions, lengths = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.argsort(-lengths, kind="stable")[:_MOST]
    return Segments(centers[order], directions[order], lengths[order])


def _straight(bins: np.ndarray, strength: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centres, directions and lengths of the components that are long and thin."""
    components = np.asarray(measure.label(bins.astype(np.int32), background=0, connectivity=2))  # type: ignore[no-untyped-call]
    rows, columns = np.nonzero(components)
    node, weight = components[rows, columns], strength[rows, columns]
    total = np.maximum(np.bincount(node, weight), 1e-9)
    x, y = np.bincount(node, weight * columns) / total, np.bincount(node, weight * rows) / total
    apart_x, apart_y = columns - x[node], rows - y[node]
    moments = (apart_x**2, apart_x * apart_y, apart_y**2)
    xx, xy, yy = (np.bincount(node, weight * moment) / total for moment in moments)
    middle, spread = (xx + yy) / 2, np.hypot((xx - yy) / 2, xy)
    length, width = np.sqrt(12 * (middle + spread)), np.sqrt(12 * np.maximum(middle - spread, 0.02))
    angle = 0.5 * np.arctan2(2 * xy, xx - yy)
    kept = (length >= _LEAST_LENGTH) & (length >= _THIN * width)
    return np.stack([x, y], 1)[kept], np.stack([np.cos(angle), np.sin(angle)], 1)[kept], length[kept]


def rectification(edges: Segments, middle: tuple[float, float], unit: float) -> np.ndarray | None:
    """Returns the homography (3, 3) from picture positions (x, y, 1) to the rectified plane, or None.

    At `middle` it keeps lengths along both directions of the plane; `middle` goes to (0, 0), and the directions
    become the x axis (the one nearer to level) and the y axis. None where the edges do not show two directions.

    Args:
        edges: straight edges of the plane.
        middle: (x, y), where the plane is looked at.
        unit: about half the size of the picture's part, in pixels.
    """
    if len(edges.lengths) < 8:
        return None
    own = Segments((edges.centers - middle) / unit, edges.directions, edges.lengths)
    first = _meeting_point(own, np.ones(len(own.lengths)), None)
    if first is None:
        return None
    second = _meeting_point(own, 1 - own.towards(first[None])[0], first)
    if second is None or abs(_sine(second[None], first)[0]) < _APART:
        return None
    explained = own.towards(np.stack([first, second])) @ own.lengths / own.lengths.sum()
    if explained.sum() < _EXPLAINED or explained.min() < _EACH:
        return None
    return _homography(first, second, middle, unit)


def _guesses(edges: Segments, weight: np.ndarray) -> np.ndarray:
    """Where pairs of the weightiest segments meet, and the points at infinity on the axes, unit vectors (K, 3)."""
    lines = edges.lines[np.argsort(-edges.lengths * weight, kind="stable")[:_PAIRED]]
    one, two = np.triu_indices(len(lines), 1)
    points = np.concatenate([np.cross(lines[one], lines[two]), [[1.0, 0, 0], [0, 1.0, 0]]])
    size = np.linalg.norm(points, axis=1, keepdims=True)
    kept: np.ndarray = (points / np.maximum(size, 1e-12))[size[:, 0] > 1e-6]
    return kept


def _meeting_point(edges: Segments, weight: np.ndarray, other: np.ndarray | None) -> np.ndarray | None:
    """The point that most of the segments' weighted length points at, (3,), in another direction than `other`."""
    guesses = _guesses(edges, weight)
    if other is not None:
        guesses = guesses[np.abs(_sine(guesses, other)) > _APART]
    if not len(guesses):
        return None
    best: np.ndarray = guesses[np.argmax(edges.towards(guesses) @ (edges.lengths * weight))]
    for _ in range(3):
        # the point nearest to all lines that point at it; a short segment's line is the less sure
        fit = edges.towards(best[None])[0] * weight * edges.lengths**2
        nearest = np.linalg.eigh((edges.lines * fit[:, None]).T @ edges.lines)[1][:, 0]
        if edges.towards(nearest[None])[0] @ (edges.lengths * weight) < edges.towards(best[None])[0] @ (
            edges.lengths * weight
        ):
            break
        best = nearest
    return best


def _sine(points: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The sine of the angle at the middle between the directions to some points and to another, (K,)."""
    length = np.linalg.norm(points[:, :2], axis=1) * np.linalg.norm(other[:2])
    sine: np.ndarray = (points[:, 0] * other[1] - points[:, 1] * other[0]) / np.maximum(length, 1e-9)
    return sine


def _homography(first: np.ndarray, second: np.ndarray, middle: tuple[float, float], unit: float) -> np.ndarray | None:
    horizon = np.cross(first, second)
    if abs(horizon[2]) < 0.3 * np.linalg.norm(horizon[:2]):
        return None  # the plane is seen edge-on within the part looked at
    flat = np.array([[1, 0, 0], [0, 1, 0], horizon / horizon[2]])
    ways = [flat @ point for point in (first, second)]
    ways.sort(key=lambda way: -abs(way[0]) / np.hypot(way[0], way[1]))
    axes = np.stack([way[:2] / np.linalg.norm(way[:2]) for way in ways], axis=1)
    axes *= np.sign([axes[0, 0], axes[1, 1]])
    straight = np.eye(3)
    straight[:2, :2] = np.linalg.inv(axes)
    into = np.array([[1 / unit, 0, -middle[0] / unit], [0, 1 / unit, -middle[1] / unit], [0, 0, 1]])
    whole: np.ndarray = np.diag([unit, unit, 1.0]) @ straight @ flat @ into
    return whole
