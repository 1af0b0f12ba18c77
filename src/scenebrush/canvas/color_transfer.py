"""Colour transfer between two sets of pixels: linear Monge-Kantorovich, Reinhard, and light alone.

`color.fitted` is gentler: it goes by what surrounds an object. These take one set of colours for the other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np

from scenebrush.canvas.color import lab_of, rgb_of

TransferName = Literal["monge_kantorovich", "reinhard", "relit"]
Transfer = Callable[[np.ndarray], np.ndarray]
"""float (..., 3) RGB 0-255 -> the same with other colours; not clipped."""

_FEWEST = 16
_GAINS = 0.35, 2.0  # of lightness: more would not be light any more
_FLOOR = 4.0  # added to the variance of a channel (levels squared): flat areas have no directions to go by


def monge_kantorovich(source: np.ndarray, target: np.ndarray) -> Transfer:
    """Returns the linear map in RGB that gives the source's colours the target's mean and covariance.

    Of all such maps the one that moves the colours least (Pitie and Kokaram 2007; SIMS section 5):
    T = A^-1/2 (A^1/2 B A^1/2)^1/2 A^-1/2 with A, B the covariances of source and target.

    Args:
        source: uint8 or float (N, 3) RGB 0-255; under 16 pixels there is nothing to go by: colours stay as they are.
        target: the same, (M, 3).
    """
    if len(source) < _FEWEST or len(target) < _FEWEST:
        return _unchanged
    theirs, ours = np.asarray(source, np.float64), np.asarray(target, np.float64)
    a, b = (np.cov(pixels, rowvar=False) + _FLOOR * np.eye(3) for pixels in (theirs, ours))
    root = _root(a)
    inverse = np.linalg.inv(root)
    matrix = inverse @ _root(root @ b @ root) @ inverse  # (3, 3), symmetric
    there, here = theirs.mean(0), ours.mean(0)
    return lambda pixels: (np.asarray(pixels, np.float64) - there) @ matrix + here


def reinhard(source: np.ndarray, target: np.ndarray) -> Transfer:
    """Returns the map that gives each channel of Lab the target's mean and deviation (Reinhard et al. 2001).

    Arguments as in `monge_kantorovich`.
    """
    if len(source) < _FEWEST or len(target) < _FEWEST:
        return _unchanged
    theirs, ours = lab_of(source), lab_of(target)
    there, here = theirs.mean(0), ours.mean(0)
    gain = (ours.std(0) + 1.0) / (theirs.std(0) + 1.0)
    return lambda pixels: rgb_of((lab_of(pixels) - there) * gain + here)


def relit(source: np.ndarray, target: np.ndarray) -> Transfer:
    """Returns the map that makes colours as much darker or lighter, and warmer or colder, as the target's are.

    For things whose own colours are to stay, going by the same ground in both pictures: lightness is multiplied, a and
    b are shifted by half the difference of the means. Arguments as in `monge_kantorovich`.
    """
    if len(source) < _FEWEST or len(target) < _FEWEST:
        return _unchanged
    there, here = lab_of(source).mean(0), lab_of(target).mean(0)
    gain = np.clip((here[0] + 2.0) / (there[0] + 2.0), *_GAINS)
    tint = np.array([0.0, *(here[1:] - there[1:]) / 2])
    return lambda pixels: rgb_of(lab_of(pixels) * [gain, 1.0, 1.0] + tint)


TRANSFERS: dict[TransferName, Callable[[np.ndarray, np.ndarray], Transfer]] = {
    "monge_kantorovich": monge_kantorovich,
    "reinhard": reinhard,
    "relit": relit,
}
"""By name: (source, target) -> the map."""


def transferred(
    pixels: np.ndarray,
    source: np.ndarray,
    target: np.ndarray,
    *,
    by: TransferName = "monge_kantorovich",
    strength: float = 1.0,
) -> np.ndarray:
    """Returns pixels, uint8 (..., 3), recoloured as the source's colours become the target's.

    `strength` 0 leaves them as they are, 1 takes the whole difference.
    """
    moved = TRANSFERS[by](source, target)(pixels)
    mixed = pixels + strength * (moved - pixels)
    recoloured: np.ndarray = np.rint(mixed).clip(0, 255).astype(np.uint8)
    return recoloured


def _unchanged(pixels: np.ndarray) -> np.ndarray:
    return np.asarray(pixels, np.float64)


def _root(matrix: np.ndarray) -> np.ndarray:
    """The symmetric square root of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    root: np.ndarray = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    return root
