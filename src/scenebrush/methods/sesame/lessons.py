"""What one photo can teach: windows with holes whose truth is known, some of them held out for a test."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import numpy as np
from scipy import ndimage

from scenebrush.data.split_in_memory import LabelledPhoto, SplitInMemory
from scenebrush.data.windows import TrainingWindows, Window, cut_map
from scenebrush.errors import ModelError
from scenebrush.methods.sesame.dataset import object_map, window_arrays
from scenebrush.methods.sesame.inputs import WindowArrays
from scenebrush.scene.scene import Scene

SIZE = 128  # pixels of a window's side
LEAST_SIZE = 32
KINDS = {"strokes": 0.2, "background_box": 0.4, "silhouette": 0.2, "box": 0.2}
HELD_OUT = 16  # windows that are tried
MOST_HELD_OUT = 0.25  # of the photo: enough must be left to learn from
FIRST = 10_000  # index of the first window that is learned from
LEAST_HOLE = 0.005  # of a window
_TRIES = 200


class Lessons:
    """Windows of one photo, `held_out` to test on and `batch` to learn from; no pixel serves both.

    Args:
        scene: the photo and its layout.
        guided: with a canvas.
        seed: decides all windows.

    Raises:
        ModelError: a photo with a side of less than 32 pixels.
    """

    def __init__(self, scene: Scene, *, guided: bool, seed: int = 0) -> None:
        self.label_set = scene.layout.label_set
        self.guided = guided
        self._windows = _windows(scene, seed)
        self._indices = count(FIRST)
        held_out, covered = _held_out(self._windows, scene.layout.shape)
        self.held_out = [self._arrays(window) for window in held_out]
        # A pixel of a window that is scaled mixes its neighbours in the photo.
        self.kept_free = ndimage.binary_dilation(covered, np.ones((5, 5), bool))

    def batch(self, size: int) -> list[WindowArrays]:
        """Returns the next windows; their holes hold nothing that is held out."""
        return [self._arrays(self._next()) for _ in range(size)]

    def _next(self) -> Window:
        for _ in range(_TRIES):
            window = without(self._windows[next(self._indices)], self.kept_free)
            if window is not None:
                return window
        raise ModelError("the photo is too small to adapt to: next to nothing is left beside the places held out")

    def _arrays(self, window: Window) -> WindowArrays:
        return window_arrays(window, self.label_set, guided=self.guided)


def without(window: Window, kept_free: np.ndarray) -> Window | None:
    """Returns the window with pixels of its photo, bool (H, W), taken out of its hole; None where little is left."""
    free = ~cut_map(kept_free, window.box, window.hole.shape[0])
    hole = window.hole & (free[:, ::-1] if window.flipped else free)
    return replace(window, hole=hole) if hole.mean() > LEAST_HOLE else None


def in_photo(window: Window, shape: tuple[int, int]) -> np.ndarray:
    """Returns the window's hole at its place in the photo, bool (H, W)."""
    x0, y0, x1, y1 = window.box
    hole = window.hole[:, ::-1] if window.flipped else window.hole
    rows = (np.arange(y1 - y0) * hole.shape[0] // (y1 - y0))[:, None]
    columns = np.arange(x1 - x0) * hole.shape[1] // (x1 - x0)
    placed = np.zeros(shape, bool)
    placed[y0:y1, x0:x1] = hole[rows, columns]
    return placed


def _windows(scene: Scene, seed: int) -> TrainingWindows:
    layout = scene.layout
    size = min(SIZE, min(layout.shape) // 16 * 16)
    if size < LEAST_SIZE:
        height, width = layout.shape
        raise ModelError(f"a photo of {width}x{height} is too small to adapt to; it needs {LEAST_SIZE} pixels a side")
    photo = LabelledPhoto("photo", scene.photo, layout.label_map, object_map(layout))
    return TrainingWindows(
        SplitInMemory.of([photo], layout.label_set),
        size=size,
        scales=(0.8, 1.3),
        kinds=KINDS,
        class_weights={},
        color_jitter=0.0,
        seed=seed,
    )


def _held_out(windows: TrainingWindows, shape: tuple[int, int]) -> tuple[list[Window], np.ndarray]:
    """Returns windows to test on, at least one, and bool (H, W): the photo's pixels in their holes."""
    chosen: list[Window] = []
    covered = np.zeros(shape, bool)
    for window in (windows[index] for index in range(HELD_OUT)):
        more = covered | in_photo(window, shape)
        if not chosen or more.mean() <= MOST_HELD_OUT:
            chosen.append(window)
            covered = more
    return chosen, covered
