"""What may be copied, and what it costs: the sources of one class, with its large-scale colour trend taken off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from scenebrush.canvas.atlas import Atlas

_NEAR, _BELOW = 2.0, 6.0  # pixels at 128: how far an object's rim, and its shadow, may reach
_RIM_COST, _SHADOW_COST = 20, 6  # colour steps
_TREND_SAMPLES = 600
_TREND_NOISE = 12
_TREND_SHARE = 0.8  # of a class's variance that a trend must explain to be taken off


def dear_sources(obstacles: np.ndarray, scale: float) -> np.ndarray:
    """Returns what each pixel costs as a source because of what is near it, uint8 (H, W), in colour steps.

    Silhouettes are never exact: the pixels next to a thing or to unlabelled pixels may show it; a little
    farther below lie its shadow and its reflection.

    Args:
        obstacles: bool (H, W), things and unlabelled pixels.
        scale: the photo's size relative to 128 pixels.
    """
    near, below = round(_NEAR * scale**0.5), round(_BELOW * scale**0.5)
    there = obstacles.view(np.uint8)
    rim = ndimage.maximum_filter(there, 2 * near + 1)
    shadow = ndimage.maximum_filter(there, (2 * below + 1, 2 * near + 1), origin=(below // 2, 0))
    cost: np.ndarray = np.maximum(rim * np.uint8(_RIM_COST), shadow * np.uint8(_SHADOW_COST))
    return cost


def reach_of_dear(scale: float) -> int:
    """Returns how many pixels from an object `dear_sources` reaches at most."""
    below: int = round(_BELOW * scale**0.5)
    return 2 * below + 1


def color_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Returns the mean absolute difference of colours (..., 3), float32 (...)."""
    apart = np.abs(a - b)
    # three strided additions are several times faster than a sum over an axis of three
    total: np.ndarray = (apart[..., 0] + apart[..., 1] + apart[..., 2]) * np.float32(1 / 3)
    return total


@dataclass(frozen=True, eq=False)
class Trend:
    """A colour that changes smoothly over the picture (sky, water): a quadratic in row and column.

    Args:
        coefficients: float32 (6, 3).
        origin: (row, column) that positions are counted from.
        unit: pixels to one.
    """

    coefficients: np.ndarray
    origin: tuple[float, float]
    unit: float

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Returns the trend's colours, float32 (..., 3)."""
        colors: np.ndarray = self._terms(rows, columns) @ self.coefficients
        return colors

    def _terms(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        # a parabola runs away outside of what it was fitted to: positions are held within it
        y = np.clip((rows - self.origin[0]) / self.unit, -1, 1).astype(np.float32)
        x = np.clip((columns - self.origin[1]) / self.unit, -1, 1).astype(np.float32)
        return np.stack([np.ones_like(y), y, x, y * y, y * x, x * x], axis=-1)

    @classmethod
    def fit(cls, rows: np.ndarray, columns: np.ndarray, colors: np.ndarray) -> Trend | None:
        """Returns the trend of colours (N, 3) at positions (N,), or None where there is hardly one."""
        if len(colors) < 50:
            return None
        middle = float((rows.min() + rows.max()) / 2), float((columns.min() + columns.max()) / 2)
        unit = float(max(np.ptp(rows), np.ptp(columns)) / 2 + 1)
        trend = cls(np.zeros((6, 3), np.float32), middle, unit)
        terms = trend._terms(rows, columns)
        ridge = np.diag([1e-3, 0.2, 0.2, 1.0, 1.0, 1.0]).astype(np.float32) * (len(colors) / 100)
        coefficients = np.linalg.solve(terms.T @ terms + ridge, terms.T @ colors)
        left = np.var(colors - terms @ coefficients, axis=0).sum()
        if left > (1 - _TREND_SHARE) * np.var(colors, axis=0).sum() or left > 3 * _TREND_NOISE**2:
            return None
        return cls(coefficients.astype(np.float32), middle, unit)


@dataclass(frozen=True, eq=False)
class Sources:
    """The sources of a region: which atlas pixels may be copied, and the colours that they bring.

    Args:
        atlas: the atlas.
        usable: bool (V*H*W,).
        trend: what is taken off a source and put on again where it lands, or None.
    """

    atlas: Atlas
    usable: np.ndarray
    trend: Trend | None = None

    @classmethod
    def of_class(cls, atlas: Atlas, class_id: int, rng: np.random.Generator, *, trends: bool = True) -> Sources:
        """Returns the sources of a class, with its trend if `trends`."""
        usable = atlas.label_map.reshape(-1) == class_id
        visible = np.flatnonzero(usable[: atlas.label_map[0].size])
        seen = visible[rng.integers(0, len(visible), min(_TREND_SAMPLES, len(visible)))] if len(visible) else visible
        colors = atlas.photo.reshape(-1, 3)[seen].astype(np.float32)
        return cls(atlas, usable, Trend.fit(*atlas.locate(seen), colors) if trends else None)

    def colors(self, indices: np.ndarray) -> np.ndarray:
        """Returns the colours at flat indices without the trend, float32 or int16 (..., 3)."""
        colors = self.atlas.photo.reshape(-1, 3)[indices]
        if self.trend is None:
            whole: np.ndarray = colors.astype(np.int16)
            return whole
        flat: np.ndarray = colors - self.trend.at(*self.atlas.locate(indices))
        return flat

    def values(self, pixels: np.ndarray, shifts: np.ndarray) -> np.ndarray:
        """Returns what pixels get from their shifts, float32 (P, 3): the source's colours, the place's trend."""
        values: np.ndarray = self.colors(pixels + shifts).astype(np.float32)
        if self.trend is not None:
            values += self.trend.at(*self.atlas.locate(pixels))
        return values
