"""Crops with an object and crops without, from boxes alone: what SEIGAN learns from.

The training stream is made from `BoxedPhoto`s, which hold no mask, so it cannot show one: `boxed_photos` takes the
boxes out of a split, and nothing else of its label and instance maps goes further. `BoxCrops(...)[i]` depends on
(seed, i) alone. `MeasuringCrops` gives true masks too, to measure with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from scenebrush.data.holes import Box, longer_side, square_window
from scenebrush.data.split_in_memory import LabelledPhoto, ObjectRecord, SplitInMemory
from scenebrush.data.windows import cut_map, cut_photo, jitter_colors
from scenebrush.errors import InputError, LabelError, nearest_name
from scenebrush.scene.label_set import LabelSet

_TRIES = 120  # windows looked at for a background before it may be smaller
_LEAST_CONTEXT = 1.15  # a crop is at least so much larger than its object, or the object is left out
_JITTER = 0.15  # of the context factor and, as a share of the room around the box, of its place
_HEIGHT_JITTER = 0.1  # of the photo's height: how far a background may lie above or below its object's crop


@dataclass(frozen=True)
class BoxedObject:
    """A box (x0, y0, x1, y1) in a photo, ends exclusive, and the class of what it holds."""

    box: Box
    class_id: int


@dataclass(frozen=True, eq=False)
class BoxedPhoto:
    """A photo, uint8 (H, W, 3), and the boxes of the chosen classes in it. It holds no mask."""

    stem: str
    photo: np.ndarray
    boxes: tuple[BoxedObject, ...]

    @property
    def size(self) -> tuple[int, int]:
        """(W, H)."""
        return self.photo.shape[1], self.photo.shape[0]


@dataclass(frozen=True, eq=False)
class BoxCrop:
    """A square crop around an object.

    Args:
        photo: uint8 (S, S, 3) RGB.
        box: bool (S, S), true inside the object's box.
        window: the crop (x0, y0, x1, y1) in its photo.
        class_id: of the object.
        stem: the photo's file stem.
    """

    photo: np.ndarray
    box: np.ndarray
    window: Box
    class_id: int
    stem: str


@dataclass(frozen=True, eq=False)
class BoxPair:
    """What one step learns from.

    Args:
        object: a crop with an object.
        background: uint8 (S, S, 3), a crop of the same size that holds none of the chosen classes' boxes.
        shape: bool (S, S), a made-up roundish shape inside the object's box; it knows of the box alone.
        background_stem: file stem of the background's photo.
    """

    object: BoxCrop
    background: np.ndarray
    shape: np.ndarray
    background_stem: str


def boxed_photos(photos: SplitInMemory, classes: Sequence[str] = ()) -> tuple[BoxedPhoto, ...]:
    """Returns the photos of a split with the boxes of the objects of these classes; none named = all things.

    Boxes come from the instance map (connected components of things where there is none). What is labelled as one of
    the classes but is no instance (crowds) has a box for each component too, so that no background shows it.

    Raises:
        LabelError: a class that the label set does not have.
    """
    ids = class_ids(photos.label_set, classes)
    found: list[list[BoxedObject]] = [[] for _ in photos.photos]
    for record in photos.objects:
        if record.class_id in ids:
            found[record.photo].append(BoxedObject(record.box, record.class_id))
    for boxes, photo in zip(found, photos.photos, strict=True):
        boxes += _loose_boxes(photo, ids)
    return tuple(BoxedPhoto(p.stem, p.photo, tuple(boxes)) for p, boxes in zip(photos.photos, found, strict=True))


def class_ids(label_set: LabelSet, classes: Sequence[str] = ()) -> tuple[int, ...]:
    """Returns the ids of classes by name; none named = all things. `LabelError` for one that is not there."""
    by_name = {c.name: c.id for c in label_set.classes}
    for name in classes:
        if name not in by_name:
            hint = nearest_name(name, by_name)
            raise LabelError(f"label set {label_set.name!r} has no class {name!r}{hint}; it has {', '.join(by_name)}")
    return tuple(by_name[name] for name in classes) or tuple(label_set.of_kind("thing"))


class BoxCrops:
    """An endless, indexable stream of pairs; index i shows object i modulo the number of objects.

    Args:
        photos: photos with boxes (`boxed_photos`).
        size: side S of a crop in pixels.
        context: side of a crop, as a multiple of the longer side of its box; jittered by 15 percent.
        least_side: objects whose box has a shorter side than this (pixels of the photo) are not learned from.
        flip: mirror half of the crops, object and background each for itself.
        color_jitter: brightness, contrast and colour of both change by up to this share; 0 = not at all.
        seed: with the index it decides everything.

    Raises:
        InputError: no object that fits a crop.
    """

    def __init__(
        self,
        photos: Sequence[BoxedPhoto],
        *,
        size: int = 96,
        context: float = 1.6,
        least_side: int = 24,
        flip: bool = True,
        color_jitter: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.photos = tuple(photos)
        self.size, self.context, self.least_side = size, context, least_side
        self.flip, self.color_jitter, self.seed = flip, color_jitter, seed
        boxes = [(photo, boxed) for photo in self.photos for boxed in photo.boxes]
        self.objects = [(p, b) for p, b in boxes if fits(b.box, p.size, least_side)]
        if not self.objects:
            raise InputError(
                f"none of {len(boxes)} objects has sides of {least_side} pixels or more and fits a square crop of its"
                " photo; lower config.least_side, or choose other config.classes"
            )

    def __len__(self) -> int:
        """How many objects there are."""
        return len(self.objects)

    def __getitem__(self, index: int) -> BoxPair:
        """Returns pair `index` (any integer >= 0); `InputError` where no photo has room for a background."""
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((self.seed, index, 71))))
        photo, boxed = self.objects[index % len(self.objects)]
        window = self._object_window(rng, photo, boxed.box)
        crop = cut_crop(photo, boxed, window, self.size, flip=self._flipped(rng))
        place, other = self._background(rng, photo.size, window)
        background = cut_photo(other.photo, place, self.size)[:, :: -1 if self._flipped(rng) else 1]
        if self.color_jitter:
            crop.photo[:] = jitter_colors(rng, crop.photo, self.color_jitter)
            background = jitter_colors(rng, background, self.color_jitter)
        return BoxPair(crop, np.ascontiguousarray(background), made_up_shape(rng, crop.box), other.stem)

    def _flipped(self, rng: np.random.Generator) -> bool:
        return bool(rng.integers(2)) and self.flip

    def _object_window(self, rng: np.random.Generator, photo: BoxedPhoto, box: Box) -> Box:
        factor = self.context * math.exp(rng.uniform(-_JITTER, _JITTER))
        room = (factor - 1) * longer_side(box) / 2
        shift = rng.uniform(-1, 1, 2) * 2 * _JITTER * room
        return object_window(box, photo.size, factor, (float(shift[0]), float(shift[1])))

    def _background(self, rng: np.random.Generator, like: tuple[int, int], window: Box) -> tuple[Box, BoxedPhoto]:
        """Returns a window without objects and its photo: at about the size and height of an object's window."""
        share = (window[2] - window[0]) / min(like)
        height = (window[1] + window[3]) / 2 / like[1]
        for shrink in (1.0, 0.7, 0.5, 0.35, 0.25):
            for attempt in range(_TRIES):
                photo = self.photos[int(rng.integers(len(self.photos)))]
                side = max(8, round(share * shrink * min(photo.size)))
                # Later tries take any height: a photo may have room at its top only.
                offset = rng.uniform(-_HEIGHT_JITTER, _HEIGHT_JITTER) if attempt < _TRIES // 2 else rng.uniform(-1, 1)
                center = rng.random() * photo.size[0], (height + offset) * photo.size[1]
                place = square_window(center, side, photo.size)
                if not any(_overlap(place, boxed.box) for boxed in photo.boxes):
                    return place, photo
        raise InputError(
            "hardly any photo has room without an object of the chosen classes; choose fewer classes in config.classes"
        )


