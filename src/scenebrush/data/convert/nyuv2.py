"""NYU Depth v2 as extracted PNGs, 0 = unlabelled and 1 to 40; the labelled .mat is in `nyuv2_mat`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from scenebrush.data.convert.listing import pair, pictures
from scenebrush.data.convert.pixels import check_size, read_ids, recode
from scenebrush.data.convert.protocol import Listing, PhotoFiles, Settings, SourceScene
from scenebrush.scene.label_set import LabelSet

SPLITS = ("train", "val", "test")
_OF_SPLITS = tuple(
    (f"{{split}}{mark}{photos}", f"{{split}}{mark}{maps}")
    for mark in ("/", "_")
    for photos in ("rgb", "images", "image")
    for maps in ("labels_40", "labels40", "label40", "label")
)
_WHOLE = tuple(
    (photos, maps)
    for photos in ("nyu_images", "images", "image", "rgb", "RGB", "input")
    for maps in ("nyu_labels40", "labels_40", "labels40", "label40", "Label", "label")
)
# NYU-40's numbers are our ids and one; its 40, "otherprop", and 0, unlabelled, are both our 39.
TABLE = {number: number - 1 for number in range(1, 41)} | {0: 39, 255: 39}
"""{value of a map with 40 classes: our id}."""


@dataclass(frozen=True)
class NyuV2Pngs(PhotoFiles):
    """40 classes; no instances. Splits are folders, or `train.txt` and `test.txt`, else all is `train`."""

    format: ClassVar[str] = "nyuv2"
    expects: ClassVar[str] = (
        "nyu_depth_v2_labeled.mat, or train/rgb and train/labels_40, or nyu_images and nyu_labels40"
    )
    root: Path

    @classmethod
    def recognise(cls, root: Path) -> Self | None:
        """Returns the data set if a folder of photos and one of maps with 40 classes are there by a known name."""
        pairs = [*_WHOLE, *((a.format(split=s), b.format(split=s)) for s in SPLITS for a, b in _OF_SPLITS)]
        return cls(root) if any((root / a).is_dir() and (root / b).is_dir() for a, b in pairs) else None

    @property
    def label_set(self) -> LabelSet:
        """`nyuv2`: ids 0 to 39."""
        return LabelSet.load("nyuv2")

    def listing(self) -> Listing:
        """Returns the scenes of all splits."""
        listing = Listing()
        for split in SPLITS:
            for a, b in ((a.format(split=split), b.format(split=split)) for a, b in _OF_SPLITS):
                if (self.root / a).is_dir() and (self.root / b).is_dir():
                    listing += pair(split, pictures(self.root / a), pictures(self.root / b), labels=b)
                    break
        return listing if listing.scenes or listing.findings else self._whole()

    def maps(
        self, scene: SourceScene, size: tuple[int, int], settings: Settings
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Returns the labels, each number less one, and no instances."""
        path = scene.maps[0]
        label_map = recode(path, read_ids(path, settings), TABLE, self.label_set, settings)
        check_size(path, label_map.shape, size)
        return label_map, None

    def _whole(self) -> Listing:
        a, b = next((a, b) for a, b in _WHOLE if (self.root / a).is_dir() and (self.root / b).is_dir())
        found = pair("train", pictures(self.root / a), pictures(self.root / b), labels=b)
        splits = {stem: split for split in SPLITS for stem in _stems(self.root / f"{split}.txt")}
        found.scenes = [SourceScene(splits.get(s.stem, "train"), s.stem, s.photo, s.maps) for s in found.scenes]
        return found


def _stems(path: Path) -> list[str]:
    """The names in a list of files, one a line, with or without folder and ending."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [Path(line.split()[0]).stem for line in lines if line.strip()]
