"""Converting one scene: reading, checking and writing its files."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from scenebrush.data.check_files import Finding, check_photo, finding_of
from scenebrush.data.convert.journal import Entry, Stamp
from scenebrush.data.convert.pixels import check_size, nearest, scale_photo
from scenebrush.data.convert.protocol import BadSource, DataSet, Settings, SourceScene
from scenebrush.errors import ScenebrushError
from scenebrush.scene.files import read_photo, write_instance_map, write_label_map, write_photo, write_whole
from scenebrush.scene.label_set import LabelSet

BLANK = "nothing but void in its label map"


@dataclass(frozen=True)
class Job:
    """One scene to convert; picklable."""

    data_set: DataSet
    scene: SourceScene
    target: Path
    settings: Settings


@dataclass(frozen=True)
class Outcome:
    """What became of a job: an entry for the journal, or what is wrong with the source."""

    scene: SourceScene
    entry: Entry | None
    findings: tuple[Finding, ...] = ()


def source_stamps(data_set: DataSet, scene: SourceScene) -> tuple[Stamp, ...]:
    """Returns the stamps of all files that a scene is made of."""
    files = dict.fromkeys((scene.photo, *scene.maps))
    return tuple(Stamp.of(path, data_set.root) for path in files)


def convert_scene(job: Job) -> Outcome:
    """Converts one scene: labels and instances are written first, the photo last, each whole or not at all."""
    try:
        return Outcome(job.scene, _convert(job))
    except BadSource as error:
        return Outcome(job.scene, None, error.findings)
    except ScenebrushError as error:
        return Outcome(job.scene, None, (_finding(job, error),))
    except OSError as error:
        finding = Finding(job.scene.photo, "unreadable", f"{error.filename}: {error.strerror}", "mend or remove it")
        return Outcome(job.scene, None, (finding,))


def _convert(job: Job) -> Entry:
    data_set, scene, settings = job.data_set, job.scene, job.settings
    sources = source_stamps(data_set, scene)  # before reading: a change while we read is seen next time
    pixels = data_set.photo(scene)
    size = pixels.shape[:2] if pixels is not None else _photo_size(scene.photo, settings)
    label_map, instance_map = data_set.maps(scene, size, settings)
    for found in (label_map, instance_map):
        if found is not None:
            check_size(scene.maps[0], found.shape, size)
    label_set = data_set.label_set
    if label_set.is_kind(label_map, "void").all():
        return Entry(scene.key, settings.fingerprint, sources, (), BLANK)
    size = _scaled(size, settings)
    files = _write_maps(job, label_map, instance_map, size, label_set)
    files.append(_write_photo(job, pixels, size))
    stamps = tuple(Stamp.of(path, job.target, content=True) for path in files)
    return Entry(scene.key, settings.fingerprint, sources, stamps)


def _write_maps(
    job: Job, label_map: np.ndarray, instance_map: np.ndarray | None, size: tuple[int, int], label_set: LabelSet
) -> list[Path]:
    root, name = job.target / job.scene.split, f"{job.scene.stem}.png"
    files = [write_label_map(_made(root / "labels") / name, nearest(label_map, size), label_set)]
    if instance_map is not None:
        files.append(write_instance_map(_made(root / "instances") / name, nearest(instance_map, size)))
    return files


def _write_photo(job: Job, pixels: np.ndarray | None, size: tuple[int, int]) -> Path:
    scene = job.scene
    suffix = ".png" if pixels is not None else scene.photo.suffix.lower()
    path = _made(job.target / scene.split / "images") / f"{scene.stem}{suffix}"
    if pixels is not None:
        return write_photo(path, pixels if pixels.shape[:2] == size else scale_photo(pixels, size))
    if job.settings.max_side is None:
        return _link(scene.photo, path) if job.settings.link else _copy(scene.photo, path)
    photo = read_photo(scene.photo, max_megapixels=job.settings.max_megapixels)
    if photo.pixels.shape[:2] == size:
        return _copy(scene.photo, path)
    return write_photo(path, scale_photo(photo.pixels, size))


def _copy(source: Path, path: Path) -> Path:
    def save(file: BinaryIO) -> None:
        with source.open("rb") as original:
            shutil.copyfileobj(original, file)

    return write_whole(path, save)


def _link(source: Path, path: Path) -> Path:
    """Makes a hard link, or a copy where the file system cannot."""
    beside = path.with_name(f".{path.name}.link.part")
    try:
        beside.unlink(missing_ok=True)
        os.link(source.resolve(), beside)
        beside.replace(path)
    except OSError:
        return _copy(source, path)
    finally:
        beside.unlink(missing_ok=True)  # where both are one file already, renaming leaves both names
    return path


def _photo_size(path: Path, settings: Settings) -> tuple[int, int]:
    """The upright size (H, W) of a photo whose every pixel was decoded."""
    findings: list[Finding] = []
    checking = check_photo(path, settings.max_megapixels)
    while True:
        try:
            findings.append(next(checking))
        except StopIteration as done:
            errors = [f for f in findings if f.severity == "error"]
            if errors or done.value is None:
                raise BadSource(errors) from None
            size: tuple[int, int] = done.value
            return size


def _scaled(size: tuple[int, int], settings: Settings) -> tuple[int, int]:
    longest = max(size)
    if settings.max_side is None or longest <= settings.max_side:
        return size
    height, width = (max(1, round(side * settings.max_side / longest)) for side in size)
    return height, width


def _finding(job: Job, error: ScenebrushError) -> Finding:
    """What a reader's error says, of the file that it names."""
    files = (*job.scene.maps, job.scene.photo)
    named = next((path for path in files if str(error).startswith(str(path))), job.scene.maps[0])
    return finding_of(named, error)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