@dataclass(frozen=True, eq=False)
class MeasuredCrop:
    """A crop and the true mask of its object, bool (S, S). For measuring, never for training."""

    crop: BoxCrop
    mask: np.ndarray


class MeasuringCrops:
    """The crops of all objects of a split, with their true masks: unmoved, unmirrored, in a fixed order.

    Args:
        photos: a split with instance maps.
        classes, size, context, least_side: as for `BoxCrops`.
    """

    def __init__(
        self,
        photos: SplitInMemory,
        classes: Sequence[str] = (),
        *,
        size: int = 96,
        context: float = 1.6,
        least_side: int = 24,
    ) -> None:
        ids = class_ids(photos.label_set, classes)
        self.photos, self.size, self.context = photos, size, context
        self.records: list[ObjectRecord] = [
            o for o in photos.objects if o.class_id in ids and fits(o.box, photos.photos[o.photo].size, least_side)
        ]

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> MeasuredCrop:
        record = self.records[index]
        photo = self.photos.photos[record.photo]
        window = object_window(record.box, photo.size, self.context)
        boxed = BoxedPhoto(photo.stem, photo.photo, ())
        crop = cut_crop(boxed, BoxedObject(record.box, record.class_id), window, self.size)
        return MeasuredCrop(crop, cut_map(photo.instance_map, window, self.size) == record.instance)


