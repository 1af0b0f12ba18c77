"""Measuring windows: a fixed set of windows per task, from photos as different as can be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from scenebrush.data import holes
from scenebrush.data.choosing import ObjectChooser, class_weights_by_id
from scenebrush.data.holes import Box
from scenebrush.data.split_in_memory import LabelledPhoto, SplitInMemory
from scenebrush.data.windows import Window, background_hole, cut_map, cut_window
from scenebrush.errors import InputError

Task = Literal["add", "erase", "add_silhouette", "erase_silhouette"]
TASKS: tuple[Task, ...] = ("add", "erase", "add_silhouette", "erase_silhouette")
"""`add`: an object's box is the hole. `erase`: a box like another photo's object, holding no thing pixel.
`add_silhouette`, `erase_silhouette`: the same with dilated silhouettes instead of boxes."""

_Maker = Callable[[np.random.Generator, int], Window | None]
_TRIES_PER_PHOTO = 40
_LARGEST_SHARE = 0.6  # of a native window's side that an object's longer side may take


class MeasuringWindows:
    """Draws measuring windows; `measuring_windows` is the short way.

    Args:
        photos: the split.
        size: side of the windows in pixels.
        context: None = windows at native resolution, `size` x `size` pixels of the photo; a number = the
            papers' protocol, side = context x the box's longer side, resized to `size`.
        class_weights: as for `TrainingWindows`.
        least_object: least longer side of an object, in pixels of the photo.
    """

    def __init__(
        self,
        photos: SplitInMemory,
        *,
        size: int = 128,
        context: float | None = None,
        class_weights: Mapping[str, float] | None = None,
        least_object: int = 24,
    ) -> None:
        self.photos, self.size, self.context = photos, size, context
        largest = _LARGEST_SHARE * size if context is None else np.inf
        weights = class_weights_by_id(photos, class_weights)
        fitting = tuple(o for o in photos.objects if least_object <= holes.longer_side(o.box) <= largest)
        self._anywhere = ObjectChooser(fitting, weights)
        if not self._anywhere:
            raise InputError(
                f"{photos.folder / photos.split} holds no object with a longer side of {least_object} to {largest:g}"
                " pixels; give a smaller least_object or a larger size"
            )
        self._in_photo = [ObjectChooser(tuple(o for o in fitting if o.photo == i), weights) for i in range(len(photos))]

    def draw(self, task: Task, n: int, seed: int = 0) -> list[Window]:
        """Returns `n` windows: every photo once in a drawn order, then every photo again, and so on.

        Photos in which no hole of the task fits are passed over; `InputError` if none fits anywhere.
        """
        makers: dict[Task, _Maker] = {
            "add": self._add,
            "erase": self._erase,
            "add_silhouette": self._add_silhouette,
            "erase_silhouette": self._erase_silhouette,
        }
        if task not in makers:
            raise InputError(f"unknown measuring task {task!r}; there are {', '.join(TASKS)}")
        windows: list[Window] = []
        turn = 0
        while len(windows) < n:
            found = self._one_turn(makers[task], TASKS.index(task), seed, turn, n - len(windows))
            if not found:
                where = self.photos.folder / self.photos.split
                raise InputError(f"no photo of {where} has room for a hole of task {task!r}; give another split")
            windows += found
            turn += 1
        return windows

    def _one_turn(self, make: _Maker, task: int, seed: int, turn: int, most: int) -> list[Window]:
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((seed, task, turn))))
        windows: list[Window] = []
        for index in rng.permutation(len(self.photos)):
            window = make(rng, int(index)) if len(windows) < most else None
            if window is not None:
                windows.append(window)
        return windows

    # One maker per task; each returns None where the photo has no fitting place.

    def _add(self, rng: np.random.Generator, index: int) -> Window | None:
        if not self._in_photo[index]:
            return None
        photo, chosen = self.photos.photos[index], self._in_photo[index].draw(rng)
        window = self._window(photo, chosen.box)
        hole = holes.box_hole(chosen.box, window, self.size)
        return cut_window(photo, window, hole, "add", class_id=chosen.class_id)

    def _add_silhouette(self, rng: np.random.Generator, index: int) -> Window | None:
        if not self._in_photo[index]:
            return None
        photo, chosen = self.photos.photos[index], self._in_photo[index].draw(rng)
        window = self._window(photo, chosen.box)
        hole = holes.silhouette_hole(rng, cut_map(photo.instance_map, window, self.size) == chosen.instance)
        return cut_window(photo, window, hole, "add_silhouette", class_id=chosen.class_id)

    def _erase(self, rng: np.random.Generator, index: int) -> Window | None:
        return self._background(rng, index, as_box=True)

    def _erase_silhouette(self, rng: np.random.Generator, index: int) -> Window | None:
        return self._background(rng, index, as_box=False)

    def _background(self, rng: np.random.Generator, index: int, as_box: bool) -> Window | None:
        photo = self.photos.photos[index]
        for _ in range(_TRIES_PER_PHOTO):
            whole = background_hole(rng, self.photos, photo, self._anywhere.draw(rng), as_box=as_box)
            if whole is not None:
                window = self._window(photo, holes.box_of(whole))
                hole = cut_map(whole, window, self.size)
                return cut_window(photo, window, hole, "erase" if as_box else "erase_silhouette")
        return None

    def _window(self, photo: LabelledPhoto, box: Box) -> Box:
        if self.context is not None:
            return holes.context_window(box, photo.size, factor=self.context)
        center = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        return holes.square_window(center, self.size, photo.size)


def measuring_windows(
    folder: str | Path | SplitInMemory,
    split: str,
    task: Task,
    n: int,
    seed: int = 0,
    size: int = 128,
    *,
    context: float | None = None,
    class_weights: Mapping[str, float] | None = None,
    least_object: int = 24,
) -> list[Window]:
    """Returns `n` windows of a task, the same ones for the same arguments; the first k of n are those of n = k.

    Args:
        folder: a scene folder, or a `SplitInMemory` (then `split` is not read).
        split: use `test` for figures on camvid; its `val` is one 7-second stretch.
        task: one of `TASKS`.
        n, seed, size: how many windows, of which draw, of how many pixels a side.
        context, class_weights, least_object: see `MeasuringWindows`.
    """
    photos = folder if isinstance(folder, SplitInMemory) else SplitInMemory(folder, split)
    drawing = MeasuringWindows(
        photos, size=size, context=context, class_weights=class_weights, least_object=least_object
    )
    return drawing.draw(task, n, seed)
