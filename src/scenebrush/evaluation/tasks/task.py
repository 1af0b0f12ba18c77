"""What a task is, and the sample of pictures that it is measured on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from scenebrush.data.split_in_memory import SplitInMemory
from scenebrush.errors import InputError, nearest_name
from scenebrush.evaluation.edit_cases import EditCase
from scenebrush.scene.label_set import LabelSet


@dataclass(frozen=True)
class Sample:
    """Which pictures a task is measured on; the same values give the same cases.

    Args:
        data: a scene folder; None for the tasks that make their own scenes.
        split: one of its splits; None = `test`, else `val`, else the only one.
        n: how many cases.
        size: side of their windows in pixels (whole pictures: the shorter side; `analogy`: the longer side, at most).
        context: None = windows at the photo's own scale; a number = the papers' protocol, side = context x the
            box's longer side, resized to `size`.
        seed: of everything that is drawn.
        least_object: `add` and `erase` only: the longer side, in pixels of the photo, of the smallest object that a
            hole is made for, or shaped like.
    """

    data: Path | None = None
    split: str | None = None
    n: int = 100
    size: int = 128
    context: float | None = None
    seed: int = 0
    least_object: int = 24

    def __post_init__(self) -> None:
        if self.n < 1:
            raise InputError(f"0 pictures to measure (n = {self.n}); ask for at least 1")
        if self.size < 32:
            raise InputError(f"windows of {self.size} px are too small to measure; take at least 32")

    @cached_property
    def photos(self) -> SplitInMemory:
        """The split, decoded once."""
        if self.data is None:
            raise InputError("this task is measured on real photos; name a scene folder with --data")
        return SplitInMemory(self.data, self.split or default_split(self.data))

    @property
    def title(self) -> str:
        """Data and split, for a table's title."""
        return "the toy world" if self.data is None else f"{self.photos.folder.resolve().name}/{self.photos.split}"


@dataclass(frozen=True)
class Task:
    """One protocol.

    Args:
        name: as the command line takes it.
        summary: what is asked and what is held for right, in a sentence or two; it stands in every report.
        cases: makes the cases of a sample.
        has_truth: whether what the picture should have become is known.
        needs_data: False where the toy world is drawn.
        makes_maps: True where photos become label maps (the methods are segmenters).
        whole: True where nothing of the photo is shown.
        analogies: True where models that know one photo draw it in other layouts; see `evaluation.analogy`.
    """

    name: str
    summary: str
    cases: Callable[[Sample], list[EditCase]]
    has_truth: bool = True
    needs_data: bool = True
    makes_maps: bool = False
    whole: bool = False
    analogies: bool = False

    def label_set(self, sample: Sample) -> LabelSet:
        """Returns the label set of the sample's layouts."""
        return sample.photos.label_set if self.needs_data else LabelSet.load("camvid")


def default_split(data: Path) -> str:
    """Returns `test`, else `val`, else the only split of a scene folder; `InputError` where that does not decide."""
    splits = sorted(path.parent.name for path in data.glob("*/images") if path.is_dir())
    for name in ("test", "val"):
        if name in splits:
            return name
    if len(splits) == 1:
        return splits[0]
    if not data.is_dir():
        beside = [p.name for p in data.parent.iterdir() if p.is_dir()] if data.parent.is_dir() else []
        raise InputError(f"{data} is no folder{nearest_name(data.name, beside)}; name a scene folder with --data")
    raise InputError(f"{data} has the splits {', '.join(splits) or '(none)'}; name one with --split")
