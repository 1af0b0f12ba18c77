"""`manipulate`: objects and regions become another class, or go elsewhere; nobody knows the true picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Literal

import numpy as np
from scipy import ndimage

from scenebrush.data import holes
from scenebrush.data.holes import Box
from scenebrush.data.split_in_memory import LabelledPhoto, SplitInMemory
from scenebrush.data.windows import cut_map, cut_photo
from scenebrush.errors import InputError
from scenebrush.evaluation.edit_cases import EditCase, blacked
from scenebrush.evaluation.segmenters import Surroundings
from scenebrush.evaluation.tasks.task import Sample, Task
from scenebrush.scene.edit import Edit
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene

Operation = Literal["relabel", "move"]

_LEAST, _MOST = 0.01, 0.25  # share of the window that the changed part covers
_SIDES = 0.5  # of the window: longest side of what is moved
_TRIES, _TURNS = 12, 8


@dataclass(frozen=True, eq=False)
class _Part:
    """A region of one class that could be changed: its mask in the photo, its class, a pixel of it (x, y)."""

    mask: np.ndarray
    class_id: int
    at: tuple[int, int]

    @property
    def box(self) -> Box:
        return holes.box_of(self.mask)


def _cases(operations: tuple[Operation, ...], sample: Sample) -> list[EditCase]:
    photos, cases = sample.photos, list[EditCase]()
    shares = _class_shares(photos)
    for turn in count():
        rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((sample.seed, 12, turn))))
        for index in rng.permutation(len(photos)):
            operation = operations[len(cases) % len(operations)]
            case = _case(rng, photos, photos.photos[index], operation, shares, sample.size)
            cases += [case] if case is not None else []
            if len(cases) == sample.n:
                return cases
        if turn == _TURNS and not cases:
            where = photos.folder / photos.split
            raise InputError(f"no photo of {where} holds a part to {' or '.join(operations)}; give another split")
    raise AssertionError  # `count` does not end


def _class_shares(photos: SplitInMemory) -> dict[int, float]:
    """Share of the split's pixels of each class."""
    counts = sum(np.bincount(p.label_map.ravel(), minlength=65536) for p in photos.photos)
    total = sum(p.label_map.size for p in photos.photos)
    return {c.id: float(np.asarray(counts)[c.id]) / total for c in photos.label_set.classes}


def _case(
    rng: np.random.Generator,
    photos: SplitInMemory,
    photo: LabelledPhoto,
    operation: Operation,
    shares: dict[int, float],
    size: int,
) -> EditCase | None:
    parts = list(_parts(photos, photo, size, things_only=operation == "move"))
    for _ in range(_TRIES if parts else 0):
        part = parts[rng.integers(len(parts))]
        box = part.box
        window = holes.square_window(((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), size, photo.size)
        scene = _scene(photo, window, size, photos)
        at = part.at[0] - window[0], part.at[1] - window[1]
        edit = _moved(rng, scene, at, box, window) if operation == "move" else _relabelled(rng, scene, at, part, shares)
        if edit is not None and _LEAST <= edit.hole.mean() <= 2 * _MOST:
            seen = Scene(blacked(scene.photo, edit.hole), scene.layout)
            before, around = scene.layout.label_map, Surroundings(photo.photo, window)
            return EditCase(seen, edit, scene.photo, photo.stem, labels_before=before, surroundings=around)
    return None


def _scene(photo: LabelledPhoto, window: Box, size: int, photos: SplitInMemory) -> Scene:
    labels, numbers = (cut_map(m, window, size).astype(np.int32) for m in (photo.label_map, photo.instance_map))
    return Scene(cut_photo(photo.photo, window, size), Layout(labels, photos.label_set, numbers))


def _parts(photos: SplitInMemory, photo: LabelledPhoto, size: int, *, things_only: bool) -> Iterator[_Part]:
    """Yields the objects, and for relabelling the connected regions of stuff, that fit a window."""
    things, void = photos.thing_table, photos.void_table
    for class_id in np.unique(photo.label_map):
        if void[class_id] or (things_only and not things[class_id]):
            continue
        own = photo.label_map == class_id
        numbered = np.where(own, photo.instance_map, 0) if things[class_id] else ndimage.label(own)[0]
        for number in np.unique(numbered[numbered > 0]):
            mask = numbered == number
            share, sides = mask.sum() / size**2, holes.longer_side(holes.box_of(mask))
            if _LEAST <= share <= _MOST and sides <= (_SIDES if things_only else 1) * size:
                rows, columns = np.nonzero(mask)
                middle = len(rows) // 2
                yield _Part(mask, int(class_id), (int(columns[middle]), int(rows[middle])))


def _relabelled(
    rng: np.random.Generator, scene: Scene, at: tuple[int, int], part: _Part, shares: dict[int, float]
) -> Edit | None:
    """Things become other things and stuff becomes other stuff, the frequent classes more often."""
    label_set = scene.layout.label_set
    kind = label_set.by_id[part.class_id].kind
    others = [c for c in label_set.of_kind(kind) if c != part.class_id and shares.get(c, 0) > 0]
    if not others:
        return None
    weights = np.sqrt([shares[c] for c in others])
    to = others[rng.choice(len(others), p=weights / weights.sum())]
    return scene.relabel(at, label_set.by_id[to].name)


def _moved(rng: np.random.Generator, scene: Scene, at: tuple[int, int], box: Box, window: Box) -> Edit | None:
    """The object goes sideways by 0.6 to 1.5 of its width and up or down by at most a tenth of its height."""
    width, height = box[2] - box[0], box[3] - box[1]
    dx = round(float(rng.choice([-1, 1]) * rng.uniform(0.6, 1.5)) * width)
    dy = round(rng.uniform(-0.1, 0.1) * height)
    left, top = box[0] + dx - window[0], box[1] + dy - window[1]
    spare = width // 4  # so much of it may leave the window
    if not (-spare <= left <= scene.photo.shape[1] - width + spare and 0 <= top <= scene.photo.shape[0] - height):
        return None
    return scene.move(at, (dx, dy))


MANIPULATE = Task(
    "manipulate",
    "Every other case relabels a region (a thing becomes another thing, stuff other stuff), the others move an object"
    " sideways. No one knows the true picture: the labels asked for are what a segmenter should read, the untouched"
    " photos are what FID and KID compare with.",
    partial(_cases, ("relabel", "move")),
    has_truth=False,
)
RELABEL = Task(
    "relabel",
    "A region of 1 to 25 % of the window becomes another class of its kind; as `manipulate`.",
    partial(_cases, ("relabel",)),
    has_truth=False,
)
MOVE = Task(
    "move",
    "An object goes sideways by .6 to 1.5 of its width; as `manipulate`.",
    partial(_cases, ("move",)),
    has_truth=False,
)
