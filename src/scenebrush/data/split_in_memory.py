"""One split of a scene folder, decoded once and kept in memory, with a catalogue of its objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
from scipy import ndimage

from scenebrush.data.holes import Box
from scenebrush.errors import InputError, LabelError
from scenebrush.scene import objects
from scenebrush.scene.files import PHOTO_SUFFIXES, read_instance_map, read_label_map, read_photo
from scenebrush.scene.label_set import LabelSet

_LEAST_COMPONENT = 40  # pixels; smaller connected components are specks of the labelling, not objects


@dataclass(frozen=True)
class ObjectRecord:
    """One object: which photo (index), its instance number there, class id, box and area in pixels."""

    photo: int
    instance: int
    class_id: int
    box: Box
    area: int


@dataclass(frozen=True, eq=False)
class LabelledPhoto:
    """Arrays of one pair: photo uint8 (H, W, 3), label map and instance map unsigned (H, W), 0 = no instance."""

    stem: str
    photo: np.ndarray
    label_map: np.ndarray
    instance_map: np.ndarray

    @property
    def size(self) -> tuple[int, int]:
        """(W, H)."""
        return self.label_map.shape[1], self.label_map.shape[0]


class SplitInMemory:
    """All pairs of `<folder>/<split>`, in the order of their stems.

    Args:
        folder: a scene folder (`classes.json`, `<split>/images|labels|instances|instances_derived`).
        split: `train`, `val`, `test`, ...

    Where there is no instance map, thing classes are cut into connected components.
    Raises `InputError` and `LabelError` for folders and files that do not fit.
    """

    def __init__(self, folder: str | Path, split: str) -> None:
        self.folder, self.split = Path(folder), split
        self.label_set = LabelSet.load(self.folder / "classes.json")
        self.photos = tuple(_read_pair(path, self.label_set) for path in _photo_paths(self.folder / split))
        self.objects = tuple(record for i, photo in enumerate(self.photos) for record in _objects(i, photo))

    @classmethod
    def of(cls, photos: Sequence[LabelledPhoto], label_set: LabelSet) -> Self:
        """Returns a split of photos that are at hand; instance maps as in `connected_objects`."""
        split = cls.__new__(cls)
        split.folder, split.split, split.label_set, split.photos = Path(), "", label_set, tuple(photos)
        split.objects = tuple(record for i, photo in enumerate(split.photos) for record in _objects(i, photo))
        return split

    def __len__(self) -> int:
        return len(self.photos)

    @cached_property
    def thing_table(self) -> np.ndarray:
        """bool (ids,): `thing_table[label_map]` is true where a thing is."""
        return self._kind_table("thing")

    @cached_property
    def void_table(self) -> np.ndarray:
        """bool (ids,): `void_table[label_map]` is true where nothing is labelled."""
        table = self._kind_table("void")
        if self.label_set.ignore_id is not None:
            table[self.label_set.ignore_id] = True
        return table

    @property
    def has_stuff(self) -> bool:
        """Whether backgrounds are labelled; where only things are (COCO), what is unlabelled is background."""
        return bool(self.label_set.of_kind("stuff"))

    def _kind_table(self, kind: str) -> np.ndarray:
        table = np.zeros(max(*self.label_set.ids, self.label_set.ignore_id or 0, 255) + 1, bool)
        table[[c.id for c in self.label_set.classes if c.kind == kind]] = True
        return table


def _photo_paths(folder: Path) -> list[Path]:
    paths = sorted(p for p in (folder / "images").glob("*") if p.suffix.lower() in PHOTO_SUFFIXES)
    if not paths:
        raise InputError(f"{folder / 'images'} holds no photos; a scene folder has <split>/images/*.jpg or *.png")
    return paths


def _read_pair(path: Path, label_set: LabelSet) -> LabelledPhoto:
    label_path = path.parent.parent / "labels" / f"{path.stem}.png"
    if not label_path.is_file():
        raise InputError(f"{label_path} is missing; every photo needs a label map of the same stem")
    photo, label_map = read_photo(path).pixels, read_label_map(label_path, label_set)
    if photo.shape[:2] != label_map.shape:
        raise LabelError(
            f"{label_path} is {label_map.shape[1]}x{label_map.shape[0]}, its photo"
            f" {photo.shape[1]}x{photo.shape[0]}; scale the map with nearest neighbour"
        )
    instance_map = _instances(path, label_map, label_set)
    return LabelledPhoto(path.stem, photo, _small(label_map), _small(instance_map))


def _instances(path: Path, label_map: np.ndarray, label_set: LabelSet) -> np.ndarray:
    for name in ("instances", "instances_derived"):
        instance_path = path.parent.parent / name / f"{path.stem}.png"
        if instance_path.is_file():
            return read_instance_map(instance_path, label_map, label_set)
    return connected_objects(label_map, label_set)


def connected_objects(label_map: np.ndarray, label_set: LabelSet) -> np.ndarray:
    """Returns an instance map int32 (H, W): 8-connected components of every thing class, specks left out."""
    return objects.connected_objects(label_map, label_set, least=_LEAST_COMPONENT)


def _small(array: np.ndarray) -> np.ndarray:
    return array.astype(np.min_scalar_type(int(array.max(initial=0))))


def _objects(index: int, photo: LabelledPhoto) -> list[ObjectRecord]:
    numbers, dense = np.unique(photo.instance_map, return_inverse=True)
    dense = dense.reshape(photo.instance_map.shape)
    records = []
    for i, part in enumerate(ndimage.find_objects(dense + 1)):
        if part is None or numbers[i] == 0:
            continue
        mask = dense[part] == i
        class_id = int(np.bincount(photo.label_map[part][mask]).argmax())
        box = (part[1].start, part[0].start, part[1].stop, part[0].stop)
        records.append(ObjectRecord(index, int(numbers[i]), class_id, box, int(mask.sum())))
    return records
