"""Finding the files of a data set and putting photos and maps together by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from scenebrush.data.check_files import Finding
from scenebrush.data.convert.protocol import Listing, SourceScene
from scenebrush.scene.files import PHOTO_SUFFIXES

Stems = dict[str, list[Path]]
"""{what photo and map have in common: files}."""


def pictures(folder: Path, *, ending: str = "", deep: bool = False) -> Stems:
    """Returns the pictures of a folder by the part of their names before `ending`, sorted.

    Args:
        folder: where; a folder that is not there has no pictures.
        ending: only names that end so, before the suffix: "_leftImg8bit".
        deep: also those of its subfolders.
    """
    found: Stems = {}
    for path in sorted(_files(folder, deep)):
        named = path.suffix.lower() in PHOTO_SUFFIXES and not path.name.startswith(".")
        if named and path.stem.endswith(ending):
            found.setdefault(path.stem.removesuffix(ending), []).append(path)
    return found


def pair(split: str, photos: Stems, maps: Stems, *, labels: str, beside: Mapping[str, Path] | None = None) -> Listing:
    """Returns the scenes of a split: photos and label maps of one name, and the names that lack one of the two.

    Args:
        split: the split's name.
        photos, maps: what `pictures` found.
        labels: where label maps are looked for, in words.
        beside: further files that belong to a map ({name: file}), instance maps for one.
    """
    listing = Listing()
    if photos and not maps:  # COCO's and ADE20K's test photos have no maps: that is no fault of a file
        first = next(iter(photos.values()))[0].parent
        mend = f"put label maps into {labels}, if there are any"
        message = f"has {len(photos)} photos and no label maps; split {split!r} is left out"
        listing.findings.append(Finding(first, "no labels", message, mend).warning())
        return listing
    for name in sorted(photos.keys() | maps.keys()):
        fault = _fault(name, photos.get(name, []), maps.get(name, []), labels)
        if fault is not None:
            listing.findings.append(fault)
            continue
        more = (beside[name],) if beside is not None and name in beside else ()
        listing.scenes.append(SourceScene(split, name, photos[name][0], (maps[name][0], *more)))
    return listing


def first_of(root: Path, names: Sequence[str]) -> Path | None:
    """Returns the first of these folders that is there."""
    return next((root / name for name in names if (root / name).is_dir()), None)


def _files(folder: Path, deep: bool) -> Iterator[Path]:
    if folder.is_dir():
        yield from (p for p in (folder.rglob("*") if deep else folder.iterdir()) if not p.is_dir())


def _fault(name: str, photos: list[Path], maps: list[Path], labels: str) -> Finding | None:
    for twins in (photos, maps):
        if len(twins) > 1:
            names = ", ".join(str(p.name) for p in twins)
            return Finding(twins[1], "duplicate stem", f"{names} share one name", "keep one, rename the others")
    if not maps:
        return Finding(photos[0], "missing partner", f"has no label map in {labels}", "add it, or remove the photo")
    if not photos:
        return Finding(maps[0], "missing partner", f"has no photo {name!r}", "add it, or remove the map")
    return None
