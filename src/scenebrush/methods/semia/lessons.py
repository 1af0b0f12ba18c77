"""What one photo can teach a copy of itself: parts are hidden, the canvas fills them from the rest, the truth is known.

A part of the photo is held out: no lesson hides it, so that what is drawn there tests what was learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from scenebrush.canvas.analogy import Analogy, AnalogySettings
from scenebrush.errors import InputError
from scenebrush.losses.likeness import Likeness
from scenebrush.methods.semia.source import Source

HELD_OUT = 3
"""Lessons to test on."""
_HIDDEN = 0.12, 0.25  # share of the photo that a lesson hides, from and to
_HOLE = 0.06, 0.22  # a hole's side, in shares of the photo's longer side
_GAP = 1  # pixels around a hole that are not copied from either: they mix with what it hides
_TRIES = 60
_AROUND, _SEEN = 8, 48  # pixels around a hole that are compared with it, and the least side of what is compared
_APART = 4  # pixels between what is learned and what is held out


@dataclass(frozen=True, eq=False)
class Lesson:
    """A photo with parts hidden.

    Args:
        hidden: bool (H, W).
        canvas: uint8 (H, W, 3), what copying makes of it.
        cost: float32 (H, W), how badly each pixel's copy fits; 0 = the photo itself.
    """

    hidden: np.ndarray
    canvas: np.ndarray
    cost: np.ndarray


class Lessons:
    """Lessons of one photo, made when they are asked for.

    Args:
        source: the photo.
        settings: of the canvas.
        seed: decides what is hidden.
        held_out: how many lessons to test on.

    Raises:
        InputError: a photo too small to hide anything in.
    """

    def __init__(self, source: Source, settings: AnalogySettings, *, seed: int = 0, held_out: int = HELD_OUT) -> None:
        self.source, self.settings, self.seed = source, settings, seed
        nothing = np.zeros(source.shape, bool)
        self.tests = [self._hide(np.random.default_rng((seed, 0, k)), nothing) for k in range(held_out)]
        union = np.logical_or.reduce(self.tests) if self.tests else nothing
        self.kept = ndimage.binary_dilation(union, np.ones((3, 3), bool), iterations=_APART) if union.any() else union
        self._lesson = lru_cache(maxsize=None)(self._make)

    def held_out(self, settings: AnalogySettings | None = None) -> list[Lesson]:
        """Returns the lessons to test on; `settings` other than the lessons' own may be tried."""
        return [self.render(hidden, settings) for hidden in self.tests]

    def __getitem__(self, index: int) -> Lesson:
        """Returns lesson number `index`; nothing that is held out is hidden in it."""
        return self._lesson(index)

    def _make(self, index: int) -> Lesson:
        return self.render(self.hidden(index))

    def hidden(self, index: int) -> np.ndarray:
        """Returns what lesson number `index` hides, bool (H, W)."""
        return self._hide(np.random.default_rng((self.seed, 1, index)), self.kept)

    def render(self, hidden: np.ndarray, settings: AnalogySettings | None = None) -> Lesson:
        """Returns the lesson that hides these pixels, bool (H, W)."""
        usable = ~ndimage.binary_dilation(hidden, np.ones((3, 3), bool), iterations=_GAP)
        start = np.where(hidden[..., None], 0, self.source.photo)
        analogy = Analogy(start, self.source.layout, usable, settings or self.settings)
        made = analogy.render(self.source.layout)
        return Lesson(hidden, np.where(hidden[..., None], made.picture, self.source.photo), made.cost)

    def _hide(self, rng: np.random.Generator, kept: np.ndarray) -> np.ndarray:
        """Holes: ovals, boxes, and outlines of the photo's own things laid elsewhere."""
        height, width = self.source.shape
        hidden = np.zeros((height, width), bool)
        wanted = rng.uniform(*_HIDDEN) * hidden.size
        rows, columns = np.mgrid[:height, :width]
        for _ in range(_TRIES):
            if np.count_nonzero(hidden) >= wanted:
                break
            tall, wide = (rng.uniform(*_HOLE, 2) * max(height, width) / 2).clip(4)
            row, column = rng.uniform(0, height), rng.uniform(0, width)
            down, across = (rows - row) / tall, (columns - column) / wide
            oval = rng.random() < 0.6
            hole = down**2 + across**2 < 1 if oval else np.maximum(np.abs(down), np.abs(across)) < 0.85
            if (hole & kept).any():
                continue
            hidden |= hole
        if not hidden.any():
            raise InputError("the photo is too small: nothing is left to learn from beside what is held out")
        return hidden


def hole_distances(distance: Likeness, lesson: Lesson, picture: np.ndarray, photo: np.ndarray) -> np.ndarray:
    """Returns the distance of a picture to the photo about each hole of a lesson, float64 (N,)."""
    numbers = ndimage.label(lesson.hidden)[0]
    found = []
    for rows, columns in ndimage.find_objects(numbers):
        window = _grown(rows, photo.shape[0]), _grown(columns, photo.shape[1])
        with torch.no_grad():
            found.append(float(distance(_image(picture[window]), _image(photo[window]))))
    return np.array(found)


def _grown(span: slice, length: int) -> slice:
    """A span with what lies around it, at least `_SEEN` pixels."""
    more = max(_AROUND, (_SEEN - (span.stop - span.start) + 1) // 2)
    return slice(max(0, span.start - more), min(length, span.stop + more))


def _image(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1
