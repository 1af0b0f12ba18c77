"""Which data sets there are, and which of them a folder holds."""

from __future__ import annotations

from pathlib import Path

from scenebrush.data.convert.ade20k import Ade20k
from scenebrush.data.convert.camvid import CamVid
from scenebrush.data.convert.celebamask import CelebAMaskHq
from scenebrush.data.convert.cityscapes import Cityscapes
from scenebrush.data.convert.cocostuff import CocoStuff
from scenebrush.data.convert.nyuv2 import NyuV2Pngs
from scenebrush.data.convert.nyuv2_mat import NyuV2Mat
from scenebrush.data.convert.protocol import DataSet
from scenebrush.errors import InputError, nearest_name

# ADE20K and COCO-Stuff before NYUv2, whose extracted copies have names of all kinds.
_DATA_SETS: tuple[type[DataSet], ...] = (
    Cityscapes,
    Ade20k,
    CocoStuff,
    CamVid,
    CelebAMaskHq,
    NyuV2Mat,
    NyuV2Pngs,
)
FORMATS: tuple[str, ...] = tuple(dict.fromkeys(kind.format for kind in _DATA_SETS))
"""The names of the data sets that can be converted."""


def recognise(root: str | Path, format: str | None = None) -> DataSet:
    """Returns the data set that a folder, or its only subfolder, holds.

    Args:
        root: the folder.
        format: one of `FORMATS`; None = whichever it is.

    Raises:
        InputError: there is no such folder or format, or the folder does not hold it.
    """
    root = Path(root)
    if format is not None and format not in FORMATS:
        raise InputError(f"unknown format {format!r}{nearest_name(format, FORMATS)}; there are {', '.join(FORMATS)}")
    if not root.exists():
        raise InputError(f"{root} does not exist; give the folder that the data set was unpacked to")
    kinds = [kind for kind in _DATA_SETS if format in (None, kind.format)]
    for folder in _places(root):
        for kind in kinds:
            found = kind.recognise(folder)
            if found is not None:
                return found
    raise InputError(f"{root} holds no {format or 'data set that is known'}; {_expected(kinds)}")


def _places(root: Path) -> list[Path]:
    """The folder itself, and the one that an archive may have been unpacked to."""
    folders = [p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")] if root.is_dir() else []
    return [root, *folders] if len(folders) == 1 else [root]


def _expected(kinds: list[type[DataSet]]) -> str:
    return "expected " + "; or ".join(f"{kind.format}: {kind.expects}" for kind in kinds)
