"""Patches as short vectors: their principal components, so that a distance is a few products."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

_SAMPLES = 20000  # rows that the components are found from


@dataclass(frozen=True, eq=False)
class Projection:
    """A projection onto the principal components of some rows.

    Args:
        mean: float32 (C,).
        basis: float32 (C, D), orthonormal columns.
    """

    mean: np.ndarray
    basis: np.ndarray

    @classmethod
    def of(cls, rows: np.ndarray, most: int, share: float = 0.98) -> Self:
        """Returns the projection onto the first components of some rows.

        Args:
            rows: (N, C), of any number type.
            most: there are no more components than this.
            share: of the rows' variance, which the components hold if they are not too many; 0 to 1.
        """
        step = max(1, len(rows) // _SAMPLES)
        sample = rows[::step].astype(np.float64)
        mean = sample.mean(0)
        values, vectors = np.linalg.eigh(_covariance(sample - mean))
        values, vectors = values[::-1].clip(0), vectors[:, ::-1]
        total = values.sum()
        held = np.cumsum(values) / total if total > 0 else np.ones(len(values))
        count = min(most, int(np.searchsorted(held, share)) + 1, len(values))
        return cls(mean.astype(np.float32), np.ascontiguousarray(vectors[:, :count], np.float32))

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Returns the rows (N, C) as float32 (N, D); distances shrink by what the components leave out."""
        return np.asarray((rows - self.mean) @ self.basis, np.float32)


def _covariance(centred: np.ndarray) -> np.ndarray:
    """Of rows (N, C) with mean 0, (C, C); 0 where one row alone varies in nothing."""
    if len(centred) == 1:
        return np.zeros((centred.shape[1],) * 2)
    return np.atleast_2d(np.cov(centred, rowvar=False))


def patch_rows(values: np.ndarray, patch: int) -> np.ndarray:
    """Returns the patch around every pixel, mirrored beyond the rim, float32 (H*W, C*patch*patch).

    Args:
        values: (H, W, C).
        patch: side, odd.
    """
    margin = patch // 2
    padded = np.pad(values, ((margin, margin), (margin, margin), (0, 0)), mode="symmetric")
    windows = sliding_window_view(padded, (patch, patch), axis=(0, 1))
    return np.ascontiguousarray(windows, np.float32).reshape(values.shape[0] * values.shape[1], -1)
