"""COCO-Stuff: `train2017`, `val2017` and the pixel maps in `stuffthingmaps`, 0 to 181, 255 = unlabelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from scenebrush.data.convert.coco_instances import find_objects, object_map
from scenebrush.data.convert.listing import first_of, pair, pictures
from scenebrush.data.convert.pixels import check_size, read_ids, recode
from scenebrush.data.convert.protocol import Listing, PhotoFiles, Settings, SourceScene
from scenebrush.scene.files.maps import UNLABELLED
from scenebrush.scene.label_set import LabelSet

SPLITS = {"train2017": "train", "val2017": "val"}
_PHOTOS = (".", "images")
_MAPS = ("stuffthingmaps", "stuffthingmaps_trainval2017", "annotations", "labels")


@dataclass(frozen=True)
class CocoStuff(PhotoFiles):
    """182 classes; the pixel maps hold COCO's ids less one.

    They know no instances; those come from `annotations/instances_train2017.json`, ... where it is there.
    """

    format: ClassVar[str] = "cocostuff"
    expects: ClassVar[str] = "train2017, val2017 (or images/train2017) and stuffthingmaps/train2017, ..."
    root: Path

    @classmethod
    def recognise(cls, root: Path) -> Self | None:
        """Returns the data set if one of its splits has a folder of photos and one of maps."""
        found = any(cls._folder(root, _PHOTOS, name) and cls._folder(root, _MAPS, name) for name in SPLITS)
        return cls(root) if found else None

    @property
    def label_set(self) -> LabelSet:
        """`cocostuff`: ids 0 to 181, 182 = unlabelled."""
        return LabelSet.load("cocostuff")

    def listing(self) -> Listing:
        """Returns the scenes of train2017 and val2017."""
        listing = Listing()
        for name, split in SPLITS.items():
            photos = self._folder(self.root, _PHOTOS, name) or self.root / name
            maps = self._folder(self.root, _MAPS, name) or self.root / _MAPS[0] / name
            found = pair(split, pictures(photos), pictures(maps), labels=str(maps.relative_to(self.root)))
            objects = self.root / "annotations" / f"instances_{name}.json"
            if found.scenes and objects.is_file():
                found.scenes = _with_objects(found.scenes, objects)
            listing += found
        return listing

    def maps(
        self, scene: SourceScene, size: tuple[int, int], settings: Settings
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Returns the labels as they are, with 255 as 182, and the objects where their list is there."""
        path, label_set = scene.maps[0], self.label_set
        assert label_set.ignore_id is not None
        table = {id_: id_ for id_ in label_set.ids if id_ != label_set.ignore_id} | {UNLABELLED: label_set.ignore_id}
        label_map = recode(path, read_ids(path, settings), table, label_set, settings)
        check_size(path, label_map.shape, size)
        if len(scene.maps) == 1:
            return label_map, None
        return label_map, object_map(scene.maps[1], scene.places, label_map)

    @staticmethod
    def _folder(root: Path, parents: tuple[str, ...], name: str) -> Path | None:
        return first_of(root, [f"{parent}/{name}" for parent in parents])


def _with_objects(scenes: Sequence[SourceScene], path: Path) -> list[SourceScene]:
    """The scenes with the places of their objects; COCO's files are named by the picture's number."""
    places = find_objects(path)
    numbers = [int(scene.stem) if scene.stem.isdigit() else -1 for scene in scenes]
    return [
        replace(scene, maps=(*scene.maps, path), places=places.get(number, ()))
        for scene, number in zip(scenes, numbers, strict=True)
    ]
