"""What the labels say of every pixel: which classes are near, how near, and on which side."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy import ndimage

SIDE: Final = np.float32(0.5)
"""What the direction to a class counts beside its nearness."""


def guide(label_map: np.ndarray, classes: np.ndarray, reach: float) -> np.ndarray:
    """Returns float32 (H, W, 3K): per class its nearness, and the direction to it where it is near.

    Nearness is 1 in the class and falls to 0 at `reach` pixels from it; it is 0 everywhere for a class that is absent.

    Args:
        label_map: int (H, W).
        classes: int (K,), the classes' ids.
        reach: pixels.
    """
    features = np.zeros((*label_map.shape, 3 * len(classes)), np.float32)
    for index, class_id in enumerate(classes):
        inside = label_map == class_id
        if not inside.any():
            continue
        distance = ndimage.distance_transform_edt(~inside) - ndimage.distance_transform_edt(inside)
        signed = np.clip(distance / reach, -1, 1).astype(np.float32)
        features[..., 3 * index] = (1 - signed) / 2
        for axis in (0, 1):
            if label_map.shape[axis] > 1:
                slope = np.gradient(signed, axis=axis).astype(np.float32) * np.float32(reach)
                features[..., 3 * index + 1 + axis] = SIDE * slope * (1 - np.abs(signed))
    return features
