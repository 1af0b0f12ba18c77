"""ADE20K, scene parsing: `images/<split>/*.jpg` and `annotations/<split>/*.png`, 0 = other, 1 to 150."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from scenebrush.data.check_files import Finding
from scenebrush.data.convert.listing import Stems, pair, pictures
from scenebrush.data.convert.pixels import check_size, read_ids, read_values, recode, settle_instances
from scenebrush.data.convert.protocol import BadSource, Listing, PhotoFiles, Settings, SourceScene
from scenebrush.scene.label_set import LabelSet

SPLITS = {"training": "train", "validation": "val"}
_PREFIXES = {"ADE_train_": "train", "ADE_val_": "val"}


@dataclass(frozen=True)
class Ade20k(PhotoFiles):
    """150 classes and 0 for all others; instances where `annotations_instance` (places challenge) lies beside."""

    format: ClassVar[str] = "ade20k"
    expects: ClassVar[str] = "images/training|validation and annotations/training|validation"
    root: Path

    @classmethod
    def recognise(cls, root: Path) -> Self | None:
        """Returns the data set if `images` and `annotations` are there with its splits, or with its file names."""
        images, annotations = root / "images", root / "annotations"
        if not (images.is_dir() and annotations.is_dir()):
            return None
        split = any((images / name).is_dir() and (annotations / name).is_dir() for name in SPLITS)
        flat = any(path.name.startswith(tuple(_PREFIXES)) for path in annotations.glob("ADE_*.png"))
        return cls(root) if split or flat else None

    @property
    def label_set(self) -> LabelSet:
        """`ade20k`: ids 0 to 150."""
        return LabelSet.load("ade20k")

    def listing(self) -> Listing:
        """Returns the scenes of training and validation, or of a flat folder by their names' beginnings."""
        listing = Listing()
        for name, split in SPLITS.items():
            listing += self._pair(split, name, *(pictures(self.root / kind / name) for kind in _KINDS))
        for prefix, split in _PREFIXES.items():
            flat = [{k: v for k, v in pictures(self.root / kind).items() if k.startswith(prefix)} for kind in _KINDS]
            listing += self._pair(split, "", *flat)
        return listing

    def maps(
        self, scene: SourceScene, size: tuple[int, int], settings: Settings
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Returns the labels as they are, and instances from the green channel of `annotations_instance`."""
        path, label_set = scene.maps[0], self.label_set
        table = {id_: id_ for id_ in label_set.ids}
        label_map = recode(path, read_ids(path, settings), table, label_set, settings)
        check_size(path, label_map.shape, size)
        if len(scene.maps) == 1:
            return label_map, None
        return label_map, _instances(scene.maps[1], label_map, label_set, settings)

    def _pair(self, split: str, folder: str, photos: Stems, maps: Stems, instances: Stems) -> Listing:
        labels = f"annotations/{folder}".rstrip("/")
        return pair(split, photos, maps, labels=labels, beside={name: files[0] for name, files in instances.items()})


_KINDS = ("images", "annotations", "annotations_instance")


def _instances(path: Path, label_map: np.ndarray, label_set: LabelSet, settings: Settings) -> np.ndarray:
    colors = read_values(path, settings)  # red: one of the challenge's 100 classes, green: the object's number
    check_size(path, colors.shape[:2], (label_map.shape[0], label_map.shape[1]))
    if colors.ndim != 3:
        message = "has one channel; the instance maps of the places challenge are RGB"
        raise BadSource([Finding(path, "mode", message, "take the RGB file, or take annotations_instance away")])
    return settle_instances(colors[:, :, 1], label_map, label_set)
