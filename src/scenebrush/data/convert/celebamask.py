"""CelebAMask-HQ: `CelebA-HQ-img/<n>.jpg` and up to 18 part masks a face in `CelebAMask-HQ-mask-anno/<0-14>`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from scenebrush.data.check_files import Finding
from scenebrush.data.convert.listing import pair, pictures
from scenebrush.data.convert.pixels import nearest, read_values
from scenebrush.data.convert.protocol import BadSource, Listing, PhotoFiles, Settings, SourceScene
from scenebrush.scene.label_set import LabelSet

PHOTOS, MASKS = "CelebA-HQ-img", "CelebAMask-HQ-mask-anno"
MAPPING = "CelebA-HQ-to-CelebA-mapping.txt"
PARTS = (
    *("skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear", "r_ear"),
    *("mouth", "u_lip", "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth"),
)
"""Part k is class k + 1, and is painted over those before it, as the data set's own `g_mask.py` does."""
_TRAIN, _VAL = 162770, 182637  # CelebA's partition: the last file numbers of train and of val


@dataclass(frozen=True)
class CelebAMaskHq(PhotoFiles):
    """19 classes. Photos have 1024 pixels a side and masks 512: the label maps are made of the photos' size."""

    format: ClassVar[str] = "celebamask"
    expects: ClassVar[str] = f"{PHOTOS} and {MASKS}/<0-14>"
    root: Path

    @classmethod
    def recognise(cls, root: Path) -> Self | None:
        """Returns the data set if both folders are there."""
        return cls(root) if (root / PHOTOS).is_dir() and (root / MASKS).is_dir() else None

    @property
    def label_set(self) -> LabelSet:
        """`celebamask`: 0 = background, 1 to 18 = the parts."""
        return LabelSet.load("celebamask")

    def listing(self) -> Listing:
        """Returns the faces, split by CelebA's partition where the mapping file is there, else all as `train`."""
        photos = {_name(stem): files for stem, files in pictures(self.root / PHOTOS).items()}
        masks, listing = self._masks(), Listing()
        splits = self._splits()
        for split in ("train", "val", "test"):
            chosen = {n: files for n, files in photos.items() if splits.get(n, "train") == split}
            parts = {n: files for n, files in masks.items() if splits.get(n, "train") == split}
            found = pair(split, chosen, {n: files[:1] for n, files in parts.items()}, labels=MASKS)
            listing.scenes += [SourceScene(s.split, s.stem, s.photo, tuple(parts[s.stem])) for s in found.scenes]
            listing.findings += found.findings
        return listing

    def maps(
        self, scene: SourceScene, size: tuple[int, int], settings: Settings
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Returns the merged parts, scaled to the photo; where nothing is marked is background."""
        label_map: np.ndarray | None = None
        for path in scene.maps:
            values = read_values(path, settings)
            mask: np.ndarray = np.asarray(np.atleast_3d(values).any(axis=2))
            if label_map is None:
                label_map = np.zeros(mask.shape, np.int32)
            if mask.shape != label_map.shape:
                message = f"is {_size(mask)}, the face's other masks {_size(label_map)}"
                raise BadSource([Finding(path, "sizes differ", message, "take the masks of one release")])
            label_map[mask] = PARTS.index(_part(path)) + 1
        assert label_map is not None
        if label_map.shape[0] * size[1] != label_map.shape[1] * size[0]:
            message = f"is {_size(label_map)}, its photo {size[1]}x{size[0]}: another shape"
            raise BadSource([Finding(scene.maps[0], "sizes differ", message, "take the photo of the same release")])
        return nearest(label_map, size), None

    def _masks(self) -> dict[str, list[Path]]:
        """{face: its masks in the order in which they are painted}."""
        found: dict[str, list[Path]] = {}
        for stem, files in pictures(self.root / MASKS, deep=True).items():
            face, _, part = stem.partition("_")
            if part in PARTS:
                found.setdefault(_name(face), []).append(files[0])
        return {name: sorted(files, key=lambda p: PARTS.index(_part(p))) for name, files in sorted(found.items())}

    def _splits(self) -> dict[str, str]:
        path = self.root / MAPPING
        if not path.is_file():
            return {}
        rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()[1:] if line.strip()]
        return {_name(row[0]): split_of(int(Path(row[-1]).stem)) for row in rows}


def split_of(number: int) -> str:
    """Returns the split of CelebA's file `<number>.jpg` by CelebA's own partition."""
    return "train" if number <= _TRAIN else "val" if number <= _VAL else "test"


def _name(face: str) -> str:
    return face.zfill(5)


def _part(path: Path) -> str:
    return path.stem.partition("_")[2]


def _size(values: np.ndarray) -> str:
    return f"{values.shape[1]}x{values.shape[0]}"
