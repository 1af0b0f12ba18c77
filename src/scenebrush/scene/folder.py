"""Scene folders: `classes.json` and `<split>/images|labels|instances|instances_derived/<stem>`."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from scenebrush.errors import InputError, nearest_name
from scenebrush.scene.files import (
    MAX_MEGAPIXELS,
    PHOTO_SUFFIXES,
    PhotoFile,
    read_instance_map,
    read_label_map,
    write_instance_map,
    write_label_map,
    write_photo,
    write_text,
)
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene

INSTANCE_FOLDERS = ("instances", "instances_derived")
"""True instances first; derived ones are connected components."""


@dataclass(frozen=True)
class SceneFiles:
    """The files of one scene; `instances` is None where there is no instance map."""

    split: str
    stem: str
    photo: Path
    labels: Path
    instances: Path | None


@dataclass(frozen=True)
class SceneFolder:
    """Scenes on disk that share a label set."""

    path: Path
    label_set: LabelSet

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Returns the scene folder at a path; `InputError` if it has no `classes.json`."""
        path = Path(path)
        if not (path / "classes.json").is_file():
            what = "has no classes.json" if path.is_dir() else "does not exist"
            raise InputError(f"{path} {what}; a scene folder holds classes.json and <split>/images, <split>/labels")
        return cls(path, LabelSet.load(path / "classes.json"))

    @classmethod
    def create(cls, path: str | Path, label_set: LabelSet) -> Self:
        """Returns a scene folder with this label set, made if it is not there yet; scenes in it stay.

        Raises:
            InputError: it is there with other classes.
        """
        path = Path(path)
        if (path / "classes.json").is_file():
            found = cls.open(path)
            if found.label_set.classes != label_set.classes:
                raise InputError(
                    f"{path} holds scenes with other classes than {label_set.name!r}; choose another folder"
                )
            return found
        path.mkdir(parents=True, exist_ok=True)
        write_text(path / "classes.json", label_set.to_json())
        return cls(path, label_set)

    @property
    def splits(self) -> list[str]:
        """The names of the splits, sorted: the subfolders that hold photos."""
        return sorted(p.name for p in self.path.iterdir() if (p / "images").is_dir())

    def stems(self, split: str) -> list[str]:
        """Returns the stems of a split's photos, sorted; `InputError` if there is no such split."""
        return sorted({p.stem for p in self._photos(split)})

    def files(self, split: str, stem: str) -> SceneFiles:
        """Returns where the files of a scene are; `InputError` if there is no photo of that stem."""
        for suffix in PHOTO_SUFFIXES:
            photo = self.path / split / "images" / f"{stem}{suffix}"
            if photo.is_file():
                return self._files(split, photo)
        hint = nearest_name(stem, self.stems(split))
        raise InputError(f"{self.path / split / 'images'} has no photo {stem!r}{hint}")

    def iterate(self, split: str | None = None) -> Iterator[SceneFiles]:
        """Yields the files of every scene of a split, or of all splits, in order."""
        for name in self.splits if split is None else [split]:
            for photo in sorted(self._photos(name), key=lambda p: p.stem):
                yield self._files(name, photo)

    def scene(self, split: str, stem: str, *, max_megapixels: float | None = MAX_MEGAPIXELS) -> Scene:
        """Returns a scene; raises what `Scene.open` raises."""
        return self.load(self.files(split, stem), max_megapixels=max_megapixels)

    def load(self, files: SceneFiles, *, max_megapixels: float | None = MAX_MEGAPIXELS) -> Scene:
        """Returns the scene of files that `files` or `iterate` gave; raises what `Scene.open` raises."""
        return Scene.open(files.photo, files.labels, self.label_set, files.instances, max_megapixels=max_megapixels)

    def layout(self, files: SceneFiles, *, max_megapixels: float | None = MAX_MEGAPIXELS) -> Layout:
        """Returns the layout alone, without decoding the photo."""
        label_map = read_label_map(files.labels, self.label_set, max_megapixels=max_megapixels)
        if files.instances is None:
            return Layout(label_map, self.label_set)
        numbers = read_instance_map(files.instances, label_map, self.label_set, max_megapixels=max_megapixels)
        return Layout(label_map, self.label_set, numbers)

    def write(
        self, split: str, stem: str, scene: Scene, *, like: PhotoFile | None = None, suffix: str = ".png"
    ) -> SceneFiles:
        """Writes a scene, each file whole or not at all, the photo last; returns where its files are.

        Args:
            split: made if it is not there.
            stem: the files' name without ending.
            scene: what to write; its label ids must be this folder's.
            like: the photo's metadata to keep.
            suffix: the photo's ending (and so its format).
        """
        root = self.path / split
        for name in ("images", "labels"):
            (root / name).mkdir(parents=True, exist_ok=True)
        write_label_map(root / "labels" / f"{stem}.png", scene.layout.label_map, self.label_set)
        if scene.layout.instance_map is not None:
            (root / "instances").mkdir(exist_ok=True)
            write_instance_map(root / "instances" / f"{stem}.png", scene.layout.instance_map)
        photo = write_photo(root / "images" / f"{stem}{suffix}", scene.photo, like)
        return self._files(split, photo)

    def copy_into(self, files: SceneFiles, split: str | None = None) -> SceneFiles:
        """Copies a scene's files of another folder with the same classes byte for byte; returns where they are."""
        root = self.path / (split or files.split)
        for source in (files.labels, files.instances, files.photo):
            if source is not None:
                target = root / source.parent.name / source.name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
        return self._files(root.name, root / "images" / files.photo.name)

    def _photos(self, split: str) -> list[Path]:
        images = self.path / split / "images"
        if not images.is_dir():
            hint = nearest_name(split, self.splits)
            raise InputError(f"{self.path} has no split {split!r}{hint}; it has {', '.join(self.splits) or 'none'}")
        return [p for p in images.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES and not p.name.startswith(".")]

    def _files(self, split: str, photo: Path) -> SceneFiles:
        root = self.path / split
        maps = [root / name / f"{photo.stem}.png" for name in INSTANCE_FOLDERS]
        instances = next((p for p in maps if p.is_file()), None)
        return SceneFiles(split, photo.stem, photo, root / "labels" / f"{photo.stem}.png", instances)
