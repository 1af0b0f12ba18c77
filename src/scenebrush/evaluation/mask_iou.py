"""Mask IoU: how far cut-out masks cover the true ones."""

from __future__ import annotations

import numpy as np

from scenebrush.errors import InputError


def mask_iou(
    predicted: np.ndarray, truth: np.ndarray, *, threshold: float = 0.5, mean: bool = False
) -> np.ndarray | float:
    """Returns intersection over union, float64 (N,), or its mean over the pictures with `mean`.

    A mask that is empty where the truth is empty too scores 1: nothing was to be cut out, and nothing was.
    One empty mask against one that is not scores 0.

    Args:
        predicted: bool, float in [0, 1] (a soft mask) or uint8 in 0-255, of shape (N, H, W) or (H, W).
        truth: the same; each of the two may be of another type.
        threshold: a soft value belongs to the mask from here on, as a share of full.
        mean: whether to return one number.

    Raises:
        InputError: shapes that differ, 0 masks, another type, or values out of range.
    """
    a, b = binary_masks(predicted, threshold, "predicted"), binary_masks(truth, threshold, "truth")
    if a.shape != b.shape:
        raise InputError(f"masks have shapes {a.shape} and {b.shape}; they must be equal (N, H, W)")
    union = (a | b).sum(axis=(1, 2))
    values = np.where(union > 0, (a & b).sum(axis=(1, 2)) / np.maximum(union, 1), 1.0)
    return float(values.mean()) if mean else values


def binary_masks(masks: np.ndarray, threshold: float = 0.5, name: str = "masks") -> np.ndarray:
    """Returns bool (N, H, W) of hard or soft masks; see `mask_iou`."""
    array = np.asarray(masks)
    array = array[None] if array.ndim == 2 else array
    if array.ndim != 3 or 0 in array.shape:
        raise InputError(f"{name} masks have shape {array.shape}; expected (N, H, W) with N >= 1")
    if array.dtype == bool:
        return array
    if array.dtype == np.uint8:
        return array >= threshold * 255
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"{name} masks are {array.dtype}; expected bool, uint8 (0-255) or float in [0, 1]")
    least, most = float(array.min()), float(array.max())
    if not (least >= 0 and most <= 1):
        raise InputError(f"{name} masks go from {least:g} to {most:g}; soft masks lie in [0, 1]")
    return np.asarray(array >= threshold)
