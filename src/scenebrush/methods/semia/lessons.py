"""What one photo can teach: parts of it are hidden, copying fills them from the rest, the truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from scenebrush.canvas.analogy import Analogy, AnalogySettings
from scenebrush.errors import InputError
from scenebrush.losses.likeness import Likeness
from scenebrush.methods.semia.source import Source

_HIDDEN = 0.12, 0.25  # share of the photo that a lesson hides, from and to
_HOLE = 0.06, 0.22  # a hole's side, in shares of the photo's longer side
_OVALS = 0.6  # share of the holes that are ovals; the others are boxes
_TRIES = 60
_SIZES = 1.0, 0.5, 0.25  # of the holes, as long as none has found a place
_AROUND, _SEEN = 8, 48  # pixels around a hole that are compared with it, and the least side of what is compared


@dataclass(frozen=True, eq=False)
class Filled:
    """A lesson that was done: `hidden` bool (H, W), and `picture`, uint8 (H, W, 3), what copying made of the photo."""

    hidden: np.ndarray
    picture: np.ndarray


class Lessons:
    """Lessons of one photo: some to learn by, some held out, which hide other places of it.

    Args:
        source: the photo.
        learned, held_out: how many of each.
        seed: decides what is hidden.

    Raises:
        InputError: a photo too small to hide anything in.
    """

    def __init__(self, source: Source, *, learned: int, held_out: int, seed: int = 0) -> None:
        self.source = source
        nothing = np.zeros(source.shape, bool)
        self.held_out = [self._hide(np.random.default_rng((seed, 0, k)), nothing) for k in range(held_out)]
        kept = np.logical_or.reduce(self.held_out) if self.held_out else nothing
        self.learned = [self._hide(np.random.default_rng((seed, 1, k)), kept) for k in range(learned)]

    def fill(self, hidden: Sequence[np.ndarray], settings: AnalogySettings) -> list[Filled]:
        """Returns lessons, bool (H, W) each, filled by copying; several at a time on as many cores as torch may use."""

        def one(hole: np.ndarray) -> Filled:
            start = np.where(hole[..., None], np.uint8(0), self.source.photo)
            made = Analogy(start, self.source.layout, ~hole, settings).render(self.source.layout)
            return Filled(hole, np.where(hole[..., None], made.picture, self.source.photo))

        with ThreadPoolExecutor(torch.get_num_threads()) as workers:
            return list(workers.map(one, hidden))

    def distances(self, hidden: Sequence[np.ndarray], settings: AnalogySettings, distance: Likeness) -> np.ndarray:
        """Returns how unlike the truth each hole of some lessons is filled, float64 (N,)."""
        found = [hole_distances(distance, filled, self.source.photo) for filled in self.fill(hidden, settings)]
        return np.concatenate(found)

    def _hide(self, rng: np.random.Generator, kept: np.ndarray) -> np.ndarray:
        """Ovals and boxes, bool (H, W), none on what is to be kept; where none finds a place, smaller ones do."""
        height, width = self.source.shape
        hidden = np.zeros((height, width), bool)
        wanted = rng.uniform(*_HIDDEN) * hidden.size
        for size in _SIZES:
            for _ in range(_TRIES):
                if np.count_nonzero(hidden) >= wanted:
                    break
                hole = _hole((height, width), size * max(height, width), rng)
                if not (hole & kept).any():
                    hidden |= hole
            if hidden.any():
                break
        if not hidden.any() or hidden.all():
            raise InputError(f"a photo of {width}x{height} is too small: nothing can be hidden in it to learn by")
        return hidden


def _hole(shape: tuple[int, int], longer_side: float, rng: np.random.Generator) -> np.ndarray:
    """An oval or a box somewhere, bool `shape`."""
    height, width = shape
    rows, columns = np.ogrid[:height, :width]
    tall, wide = (rng.uniform(*_HOLE, 2) * longer_side / 2).clip(4)
    row, column = rng.uniform(0, height), rng.uniform(0, width)
    down, across = (rows - row) / tall, (columns - column) / wide
    oval = rng.random() < _OVALS
    hole: np.ndarray = down**2 + across**2 < 1 if oval else np.maximum(np.abs(down), np.abs(across)) < 0.85
    return hole


def hole_distances(distance: Likeness, filled: Filled, photo: np.ndarray) -> np.ndarray:
    """Returns the distance of a filled lesson to the photo about each of its holes, float64 (N,)."""
    found = []
    for rows, columns in ndimage.find_objects(ndimage.label(filled.hidden)[0]):
        window = _grown(rows, photo.shape[0]), _grown(columns, photo.shape[1])
        with torch.no_grad():
            found.append(float(distance(_image(filled.picture[window]), _image(photo[window]))))
    return np.array(found)


def _grown(span: slice, length: int) -> slice:
    """A span with what lies around it, at least `_SEEN` pixels."""
    more = max(_AROUND, (_SEEN - (span.stop - span.start) + 1) // 2)
    return slice(max(0, span.start - more), min(length, span.stop + more))


def _image(picture: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 127.5 - 1
