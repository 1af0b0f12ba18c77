"""CamVid: the original (`701_StillsRaw_full`, `LabeledApproved_full`: 32 colours) and SegNet's copy (11 ids)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np

from scenebrush.data.convert.listing import Stems, pair, pictures
from scenebrush.data.convert.pixels import Color, check_size, read_values, recode, recode_colors
from scenebrush.data.convert.protocol import Listing, PhotoFiles, Settings, SourceScene
from scenebrush.scene.label_set import LabelSet

PHOTOS, MAPS = "701_StillsRaw_full", "LabeledApproved_full"
ORIGINAL = "_L"
"""How the names of the original's maps end, which hold colours."""
SPLITS = ("train", "val", "test")
_ENDINGS = ("annot", "_labels")  # trainannot (SegNet), train_labels (the copies with split folders of colour maps)


@dataclass(frozen=True)
class CamVid(PhotoFiles):
    """11 classes and void; the original's 32 colours are grouped, and its frames split, as SegNet did."""

    format: ClassVar[str] = "camvid"
    expects: ClassVar[str] = f"{PHOTOS} and {MAPS}, or train and trainannot"
    root: Path

    @classmethod
    def recognise(cls, root: Path) -> Self | None:
        """Returns the data set if either pair of folders is there."""
        pairs = [(PHOTOS, MAPS), *((split, split + ending) for split in SPLITS for ending in _ENDINGS)]
        return cls(root) if any((root / a).is_dir() and (root / b).is_dir() for a, b in pairs) else None

    @property
    def label_set(self) -> LabelSet:
        """`camvid`: ids 0 to 10, 11 = void."""
        return LabelSet.load("camvid")

    def listing(self) -> Listing:
        """Returns the scenes; the original's are split by sequence and frame."""
        if (self.root / MAPS).is_dir():
            return self._original()
        listing = Listing()
        for split in SPLITS:
            ending = next((e for e in _ENDINGS if (self.root / (split + e)).is_dir()), _ENDINGS[0])
            maps = _maps(self.root / (split + ending))
            listing += pair(split, pictures(self.root / split), maps, labels=split + ending)
        return listing

    def maps(
        self, scene: SourceScene, size: tuple[int, int], settings: Settings
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Returns the labels; colours of the 32 classes are grouped into 11, ids stay. There are no instances."""
        path, label_set = scene.maps[0], self.label_set
        values = read_values(path, settings, palette_is_colors=path.stem.endswith(ORIGINAL))
        check_size(path, values.shape[:2], size)
        if values.ndim == 3:
            return recode_colors(path, values, color_table(), label_set, settings), None
        table = {id_: id_ for id_ in label_set.ids} | {255: 11}
        return recode(path, values, table, label_set, settings), None

    def _original(self) -> Listing:
        photos, maps = pictures(self.root / PHOTOS), _maps(self.root / MAPS)
        listing = Listing()
        for split in SPLITS:
            of_split = [{name: files for name, files in x.items() if split_of(name) == split} for x in (photos, maps)]
            listing += pair(split, *of_split, labels=MAPS)
        return listing


@cache
def color_table() -> dict[Color, int]:
    """Returns {colour: our id} of CamVid's 32 colours."""
    label_set = LabelSet.load("camvid")
    return {tuple(c["color"]): label_set.find(c["class"]).id for c in _facts()["colors"]}


def split_of(stem: str) -> str:
    """Returns the split that SegNet put a frame into: `"0016E5_07959"` is of "val"."""
    parts = re.fullmatch(r"(.+?)_f?(\d+)", stem)
    for rule in _facts()["splits"] if parts else []:
        assert parts is not None
        if parts[1] == rule["sequence"] and rule["first"] <= int(parts[2]) <= rule["last"]:
            return str(rule["split"])
    return "train"


@cache
def _facts() -> dict[str, Any]:
    text = (resources.files("scenebrush.data.convert") / "camvid_colors.json").read_text(encoding="utf-8")
    facts: dict[str, Any] = json.loads(text)
    return facts


def _maps(folder: Path) -> Stems:
    """Maps by their photo's name."""
    found: Stems = {}
    for name, files in pictures(folder).items():
        found.setdefault(name.removesuffix(ORIGINAL), []).extend(files)
    return found
