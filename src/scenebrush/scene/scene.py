"""Scenes: a photo and its layout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scenebrush.errors import InputError
from scenebrush.scene.layout import Layout


@dataclass(frozen=True, eq=False)
class Scene:
    """A photo, uint8 (H, W, 3) RGB, and its layout of the same size."""

    photo: np.ndarray
    layout: Layout

    def __post_init__(self) -> None:
        if self.photo.ndim != 3 or self.photo.shape[2] != 3 or self.photo.dtype != np.uint8:
            raise InputError(f"a photo is uint8 (H, W, 3); this one is {self.photo.dtype} {self.photo.shape}")
        if self.photo.shape[:2] != self.layout.shape:
            raise InputError(
                f"photo {self.photo.shape[1]}x{self.photo.shape[0]} and label map"
                f" {self.layout.shape[1]}x{self.layout.shape[0]} differ in size; scale the map with nearest neighbour"
            )
