"""Training pictures for the methods that make whole ones: cut-outs of labelled photos, no hole.

`TrainingPictures(...)[i]` depends on (seed, i) alone, so a run that is resumed sees what it would have seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scenebrush.data.holes import Box
from scenebrush.data.split_in_memory import LabelledPhoto, SplitInMemory
from scenebrush.data.windows import cut_map, cut_photo, jitter_colors
from scenebrush.errors import InputError


@dataclass(frozen=True, eq=False)
class Picture:
    """A cut-out of a labelled photo.

    Args:
        photo: uint8 (H, W, 3) RGB.
        label_map: int32 (H, W), the label set's ids.
        instance_map: int32 (H, W), 0 = no instance.
        stem: the photo's file stem.
        box: the cut-out (x0, y0, x1, y1) in its photo.
        flipped: whether it was mirrored left to right after cutting.
    """

    photo: np.ndarray
    label_map: np.ndarray
    instance_map: np.ndarray
    stem: str
    box: Box
    flipped: bool = False


class TrainingPictures:
    """An endless, indexable stream of pictures; index i shows photo i modulo the number of photos.

    Args:
        photos: the photos that they are cut from.
        size: (width, height) of a picture in pixels.
        scales: range of (pixels of the photo per pixel of the picture); drawn on a log scale and cut down to the
            largest cut-out of this shape that the photo has: ones too large for every photo show all that fits.
        flip: mirror half of them.
        color_jitter: brightness, contrast and colour change by up to this share; 0 = not at all.
        seed: with the index it decides everything.

    Raises:
        InputError: a range of scales that is none.
    """

    def __init__(
        self,
        photos: SplitInMemory,
        *,
        size: tuple[int, int] = (256, 256),
        scales: tuple[float, float] = (1.0, 8.0),
        flip: bool = True,
        color_jitter: float = 0.0,
        seed: int = 0,
    ) -> None:
        if not 0 < scales[0] <= scales[1]:
            raise InputError(f"scales {list(scales)} are no range; give two numbers above 0, the smaller one first")
        self.photos = photos
        self.size, self.scales, self.flip, self.color_jitter, self.seed = size, scales, flip, color_jitter, seed

    def __getitem__(self, index: int) -> Picture:
        """Returns picture `index` (any integer >= 0): always the same for the same seed, in whatever order."""
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((self.seed, index, 31))))
        photo = self.photos.photos[index % len(self.photos)]
        flipped = bool(rng.integers(2)) and self.flip
        picture = cut_picture(photo, self._box(rng, photo), self.size, flip=flipped)
        if self.color_jitter:
            picture.photo[:] = jitter_colors(rng, picture.photo, self.color_jitter)
        return picture

    def whole(self, index: int) -> Picture:
        """Returns the largest cut-out of this shape in the middle of photo `index`, neither mirrored nor recoloured."""
        photo = self.photos.photos[index]
        scale = largest_scale(photo.size, self.size)
        return cut_picture(photo, _placed(photo.size, self.size, scale, (0.5, 0.5)), self.size)

    def _box(self, rng: np.random.Generator, photo: LabelledPhoto) -> Box:
        scale = math.exp(rng.uniform(math.log(self.scales[0]), math.log(self.scales[1])))
        scale = min(scale, largest_scale(photo.size, self.size))
        return _placed(photo.size, self.size, scale, (rng.random(), rng.random()))


def cut_picture(photo: LabelledPhoto, box: Box, size: tuple[int, int], *, flip: bool = False) -> Picture:
    """Returns a box of a labelled photo, resized to (width, height), mirrored if `flip`."""
    step = -1 if flip else 1
    maps = (cut_map(m, box, size)[:, ::step] for m in (photo.label_map, photo.instance_map))
    label_map, instance_map = (np.ascontiguousarray(m, np.int32) for m in maps)
    pixels = np.ascontiguousarray(cut_photo(photo.photo, box, size)[:, ::step])
    return Picture(pixels, label_map, instance_map, photo.stem, box, flip)


def largest_scale(photo: tuple[int, int], size: tuple[int, int]) -> float:
    """Returns how many pixels of a photo (width, height) one of a picture can stand for at most."""
    return min(photo[0] / size[0], photo[1] / size[1])


def _placed(photo: tuple[int, int], size: tuple[int, int], scale: float, place: tuple[float, float]) -> Box:
    """Returns the box of a scale at a place, 0 to 1 along each axis of the room that there is."""
    width, height = (max(1, min(round(side * scale), whole)) for side, whole in zip(size, photo, strict=True))
    left, top = round(place[0] * (photo[0] - width)), round(place[1] * (photo[1] - height))
    return left, top, left + width, top + height
