"""Checking a scene folder: every bad file, with value, pixel count and mend, in one pass."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from scenebrush.data.check_files import PALETTE, Finding, check_instances, check_labels, check_photo, size_of
from scenebrush.errors import InputError
from scenebrush.scene.files import MAX_MEGAPIXELS, PHOTO_SUFFIXES, value_counts
from scenebrush.scene.folder import INSTANCE_FOLDERS, SceneFolder
from scenebrush.scene.label_set import LabelSet

_MAP_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")


@dataclass
class CheckReport:
    """What `check_folder` found.

    Args:
        path: the scene folder.
        scenes: how many scenes, {split: count}.
        findings: all faults ("error": the scene cannot be used; "warning": it can, but look), in file order.
    """

    path: Path
    scenes: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    @property
    def errors(self) -> list[Finding]:
        """The faults that keep a scene from being used."""
        return [f for f in self.findings if f.severity == "error"]

    @property
    def warnings(self) -> list[Finding]:
        """What looks wrong but can be read."""
        return [f for f in self.findings if f.severity == "warning"]

    @property
    def ok(self) -> bool:
        """Whether every scene can be used."""
        return not self.errors

    def to_json(self) -> dict[str, Any]:
        """Returns the report as JSON data: path, ok, scenes, counts by kind, findings."""
        return {
            "path": str(self.path),
            "ok": self.ok,
            "scenes": self.scenes,
            "counts": dict(Counter(f.kind for f in self.findings)),
            "findings": [f.to_json() for f in self.findings],
        }


def check_folder(
    path: str | Path,
    *,
    max_megapixels: float | None = MAX_MEGAPIXELS,
    report: Callable[[int, int], None] | None = None,
) -> CheckReport:
    """Returns everything that is wrong with a scene folder; every file is decoded once.

    Args:
        path: the folder with `classes.json`.
        max_megapixels: larger pictures are errors; None = no limit.
        report: told (scenes done, scenes in all) after each.

    Raises:
        InputError: the folder or its `classes.json` is missing or broken: then there is nothing to check against.
    """
    folder = SceneFolder.open(path)
    result = CheckReport(folder.path, findings=list(_check_classes(folder.label_set)))
    splits = sorted(p for p in folder.path.iterdir() if (p / "images").is_dir() or (p / "labels").is_dir())
    stems = {split.name: _by_stem(split) for split in splits}
    if not stems:
        raise InputError(f"{folder.path} has no split; put scenes into <split>/images and <split>/labels")
    total, done = sum(len(s) for s in stems.values()), 0
    seen = _Seen()
    for split, scenes in stems.items():
        result.scenes[split] = sum(bool(files["images"]) for files in scenes.values())
        result.findings += _check_split(folder.path / split, scenes)
        for _, files in sorted(scenes.items()):
            for finding in _check_scene(folder, split, files, seen, max_megapixels):
                if finding.kind == PALETTE:
                    seen.palettes[finding.message].append(finding)  # a whole data set may have such a palette
                else:
                    result.findings.append(finding.relative_to(folder.path))
            done += 1
            if report is not None:
                report(done, total)
    result.findings += _check_whole(folder.label_set, seen, folder.path)
    return result


@dataclass
class _Seen:
    """What can be judged only after the last scene."""

    pixels: Counter[int] = field(default_factory=Counter)
    photos: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    palettes: dict[str, list[Finding]] = field(default_factory=lambda: defaultdict(list))


def _by_stem(split: Path) -> dict[str, dict[str, list[Path]]]:
    """{stem: {subfolder: files}} of a split."""
    stems: dict[str, dict[str, list[Path]]] = {}
    for name in ("images", "labels", *INSTANCE_FOLDERS):
        files = sorted((split / name).iterdir()) if (split / name).is_dir() else []
        suffixes = PHOTO_SUFFIXES if name == "images" else _MAP_SUFFIXES
        for file in files:
            if file.suffix.lower() in suffixes and not file.name.startswith("."):
                empty: dict[str, list[Path]] = {n: [] for n in ("images", "labels", *INSTANCE_FOLDERS)}
                stems.setdefault(file.stem, empty)[name].append(file)
    return stems


def _check_split(split: Path, scenes: dict[str, dict[str, list[Path]]]) -> Iterator[Finding]:
    """What can be said of a split's names."""
    name = Path(split.name)
    if not (split / "images").is_dir():
        message = f"has {len(scenes)} label maps and no photos"
        yield Finding(name, "no photos", message, "no harm, if it is meant so").warning()
    elif not any(files["labels"] for files in scenes.values()):
        yield Finding(name, "no labels", f"has {len(scenes)} photos and no label map", "put them into labels/*.png")
    for folder in ("images", "labels", *INSTANCE_FOLDERS):
        yield from _check_names(split, folder, {path for files in scenes.values() for path in files[folder]})
    by_case: dict[str, list[str]] = defaultdict(list)
    for stem in scenes:
        by_case[stem.casefold()].append(stem)
    for stems in by_case.values():
        if len(stems) > 1:
            message = f"{', '.join(sorted(stems))} differ in upper and lower case only"
            mend = "rename one: Windows and macOS take them for the same"
            yield Finding(name, "duplicate stem", message, mend, sorted(stems)).warning()


