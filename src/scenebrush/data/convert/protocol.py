"""What a data set's converter promises, and what it works on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol, Self

import numpy as np

from scenebrush.data.check_files import Finding
from scenebrush.errors import InputError
from scenebrush.scene.files import MAX_MEGAPIXELS
from scenebrush.scene.label_set import LabelSet

Places = tuple[tuple[int, int], ...]
"""First and last bytes in a file."""


@dataclass(frozen=True)
class SourceScene:
    """One scene of a data set as it lies on disk.

    Args:
        split: where it goes: "train", "val", "test".
        stem: the name of its files in the scene folder.
        photo: the photo's file, or the container that holds it.
        maps: the files that label and instance map are made of.
        index: its place in a container.
        places: where its objects stand in the last of `maps`, if that holds those of all pictures.
    """

    split: str
    stem: str
    photo: Path
    maps: tuple[Path, ...]
    index: int = 0
    places: Places = ()

    @property
    def key(self) -> str:
        """`<split>/<stem>`."""
        return f"{self.split}/{self.stem}"


@dataclass
class Listing:
    """What a data set's folders hold: its scenes, and what is wrong before any file is opened."""

    scenes: list[SourceScene] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def __iadd__(self, other: Listing) -> Self:
        self.scenes += other.scenes
        self.findings += other.findings
        return self


@dataclass(frozen=True)
class Settings:
    """How scenes are converted.

    Args:
        link: photos are hard links to the source's files where the file system can, not copies.
        max_side: photos and maps are scaled down to this longer side; None = photos stay byte for byte.
        unknown_as_void: ids and colours that the data set has not become unlabelled; else they are faults.
        max_megapixels: larger pictures are faults; None = no limit.
    """

    link: bool = False
    max_side: int | None = None
    unknown_as_void: bool = False
    max_megapixels: float | None = MAX_MEGAPIXELS

    @property
    def fingerprint(self) -> str:
        """Changes where scenes come out otherwise."""
        return f"1 max_side={self.max_side} unknown_as_void={self.unknown_as_void}"  # 1: what the converters do


class BadSource(InputError):
    """A source file that cannot be converted; `findings` says why, one for each wrong value."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("; ".join(map(str, self.findings[:1])))

    def __reduce__(self) -> tuple[type[BadSource], tuple[tuple[Finding, ...]]]:
        return type(self), (self.findings,)  # it comes back from other processes


class DataSet(Protocol):
    """A data set in its own layout on disk; small and picklable, as every worker gets one."""

    format: ClassVar[str]
    """Its name on the command line."""
    expects: ClassVar[str]
    """The folders by which it is known, in words."""

    @property
    def root(self) -> Path:
        """The folder that it was found in."""
        ...

    @classmethod
    def recognise(cls, root: Path) -> Self | None:
        """Returns the data set if a folder holds one in this layout, else None; opens no picture."""
        ...

    @property
    def label_set(self) -> LabelSet:
        """The classes of the scene folder that is made."""
        ...

    def listing(self) -> Listing:
        """Returns all scenes by their names, without opening a picture."""
        ...

    def maps(
        self, scene: SourceScene, size: tuple[int, int], settings: Settings
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Returns a scene's label map and instance map, int32 (H, W), in the ids of `label_set`.

        Args:
            scene: one that `listing` gave.
            size: (H, W) of its photo.
            settings: what to do about unknown values.

        Raises:
            BadSource: a file that does not fit, with every wrong value.
            InputError: a file that cannot be read.
        """
        ...

    def photo(self, scene: SourceScene) -> np.ndarray | None:
        """Returns a photo out of a container, uint8 (H, W, 3); None where `scene.photo` is the photo's own file."""
        ...


class PhotoFiles:
    """For data sets whose photos are files of their own."""

    def photo(self, scene: SourceScene) -> np.ndarray | None:
        """Returns None: the file is copied as it is."""
        return None