def fits(box: Box, photo: tuple[int, int], least_side: int) -> bool:
    """Returns whether a box has sides of at least `least_side`, and a square with some context around it lies inside.

    `photo` is (W, H).
    """
    shorter = min(box[2] - box[0], box[3] - box[1])
    return shorter >= least_side and longer_side(box) * _LEAST_CONTEXT <= min(photo)


def object_window(box: Box, photo: tuple[int, int], context: float, shift: tuple[float, float] = (0.0, 0.0)) -> Box:
    """Returns the square window of `context` times a box's longer side around it, moved into a photo of (W, H)."""
    center = (box[0] + box[2]) / 2 + shift[0], (box[1] + box[3]) / 2 + shift[1]
    return square_window(center, round(context * longer_side(box)), photo)


def cut_crop(photo: BoxedPhoto, boxed: BoxedObject, window: Box, size: int, *, flip: bool = False) -> BoxCrop:
    """Returns a window of a photo as a crop of `size` pixels, with the box as a plane, mirrored if `flip`."""
    step = -1 if flip else 1
    pixels = np.ascontiguousarray(cut_photo(photo.photo, window, size)[:, ::step])
    plane = np.ascontiguousarray(box_plane(boxed.box, window, size)[:, ::step])
    return BoxCrop(pixels, plane, window, boxed.class_id, photo.stem)


def box_plane(box: Box, window: Box, size: int) -> np.ndarray:
    """Returns bool (size, size): the pixels of a resized window whose middle lies inside a box; at least one does."""
    plane = np.zeros((size, size), bool)
    sides = []
    for axis in (1, 0):
        scale = size / (window[axis + 2] - window[axis])
        first, last = ((box[axis + end] - window[axis]) * scale for end in (0, 2))
        begin = min(max(math.ceil(first - 0.5), 0), size - 1)
        sides.append(slice(begin, max(min(math.ceil(last - 0.5), size), begin + 1)))
    plane[sides[0], sides[1]] = True
    return plane


def made_up_shape(rng: np.random.Generator, box: np.ndarray) -> np.ndarray:
    """Returns a roundish shape inside a box, both bool (H, W): an ellipse with a wavy rim, never empty."""
    rows, columns = np.flatnonzero(box.any(axis=1)), np.flatnonzero(box.any(axis=0))
    tall, wide = len(rows), len(columns)
    v = (np.arange(tall)[:, None] + 0.5) / tall * 2 - 1
    u = (np.arange(wide)[None] + 0.5) / wide * 2 - 1
    angle = np.arctan2(v, u)
    reach = np.full(angle.shape, rng.uniform(0.75, 1.05))
    for wave in range(1, 6):
        reach += rng.uniform(0, 0.3 / wave) * np.cos(wave * angle + rng.uniform(0, 2 * math.pi))
    shape = np.zeros(box.shape, bool)
    shape[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = np.hypot(u, v) <= np.maximum(reach, 0.3)
    return shape


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _loose_boxes(photo: LabelledPhoto, ids: Sequence[int]) -> list[BoxedObject]:
    """Boxes of what is of these classes but no instance."""
    boxes = []
    for class_id in ids:
        loose = (photo.label_map == class_id) & (photo.instance_map == 0)
        if loose.any():
            parts = ndimage.find_objects(ndimage.label(loose, np.ones((3, 3)))[0])
            boxes += [BoxedObject((x.start, y.start, x.stop, y.stop), class_id) for y, x in parts]
    return boxes
