"""What is in a scene folder: class shares, sizes, instances."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from scenebrush.scene.files import MAX_MEGAPIXELS, value_counts
from scenebrush.scene.folder import SceneFolder
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout


@dataclass
class SplitStats:
    """Counts of one split.

    Args:
        scenes: how many scenes.
        pixels: {class id: pixels}.
        present: {class id: scenes in which it occurs}.
        instances: {class id: instances}, from the instance maps.
        with_instances: scenes that have an instance map.
        sizes: {(width, height): scenes}.
    """

    scenes: int = 0
    pixels: Counter[int] = field(default_factory=Counter)
    present: Counter[int] = field(default_factory=Counter)
    instances: Counter[int] = field(default_factory=Counter)
    with_instances: int = 0
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)

    def add(self, layout: Layout) -> None:
        """Counts one scene."""
        counts = value_counts(layout.label_map)
        self.scenes += 1
        self.sizes[layout.shape[1], layout.shape[0]] += 1
        self.pixels.update(counts)
        self.present.update(counts.keys())
        if layout.instance_map is not None:
            self.with_instances += 1
            _, first = np.unique(layout.instance_map, return_index=True)
            numbered = first[layout.instance_map.ravel()[first] > 0]
            self.instances.update(layout.label_map.ravel()[numbered].tolist())


@dataclass
class FolderStats:
    """Counts of a scene folder: {split: `SplitStats`}, and its label set."""

    path: Path
    label_set: LabelSet
    splits: dict[str, SplitStats] = field(default_factory=dict)

    @property
    def whole(self) -> SplitStats:
        """All splits together."""
        total = SplitStats()
        for split in self.splits.values():
            total.scenes += split.scenes
            total.with_instances += split.with_instances
            for name in ("pixels", "present", "instances", "sizes"):
                getattr(total, name).update(getattr(split, name))
        return total

    def class_rows(self) -> tuple[list[str], list[list[str]]]:
        """Returns a table of the classes, the largest first: (headings, rows), all as text."""
        total = self.whole
        pixels = max(1, sum(total.pixels.values()))
        headings = ["id", "class", "kind", "share of pixels", "scenes", "instances"]
        ordered = sorted(self.label_set.classes, key=lambda c: -total.pixels[c.id])
        rows = [
            [str(c.id), c.name, c.kind, f"{total.pixels[c.id] / pixels:.2%}"]
            + [str(total.present[c.id]), str(total.instances[c.id] or "")]
            for c in ordered
        ]
        return headings, rows

    def split_rows(self) -> tuple[list[str], list[list[str]]]:
        """Returns a table of the splits: (headings, rows), all as text."""
        rows = [
            [name, str(s.scenes), str(s.with_instances), str(sum(s.instances.values())), _sizes(s.sizes)]
            for name, s in self.splits.items()
        ]
        return ["split", "scenes", "with instance map", "instances", "sizes"], rows

    def to_json(self) -> dict[str, Any]:
        """Returns the counts as JSON data, for each split and for all together."""
        everything = {**self.splits, "all": self.whole}
        return {
            "path": str(self.path),
            "label_set": self.label_set.name,
            "splits": {name: _split_json(split, self.label_set) for name, split in everything.items()},
        }


def folder_stats(
    path: str | Path,
    *,
    max_megapixels: float | None = MAX_MEGAPIXELS,
    report: Callable[[int, int], None] | None = None,
) -> FolderStats:
    """Returns the counts of a scene folder; `check_folder` says what is wrong with one that cannot be read.

    Args:
        path: the folder with `classes.json`.
        max_megapixels: the largest picture to accept; None = no limit.
        report: told (scenes done, scenes in all) after each.

    Raises:
        InputError: the folder is missing, or one of its files cannot be read.
        LabelError: a map that does not fit its label set.
    """
    folder = SceneFolder.open(path)
    stats = FolderStats(folder.path, folder.label_set)
    scenes = list(folder.iterate())
    for done, files in enumerate(scenes, start=1):
        layout = folder.layout(files, max_megapixels=max_megapixels)
        stats.splits.setdefault(files.split, SplitStats()).add(layout)
        if report is not None:
            report(done, len(scenes))
    return stats


def _split_json(split: SplitStats, label_set: LabelSet) -> dict[str, Any]:
    pixels = sum(split.pixels.values())
    return {
        "scenes": split.scenes,
        "with_instances": split.with_instances,
        "sizes": [{"width": w, "height": h, "scenes": n} for (w, h), n in split.sizes.most_common()],
        "classes": [
            {
                "id": c.id,
                "name": c.name,
                "kind": c.kind,
                "pixels": split.pixels[c.id],
                "share": split.pixels[c.id] / max(1, pixels),
                "scenes": split.present[c.id],
                "instances": split.instances[c.id],
            }
            for c in label_set.classes
        ],
    }


def _sizes(sizes: Counter[tuple[int, int]]) -> str:
    shown = ", ".join(f"{w}x{h} ({n})" for (w, h), n in sizes.most_common(3))
    return shown + (f" and {len(sizes) - 3} more" if len(sizes) > 3 else "")
