"""Cityscapes: `leftImg8bit/<split>/<city>/*_leftImg8bit.png` and `gtFine/<split>/<city>/*_gtFine_labelIds.png`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from scenebrush.data.convert.listing import pair, pictures
from scenebrush.data.convert.pixels import check_size, read_ids, recode
from scenebrush.data.convert.protocol import Listing, PhotoFiles, Settings, SourceScene
from scenebrush.scene.files import read_instance_map
from scenebrush.scene.label_set import LabelSet

LICENSE_PLATE = 255
"""The class -1 as 8 bits: the official tools leave it out of label maps, others write it so."""


@dataclass(frozen=True)
class Cityscapes(PhotoFiles):
    """34 ids; instances are class * 1000 + n. The blank maps of `test` are left out by `convert`."""

    format: ClassVar[str] = "cityscapes"
    expects: ClassVar[str] = "leftImg8bit/<split>/<city> and gtFine/<split>/<city>"
    root: Path

    @classmethod
    def recognise(cls, root: Path) -> Self | None:
        """Returns the data set if both folders are there."""
        return cls(root) if (root / "leftImg8bit").is_dir() and (root / "gtFine").is_dir() else None

    @property
    def label_set(self) -> LabelSet:
        """`cityscapes`: ids 0 to 33."""
        return LabelSet.load("cityscapes")

    def listing(self) -> Listing:
        """Returns the scenes of all splits; photos whose split has no `gtFine` are left out."""
        listing = Listing()
        for split in sorted(p.name for p in (self.root / "leftImg8bit").iterdir() if p.is_dir()):
            truth = self.root / "gtFine" / split
            instances = pictures(truth, ending="_gtFine_instanceIds", deep=True)
            listing += pair(
                split,
                pictures(self.root / "leftImg8bit" / split, ending="_leftImg8bit", deep=True),
                pictures(truth, ending="_gtFine_labelIds", deep=True),
                labels=f"gtFine/{split}/<city>/*_gtFine_labelIds.png",
                beside={name: files[0] for name, files in instances.items()},
            )
        return listing

    def maps(
        self, scene: SourceScene, size: tuple[int, int], settings: Settings
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Returns the labels as they are and the instances as 1..N."""
        path, label_set = scene.maps[0], self.label_set
        table = {id_: id_ for id_ in label_set.ids} | {LICENSE_PLATE: 0}
        label_map = recode(path, read_ids(path, settings), table, label_set, settings)
        check_size(path, label_map.shape, size)
        if len(scene.maps) == 1:
            return label_map, None
        numbers = read_instance_map(
            scene.maps[1], label_map, label_set, convention="cityscapes", max_megapixels=settings.max_megapixels
        )
        return label_map, numbers
