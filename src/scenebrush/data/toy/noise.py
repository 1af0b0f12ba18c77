"""Surface texture: tiles of noise that repeat without a seam."""

from __future__ import annotations

import numpy as np

_SIDE = 256


def noise_tile(rng: np.random.Generator, roughness: float) -> np.ndarray:
    """Returns noise float32 (256, 256), mean 0, spread 1, periodic; its spectrum falls as 1 / f^roughness."""
    fx, fy = np.fft.rfftfreq(_SIDE), np.fft.fftfreq(_SIDE)
    frequency = np.hypot(fy[:, None], fx)
    frequency[0, 0] = 1.0
    spectrum = np.fft.rfft2(rng.standard_normal((_SIDE, _SIDE))) * frequency**-roughness
    spectrum[0, 0] = 0.0
    tile = np.fft.irfft2(spectrum, s=(_SIDE, _SIDE))
    even: np.ndarray = (tile / tile.std()).astype(np.float32)
    return even


def sample(tile: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns the tile's values, float32 of the shape of `x`, at tile positions (wrapped, nearest)."""
    values: np.ndarray = tile[y.astype(np.int32) & (_SIDE - 1), x.astype(np.int32) & (_SIDE - 1)]
    return values
