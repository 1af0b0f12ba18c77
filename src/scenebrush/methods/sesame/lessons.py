"""What one photo can teach: windows with holes whose truth is known, some of them held out for a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np
from scipy import ndimage

from scenebrush.data.split_in_memory import LabelledPhoto, SplitInMemory
from scenebrush.data.windows import TrainingWindows, Window, cut_map
from scenebrush.errors import ModelError
from scenebrush.methods.sesame.dataset import object_map, window_arrays
from scenebrush.methods.sesame.inputs import WindowArrays
from scenebrush.scene.edit import Edit
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene

SIZE = 128  # pixels of a window's side
LEAST_SIZE = 32
THINGS = 0.4  # share of the holes that are objects', where no edit says what is to come
MOST_THINGS = 0.8  # and where edits ask for nothing else: what lies around an object is to be drawn too
ASKED_FOR = 8.0  # times as often as others, objects of classes that the edits ask for
NEAREST_OF = 2  # windows that are drawn for one lesson: the one nearest to an edit is taken
HELD_OUT = 24  # windows to test on: their mean has to be told from its noise
TRIED = 4 * HELD_OUT
MOST_HELD_OUT = 0.25  # of the photo: enough must be left to learn from
FEWEST = 8  # windows that such a share has to be enough for: one large hole is no sample
FIRST = 10_000  # index of the first window that is learned from
LEAST_HOLE = 0.005  # of a window
_TRIES = 200


class Lessons:
    """Windows of one photo, `held_out` to test on and `batch` to learn from; no pixel serves both.

    Holes hold no unlabelled pixel: nobody asks for one, and what it shows nobody knows.

    Args:
        scene: the photo and its layout.
        edits: what is to come: its classes are taught more often, and places near it.
        guided: with a canvas.
        lend: whose things take the look of others (`canvas.compose`).
        seed: decides all windows.

    Raises:
        ModelError: a photo with a side of less than 32 pixels, or next to nothing to learn from.
    """

    def __init__(
        self, scene: Scene, edits: Sequence[Edit] = (), *, guided: bool, lend: bool = False, seed: int = 0
    ) -> None:
        self.label_set = scene.layout.label_set
        self.guided, self.lend = guided, lend
        self.wish = Wish.of(edits, scene.layout)
        self._windows = _windows(scene, self.wish, seed)
        self._indices = count(FIRST)
        unlabelled = _unlabelled(scene.layout)
        held_out, covered = _held_out(self._windows, unlabelled, scene.layout.shape)
        self.held_out = [self._arrays(window) for window in held_out]
        # A pixel of a window that is scaled mixes its neighbours in the photo.
        self.kept_free = ndimage.binary_dilation(covered, np.ones((5, 5), bool)) | unlabelled

    def batch(self, size: int) -> list[WindowArrays]:
        """Returns the next windows; their holes hold nothing that is held out."""
        return [self._arrays(self._next()) for _ in range(size)]

    def _next(self) -> Window:
        found: list[Window] = []
        wanted = NEAREST_OF if self.wish.places.size else 1
        for _ in range(_TRIES):
            window = without(self._windows[next(self._indices)], self.kept_free)
            found += [window] if window is not None else []
            if len(found) == wanted:
                break
        if not found:
            raise ModelError("the photo is too small to adapt to: next to nothing is left beside the places held out")
        return min(found, key=self.wish.distance)

    def _arrays(self, window: Window) -> WindowArrays:
        return window_arrays(window, self.label_set, guided=self.guided, lend=self.lend)


@dataclass(frozen=True, eq=False)
class Wish:
    """What edits ask for.

    Args:
        classes: names of the thing classes, of those that the photo shows.
        things: share of the holes' pixels that they take; None where no edit is known.
        places: float (N, 2), the middles (x, y) of the holes' parts.
    """

    classes: tuple[str, ...]
    things: float | None
    places: np.ndarray

    @classmethod
    def of(cls, edits: Sequence[Edit], layout: Layout) -> Wish:
        """Returns what the edits of a photo ask for; objects that bring their own pixels are not to be drawn."""
        shown = set(np.unique(layout.label_map).tolist())
        asked: dict[int, int] = {}
        places: list[tuple[float, float]] = []
        for edit in edits:
            ids, pixels = np.unique(edit.layout.label_map[_drawn(edit)], return_counts=True)
            for class_id, number in zip(ids.tolist(), pixels.tolist(), strict=True):
                asked[class_id] = asked.get(class_id, 0) + number
            parts, number = ndimage.label(edit.hole)
            middles = ndimage.center_of_mass(edit.hole, parts, range(1, number + 1))
            places += [(x, y) for y, x in middles]
        things = [c for c in layout.label_set.classes if c.kind == "thing" and c.id in shown and c.id in asked]
        share = sum(asked[c.id] for c in things) / sum(asked.values()) if asked else None
        return cls(tuple(c.name for c in things), share, np.array(places).reshape(-1, 2))

    @property
    def kinds(self) -> Mapping[str, float]:
        """How often each kind of hole comes (`data.windows.HOLE_KINDS`)."""
        things = THINGS if self.things is None else min(max(self.things, 1 - MOST_THINGS), MOST_THINGS)
        objects = {"silhouette": things / 2, "box": things / 2}
        return objects | {"background_box": (1 - things) * 2 / 3, "strokes": (1 - things) / 3}

    def distance(self, window: Window) -> float:
        """Returns the pixels from the middle of a window to the nearest edit; 0 where none is known."""
        x0, y0, x1, y1 = window.box
        away = self.places - ((x0 + x1) / 2, (y0 + y1) / 2)
        return float(np.hypot(away[:, 0], away[:, 1]).min(initial=np.inf)) if len(away) else 0.0


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


def _drawn(edit: Edit) -> np.ndarray:
    hole = edit.hole.copy()
    for carry in edit.carries:
        hole &= ~carry.target
    return hole


def _unlabelled(layout: Layout) -> np.ndarray:
    """Returns bool (H, W); where only things are labelled (COCO), what is unlabelled is background, and known."""
    label_set = layout.label_set
    if not label_set.of_kind("stuff"):
        return np.zeros(layout.shape, bool)
    unlabelled = label_set.is_kind(layout.label_map, "void") | (layout.label_map == label_set.ignore_id)
    return unlabelled if (~unlabelled).mean() > LEAST_HOLE else np.zeros(layout.shape, bool)


def _windows(scene: Scene, wish: Wish, seed: int) -> TrainingWindows:
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
        kinds=wish.kinds,
        class_weights=dict.fromkeys(wish.classes, ASKED_FOR),
        color_jitter=0.0,
        seed=seed,
    )


def _held_out(
    windows: TrainingWindows, unlabelled: np.ndarray, shape: tuple[int, int]
) -> tuple[list[Window], np.ndarray]:
    """Returns windows to test on, at least one, and bool (H, W): the photo's pixels in their holes."""
    chosen: list[Window] = []
    covered = np.zeros(shape, bool)
    found = [window for i in range(TRIED) if (window := without(windows[i], unlabelled)) is not None]
    for window in sorted(found, key=lambda window: FEWEST * in_photo(window, shape).mean() > MOST_HELD_OUT):
        place = in_photo(window, shape)
        if not chosen or max((covered | place).mean(), FEWEST * place.mean()) <= MOST_HELD_OUT:
            chosen.append(window)
            covered |= place
        if len(chosen) == HELD_OUT:
            break
    if not chosen:
        raise ModelError("the photo is too small to adapt to: no place in it can be held out")
    return chosen, covered
