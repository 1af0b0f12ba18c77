"""Progressive augmentation of one photo and its maps (SemIA): zoom, flip, bend, and on request turn and shift.

All that is drawn is composed into one map of coordinates, so that a picture is sampled once, and its label and
instance maps exactly as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from scipy import ndimage

from scenebrush.errors import InputError


@dataclass(frozen=True)
class Augmentation:
    """How much a photo is varied at full strength; the defaults are SemIA's.

    Args:
        zoom: it is enlarged about its middle by a factor uniform in [1, 1 + zoom x strength].
        flip: it is mirrored, left for right, with this probability x strength.
        bend: a thin-plate spline bends it with this probability (at any strength; the strength scales how far).
        control: the spline's control points, control x control, spread evenly inside the picture; its four corners
            are held in place.
        bend_shift: each control point moves by up to this share of the width x strength, across and down.
        turn: degrees x strength that it turns about its middle by at most; 5 in SemIA's option.
        shift: share of the sides x strength that it moves by at most; .1 in SemIA's option.

    Raises:
        InputError: a share or probability outside [0, 1], a negative turn or no control points.
    """

    zoom: float = 0.2
    flip: float = 0.5
    bend: float = 0.5
    control: int = 3
    bend_shift: float = 0.02
    turn: float = 0.0
    shift: float = 0.0

    def __post_init__(self) -> None:
        for name in ("zoom", "flip", "bend", "bend_shift", "shift"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise InputError(f"augmentation: {name} is {value:g}; give a share from 0 to 1")
        if not 0 <= self.turn <= 180:
            raise InputError(f"augmentation: turn is {self.turn:g}; give 0 to 180 degrees")
        if self.control < 1:
            raise InputError(f"augmentation: control is {self.control}; a spline needs 1 x 1 control points or more")


@dataclass(frozen=True, eq=False)
class Warp:
    """A sampled transform of pictures of one size.

    Args:
        coordinates: float32 (2, H, W), the source (row, column) of every pixel, inside the picture; read-only.
    """

    coordinates: np.ndarray

    def __post_init__(self) -> None:
        self.coordinates.flags.writeable = False

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.coordinates.shape[1], self.coordinates.shape[2]

    @cached_property
    def is_identity(self) -> bool:
        """Whether every pixel stays where it is."""
        return bool((self.coordinates == _grid(self.shape)).all())

    def picture(self, picture: np.ndarray, *, nearest: bool = False) -> np.ndarray:
        """Returns the picture transformed, of its shape and type.

        Args:
            picture: uint8 or float (H, W, C).
            nearest: whole pixels, as SemIA's zoom does; else bilinear.

        Raises:
            InputError: a picture of another size.
        """
        self._check(picture, 3)
        if nearest or self.is_identity:
            return self._taken(picture)
        out = np.empty(picture.shape, np.float32 if picture.dtype != np.float64 else np.float64)
        for channel in range(picture.shape[2]):
            plane = np.ascontiguousarray(picture[..., channel])
            # Coordinates lie inside already; "nearest" only catches what float32 rounds over the edge.
            out[..., channel] = ndimage.map_coordinates(
                plane, self.coordinates, output=out.dtype, order=1, mode="nearest", prefilter=False
            )
        return (np.rint(out) if np.issubdtype(picture.dtype, np.integer) else out).astype(picture.dtype, copy=False)

    def labels(self, labels: np.ndarray) -> np.ndarray:
        """Returns a label or instance map transformed: int (H, W), each pixel that of the nearest source pixel.

        Raises:
            InputError: a map of another size.
        """
        self._check(labels, 2)
        return self._taken(labels)

    def _taken(self, array: np.ndarray) -> np.ndarray:
        if self.is_identity:
            return array.copy()
        rows, columns = self._nearest
        taken: np.ndarray = array[rows, columns]
        return taken

    @cached_property
    def _nearest(self) -> tuple[np.ndarray, np.ndarray]:
        rows, columns = np.rint(self.coordinates).astype(np.intp)
        return rows.clip(0, self.shape[0] - 1), columns.clip(0, self.shape[1] - 1)

    def _check(self, array: np.ndarray, axes: int) -> None:
        if array.ndim != axes or array.shape[:2] != self.shape:
            expected = (*self.shape, "C")[:axes]
            raise InputError(f"this warp is for arrays {expected}; got {array.shape}; draw one for that size")


def draw_warp(shape: tuple[int, int], augmentation: Augmentation, strength: float, rng: np.random.Generator) -> Warp:
    """Returns a transform for pictures of one size; equal generators draw equal ones.

    As many numbers are drawn whatever the settings, so that one setting does not change what another does.

    Args:
        shape: (H, W).
        augmentation: how much at full strength.
        strength: f, 0 to 1; SemIA's grows from 0 to 1 over the first 1,000 iterations. 0 changes nothing.
        rng: what is drawn from.

    Raises:
        InputError: a strength outside [0, 1] or a shape without pixels.
    """
    if not 0 <= strength <= 1:
        raise InputError(f"augmentation: strength is {strength:g}; expected 0 to 1")
    if min(shape) < 1:
        raise InputError(f"augmentation: a picture of shape {shape} has no pixels")
    zoom, flips, bends = rng.uniform(size=3)
    turn, *shift = rng.uniform(-1, 1, size=3)
    moves = rng.uniform(-1, 1, (augmentation.control**2, 2))
    at = _grid(shape)
    if bends < augmentation.bend and strength > 0:
        moves *= augmentation.bend_shift * strength * shape[1]
        at = at + np.tensordot(moves.astype(np.float32), _spline(shape, augmentation.control), (0, 0))
    if flips < augmentation.flip * strength:
        at = np.stack([at[0], shape[1] - 1 - at[1]])
    at = _zoomed_and_turned(
        at,
        1 + augmentation.zoom * strength * zoom,
        math.radians(augmentation.turn * strength * turn),
        np.array(shift) * augmentation.shift * strength * shape,
    )
    return Warp(np.ascontiguousarray(_mirrored(at), np.float32))


def _zoomed_and_turned(at: np.ndarray, factor: float, angle: float, shift: np.ndarray) -> np.ndarray:
    """Coordinates (2, H, W) of a picture enlarged and turned about its middle, then moved."""
    if factor == 1 and angle == 0 and not shift.any():
        return at  # exactly as it was
    middle = (np.array(at.shape[1:]) - 1)[:, None, None] / 2
    cos, sin = math.cos(angle) / factor, math.sin(angle) / factor
    turned = np.tensordot(np.array([[cos, -sin], [sin, cos]]), at - middle - shift[:, None, None], 1)
    inside: np.ndarray = turned + middle
    return inside


def _mirrored(at: np.ndarray) -> np.ndarray:
    """Coordinates (2, H, W) that left the picture, reflected at its outermost pixels."""
    last = (np.array(at.shape[1:]) - 1)[:, None, None]
    if (at >= 0).all() and (at <= last).all():
        return at
    period = np.maximum(2 * last, 1)
    folded = np.mod(at, period)
    inside: np.ndarray = np.minimum(np.where(folded > last, period - folded, folded), last)
    return inside


def _grid(shape: tuple[int, int]) -> np.ndarray:
    """float32 (2, H, W): every pixel's own (row, column)."""
    return np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in shape), indexing="ij"))


