"""Depth maps beside a scene folder's photos, where a data set has them: what is in front of what (facts 2.5)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image, UnidentifiedImageError

from scenebrush.data.split_in_memory import LabelledPhoto, SplitInMemory
from scenebrush.errors import InputError

_GREY = ("L", "I", "I;16", "I;16B", "F")


@dataclass(frozen=True)
class DepthFolder:
    """`<split>/depth/<stem>.png`: grey, 8 or 16 bits, larger = farther, 0 = not known; None where there is none."""

    path: Path | None

    @classmethod
    def of(cls, photos: SplitInMemory) -> Self:
        """Returns the depth folder of a split."""
        path = photos.folder / photos.split / "depth"
        return cls(path if photos.split and path.is_dir() else None)

    def of_photo(self, photo: LabelledPhoto) -> np.ndarray | None:
        """Returns the depth of a photo, float (H, W), NaN = not known; None where it has no map.

        Raises:
            InputError: a map that cannot be read, has colours or another size than its photo.
        """
        if self.path is None or not (path := self.path / f"{photo.stem}.png").is_file():
            return None
        try:
            with Image.open(path) as opened:
                if opened.mode not in _GREY:
                    raise InputError(f"{path} has mode {opened.mode}; write a grey PNG of 8 or 16 bits")
                depth = np.asarray(opened).astype(np.float64)
        except (OSError, UnidentifiedImageError) as error:
            raise InputError(f"{path} cannot be read ({error}); write a grey PNG of 8 or 16 bits") from error
        if depth.shape != photo.label_map.shape:
            raise InputError(
                f"{path} is {depth.shape}, its photo {photo.label_map.shape} (H, W); give a grey map of its size"
            )
        return np.where(depth > 0, depth, np.nan)