def _check_names(split: Path, folder: str, known: set[Path]) -> Iterator[Finding]:
    """Files that no reader looks at, by their endings."""
    for path in sorted((split / folder).iterdir()) if (split / folder).is_dir() else []:
        place = path.relative_to(split.parent)
        if path.name.startswith("."):
            continue
        if path not in known:
            message = f"is no {'photo' if folder == 'images' else 'map'} by its ending and is not read"
            mend = "save it as JPEG or PNG" if folder == "images" else "save it as PNG"
            yield Finding(place, "not read", message, f"{mend}, or remove it", path.suffix).warning()
        elif folder != "images" and path.suffix != ".png" and path.suffix.lower() not in (".jpg", ".jpeg"):
            yield Finding(
                place, "not read", f"ends in {path.suffix}; maps are read from .png", "save it so", path.suffix
            )
        elif path.suffix != path.suffix.lower():
            mend = f"end it in {path.suffix.lower()}"
            yield Finding(place, "not read", f"ends in {path.suffix} and is not found by its name", mend).warning()


def _check_scene(
    folder: SceneFolder, split: str, files: dict[str, list[Path]], seen: _Seen, max_megapixels: float | None
) -> Iterator[Finding]:
    if (folder.path / split / "images").is_dir() and (folder.path / split / "labels").is_dir():
        yield from _partners(files)
    for twins in files.values():
        if len(twins) > 1:
            names = ", ".join(p.name for p in twins)
            yield Finding(twins[1], "duplicate stem", f"{names} share one stem", "keep one, rename the others")
    photo, labels = next(iter(files["images"]), None), next(iter(files["labels"]), None)
    photo_size = label_map = None
    if photo is not None:
        seen.photos[hashlib.sha256(photo.read_bytes()).hexdigest()].append(photo)
        photo_size = yield from check_photo(photo, max_megapixels)
    if labels is not None:
        label_map = yield from check_labels(labels, folder.label_set, max_megapixels)
    if label_map is not None:
        seen.pixels.update(value_counts(label_map))
        if photo_size is not None and photo_size != label_map.shape:
            assert labels is not None
            yield Finding(
                labels,
                "sizes differ",
                f"is {size_of(label_map.shape)}, its photo {size_of(photo_size)}",
                "scale the map with nearest neighbour, or turn it as the photo's EXIF orientation says",
                size_of(label_map.shape),
            )
    for name in INSTANCE_FOLDERS:
        for instances in files[name][:1]:
            yield from check_instances(instances, label_map, folder.label_set, max_megapixels)


def _partners(files: dict[str, list[Path]]) -> Iterator[Finding]:
    if files["images"] and not files["labels"]:
        photo = files["images"][0]
        yield Finding(photo, "missing partner", "has no label map", f"add ../labels/{photo.stem}.png, or remove it")
    if files["labels"] and not files["images"]:
        yield Finding(
            files["labels"][0], "missing partner", "has no photo", "add the photo under images/, or remove it"
        )
    for name in INSTANCE_FOLDERS:
        if files[name] and not files["labels"]:
            yield Finding(files[name][0], "missing partner", "has no label map", "add the label map, or remove it")


def _check_classes(label_set: LabelSet) -> Iterator[Finding]:
    if label_set.ignore_id is not None and label_set.ignore_id not in label_set.by_id:
        message = f"ignore_id {label_set.ignore_id} is no class"
        yield Finding(
            Path("classes.json"),
            "classes",
            message,
            "list it as a class of kind void",
            label_set.ignore_id,
            None,
            "warning",
        )


def _check_whole(label_set: LabelSet, seen: _Seen, root: Path) -> Iterator[Finding]:
    empty = [c for c in label_set.classes if not seen.pixels[c.id] and c.id != label_set.ignore_id]
    if empty and seen.pixels:
        names = ", ".join(f"{c.name} ({c.id})" for c in empty)
        message = f"{len(empty)} of {len(label_set.classes)} classes occur in no label map: {names}"
        ids = [c.id for c in empty]
        yield Finding(Path("classes.json"), "empty class", message, "no harm, if it is meant so", ids, 0).warning()
    for found in seen.palettes.values():
        first, pixels = found[0].relative_to(root), sum(f.pixels or 0 for f in found)
        message = f"{first.message}, in {pixels} pixels of {len(found)} maps"
        yield replace(first, message=message, pixels=pixels)
    for twins in seen.photos.values():
        if len(twins) > 1:
            names = ", ".join(str(p.relative_to(root)) for p in twins)
            across = len({p.parent.parent for p in twins}) > 1
            mend = "keep it in one split, or figures will be too good" if across else "keep one"
            yield Finding(twins[1].relative_to(root), "duplicate photo", f"the same bytes as {names}", mend).warning()