@lru_cache(maxsize=4)
def _spline(shape: tuple[int, int], control: int) -> np.ndarray:
    """Returns how far every pixel goes with each control point, float32 (control^2, H, W); read-only.

    The thin-plate spline is linear in its control points' moves: u(p) = sum_k moves_k B_k(p), where B_k is the spline
    that is 1 at point k and 0 at all others and at the corners. B depends on the size alone and is worked out once.
    """
    inner = np.linspace(0, 1, control + 2)[1:-1]
    points = np.array([(r, c) for r in inner for c in inner] + [(r, c) for r in (0, 1) for c in (0, 1)], np.float64)
    scale = np.maximum(np.array(shape) - 1, 1)
    points *= scale / scale.max()  # one unit for both sides: r of r^2 log r is a distance
    n = len(points)
    system = np.zeros((n + 3, n + 3))
    system[:n, :n] = _kernel(points, points)
    system[:n, n:] = np.column_stack([np.ones(n), points])
    system[n:, :n] = system[:n, n:].T
    right = np.zeros((n + 3, control**2))
    right[: control**2] = np.eye(control**2)
    weights = np.linalg.solve(system, right)  # (n + 3, control^2)
    pixels = _grid(shape).reshape(2, -1).T / scale.max()
    basis = _kernel(pixels, points) @ weights[:n] + weights[n] + pixels @ weights[n + 1 :]
    spline: np.ndarray = np.ascontiguousarray(basis.T.reshape(control**2, *shape), np.float32)
    spline.flags.writeable = False
    return spline


def _kernel(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """r^2 log r^2 of every pair of points, (N, M)."""
    square = ((first[:, None] - second[None]) ** 2).sum(axis=2)
    kernel: np.ndarray = square * np.log(np.where(square > 0, square, 1))
    return kernel
