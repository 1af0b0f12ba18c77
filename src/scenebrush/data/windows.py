"""Training windows: square cut-outs of labelled photos with a hole whose truth is known.

`TrainingWindows(...)[i]` depends on (seed, i) alone, so a run that is resumed sees what it would have seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from scenebrush.data import holes
from scenebrush.data.choosing import ObjectChooser, class_weights_by_id
from scenebrush.data.holes import Box
from scenebrush.data.split_in_memory import LabelledPhoto, ObjectRecord, SplitInMemory
from scenebrush.errors import InputError, nearest_name
from scenebrush.scene.label_set import LabelSet

HOLE_KINDS: Mapping[str, float] = {
    "silhouette": 0.30,
    "foreign_silhouette": 0.25,
    "box": 0.20,
    "strokes": 0.12,
    "background_box": 0.08,
    "class_region": 0.05,
}
"""The hole kinds and their default shares of the windows."""

_TRIES = 24
_MOST_VOID = 0.05  # of a hole whose truth is to be background: void often hides unlabelled things


@dataclass(frozen=True, eq=False)
class Window:
    """A square window with a hole.

    Args:
        photo: uint8 (S, S, 3) RGB, the truth, hole included.
        label_map: int32 (S, S).
        instance_map: int32 (S, S), 0 = no instance.
        hole: bool (S, S), true = to be made anew.
        kind: the hole's kind (a key of `HOLE_KINDS`), or the measuring task.
        stem: the photo's file stem.
        box: the window (x0, y0, x1, y1) in its photo.
        flipped: whether it was mirrored left to right after cutting.
        class_id: class of the object whose box or silhouette is the hole; None for other holes.
    """

    photo: np.ndarray
    label_map: np.ndarray
    instance_map: np.ndarray
    hole: np.ndarray
    kind: str
    stem: str
    box: Box
    flipped: bool = False
    class_id: int | None = None


def cut_map(array: np.ndarray, window: Box, size: int | tuple[int, int]) -> np.ndarray:
    """Returns the window of a map, (size, size) or of size (width, height), by nearest neighbour (pixel centres)."""
    (x0, y0, x1, y1), (width, height) = window, _pair(size)
    rows = y0 + ((np.arange(height) + 0.5) * (y1 - y0) / height).astype(int)
    columns = x0 + ((np.arange(width) + 0.5) * (x1 - x0) / width).astype(int)
    part: np.ndarray = array[rows[:, None], columns]
    return part


def cut_photo(photo: np.ndarray, window: Box, size: int | tuple[int, int]) -> np.ndarray:
    """Returns the window of a photo, uint8 of side `size` or of size (width, height), bicubic with antialiasing."""
    x0, y0, x1, y1 = window
    part, (width, height) = photo[y0:y1, x0:x1], _pair(size)
    if part.shape[:2] == (height, width):
        return part.copy()
    return np.array(Image.fromarray(part).resize((width, height), Image.Resampling.BICUBIC))


def _pair(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


def cut_window(
    photo: LabelledPhoto, window: Box, hole: np.ndarray, kind: str, *, class_id: int | None = None, flip: bool = False
) -> Window:
    """Returns the `Window` of a labelled photo for a hole of bool (size, size), mirrored if `flip`."""
    size = hole.shape[0]
    step = -1 if flip else 1
    return Window(
        photo=np.ascontiguousarray(cut_photo(photo.photo, window, size)[:, ::step]),
        label_map=np.ascontiguousarray(cut_map(photo.label_map, window, size)[:, ::step], np.int32),
        instance_map=np.ascontiguousarray(cut_map(photo.instance_map, window, size)[:, ::step], np.int32),
        hole=np.ascontiguousarray(hole[:, ::step]),
        kind=kind,
        stem=photo.stem,
        box=window,
        flipped=flip,
        class_id=class_id,
    )


def jitter_colors(rng: np.random.Generator, photo: np.ndarray, amount: float) -> np.ndarray:
    """Returns the photo with contrast, brightness and the gain of each channel changed by up to +-`amount`."""
    contrast = 1 + rng.uniform(-amount, amount)
    brightness = 128 * rng.uniform(-amount, amount)
    gains = 1 + rng.uniform(-amount, amount, 3) / 2
    levels = (np.arange(256)[:, None] - 128) * contrast + 128 + brightness
    table = np.clip(levels * gains + 0.5, 0, 255).astype(np.uint8)  # (256, 3)
    return np.stack([table[:, c][photo[..., c]] for c in range(3)], axis=-1)


@dataclass(frozen=True, eq=False)
class _Draft:
    photo: LabelledPhoto
    window: Box
    hole: np.ndarray
    class_id: int | None = None


def background_hole(
    rng: np.random.Generator, split: SplitInMemory, photo: LabelledPhoto, like: ObjectRecord, *, as_box: bool = False
) -> np.ndarray | None:
    """Returns a hole shaped like another photo's object, in this photo and without any thing pixel, bool (H, W).

    It lies at about the height where the object stood, anywhere sideways. None if no try fits.
    With `as_box` it is the object's box instead of its silhouette.
    """
    x0, y0, x1, y1 = like.box
    shape = np.ones((y1 - y0, x1 - x0), bool)
    if not as_box:
        margin = holes.longer_side(like.box) // 3 + 2
        own = split.photos[like.photo].instance_map[y0:y1, x0:x1] == like.instance
        loose = holes.silhouette_hole(rng, np.pad(own, margin))
        left, top, right, bottom = holes.box_of(loose)
        shape, (x0, y0) = loose[top:bottom, left:right], (x0 + left - margin, y0 + top - margin)
    free = ~split.thing_table[photo.label_map]
    hole = holes.foreign_silhouette_hole(rng, shape, free, near=(x0, y0))
    if hole is None or (split.has_stuff and split.void_table[photo.label_map[hole]].mean() > _MOST_VOID):
        return None
    return hole


class TrainingWindows:
    """An endless, indexable stream of training windows.

    Args:
        folder: a scene folder, or a `SplitInMemory` that was read before.
        split: which split of the folder.
        size: side S of a window in pixels.
        scales: range of (window's side in the photo / S); larger where an object would not fit, and never
            larger than the photo.
        kinds: share of each hole kind (keys of `HOLE_KINDS`; a kind left out never comes).
        class_weights: how often objects of a class are chosen, by class name; default `CLASS_WEIGHTS`.
        least_object: objects whose longer side is smaller (pixels of the photo) are not chosen.
        hole_share: least and largest share of the window that the hole takes.
        flip: mirror half of the windows.
        color_jitter: brightness, contrast and colour change by up to this share; 0 = not at all.
        seed: with the index it decides everything.
    """

    def __init__(
        self,
        folder: str | Path | SplitInMemory,
        split: str = "train",
        *,
        size: int = 128,
        scales: tuple[float, float] = (0.75, 2.0),
        kinds: Mapping[str, float] = HOLE_KINDS,
        class_weights: Mapping[str, float] | None = None,
        least_object: int = 16,
        hole_share: tuple[float, float] = (0.01, 0.5),
        flip: bool = True,
        color_jitter: float = 0.08,
        seed: int = 0,
    ) -> None:
        self.photos = folder if isinstance(folder, SplitInMemory) else SplitInMemory(folder, split)
        self.size, self.scales, self.hole_share = size, scales, hole_share
        self.flip, self.color_jitter, self.seed = flip, color_jitter, seed
        large = tuple(o for o in self.photos.objects if holes.longer_side(o.box) >= least_object)
        self.chooser = ObjectChooser(large, class_weights_by_id(self.photos, class_weights))
        self._makers: dict[str, Callable[[np.random.Generator], _Draft | None]] = {
            "silhouette": self._silhouette,
            "foreign_silhouette": self._foreign_silhouette,
            "box": self._box,
            "strokes": self._strokes,
            "background_box": self._background_box,
            "class_region": self._class_region,
        }
        self._kinds, self._shares = self._mixture(kinds)

    @property
    def label_set(self) -> LabelSet:
        """The label set of the folder."""
        return self.photos.label_set

    def __getitem__(self, index: int) -> Window:
        """Returns window `index` (any integer >= 0): always the same for the same seed, in whatever order."""
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((self.seed, index))))
        kind = str(rng.choice(self._kinds, p=self._shares))
        kind, draft = self._draft(rng, kind)
        window = cut_window(
            draft.photo,
            draft.window,
            draft.hole,
            kind,
            class_id=draft.class_id,
            flip=self.flip and bool(rng.integers(2)),
        )
        if self.color_jitter:
            window.photo[:] = jitter_colors(rng, window.photo, self.color_jitter)
        return window

    def _mixture(self, kinds: Mapping[str, float]) -> tuple[list[str], np.ndarray]:
        for kind in kinds:
            if kind not in self._makers:
                hint = nearest_name(kind, self._makers)
                raise InputError(f"unknown hole kind {kind!r}{hint}; there are {', '.join(self._makers)}")
        needs_objects = {"silhouette", "foreign_silhouette", "box"}
        usable = {k: w for k, w in kinds.items() if w > 0 and (self.chooser or k not in needs_objects)}
        if not usable:
            raise InputError(f"hole kinds {dict(kinds)} leave none to draw; give 'strokes' or another a share above 0")
        shares = np.array(list(usable.values()), float)
        return list(usable), shares / shares.sum()

    def _draft(self, rng: np.random.Generator, kind: str) -> tuple[str, _Draft]:
        for _ in range(_TRIES):
            draft = self._makers[kind](rng)
            if draft is not None and self.hole_share[0] <= draft.hole.mean() <= self.hole_share[1]:
                return kind, draft
        for _ in range(_TRIES):  # strokes fit every photo; a few of them lie within any sensible hole share soon
            strokes = self._strokes(rng, most=int(rng.integers(1, 9)))
            if self.hole_share[0] <= strokes.hole.mean() <= self.hole_share[1]:
                break
        return "strokes", strokes

    # One maker per hole kind.

    def _silhouette(self, rng: np.random.Generator) -> _Draft | None:
        chosen = self.chooser.draw(rng)
        photo = self.photos.photos[chosen.photo]
        for _ in range(4):
            window = self._window_around(rng, photo, chosen.box)
            silhouette = cut_map(photo.instance_map, window, self.size) == chosen.instance
            hole = holes.silhouette_hole(rng, silhouette)
            if self.hole_share[0] <= hole.mean() <= self.hole_share[1]:
                return _Draft(photo, window, hole, chosen.class_id)
        return None

    def _box(self, rng: np.random.Generator) -> _Draft | None:
        chosen = self.chooser.draw(rng)
        photo = self.photos.photos[chosen.photo]
        window = self._window_around(rng, photo, chosen.box)
        return _Draft(photo, window, holes.box_hole(chosen.box, window, self.size), chosen.class_id)

    def _foreign_silhouette(self, rng: np.random.Generator) -> _Draft | None:
        like, photo = self.chooser.draw(rng), self._any_photo(rng)
        hole = background_hole(rng, self.photos, photo, like)
        if hole is None:
            return None
        window = self._window_around(rng, photo, holes.box_of(hole))
        return _Draft(photo, window, cut_map(hole, window, self.size))

    def _background_box(self, rng: np.random.Generator) -> _Draft:
        photo = self._any_photo(rng)
        box = holes.background_box(rng, photo.size, (self.size // 8, self.size))
        window = self._window_around(rng, photo, box)
        return _Draft(photo, window, holes.box_hole(box, window, self.size))

    def _strokes(self, rng: np.random.Generator, most: int = 16) -> _Draft:
        photo = self._any_photo(rng)
        window = self._window_around(rng, photo, holes.background_box(rng, photo.size, (1, 1)))
        hole = holes.stroke_hole(rng, (self.size, self.size), strokes=(min(12, most), most))
        return _Draft(photo, window, hole)

    def _class_region(self, rng: np.random.Generator) -> _Draft | None:
        photo = self._any_photo(rng)
        window = self._window_around(rng, photo, holes.background_box(rng, photo.size, (1, 1)))
        void = tuple(np.flatnonzero(self.photos.void_table).tolist())
        label_map = cut_map(photo.label_map, window, self.size)
        hole = holes.class_region_hole(rng, label_map, share=self.hole_share, leave_out=void)
        return None if hole is None else _Draft(photo, window, hole)

    def _any_photo(self, rng: np.random.Generator) -> LabelledPhoto:
        return self.photos.photos[int(rng.integers(len(self.photos)))]

    def _window_around(self, rng: np.random.Generator, photo: LabelledPhoto, box: Box) -> Box:
        """Returns a square window that holds the box where the photo allows it, the box anywhere inside."""
        longer = holes.longer_side(box)
        scale = math.exp(rng.uniform(math.log(self.scales[0]), math.log(self.scales[1])))
        largest = longer / math.sqrt(self.hole_share[0]) if longer > 1 else math.inf  # else the hole is too small
        side = min(round(max(min(scale * self.size, largest), 1.3 * longer, 16)), *photo.size)
        dx, dy = rng.uniform(-0.45, 0.45, 2) * max(0, side - longer)
        center = (box[0] + box[2]) / 2 + dx, (box[1] + box[3]) / 2 + dy
        return holes.square_window(center, side, photo.size)
