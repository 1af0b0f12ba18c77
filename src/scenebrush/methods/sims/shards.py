"""The files of a bank: per class, records that are only ever appended to.

| file | what it holds |
|---|---|
| `segments/<id>-<name>.bin` | colour, as PNGs with alpha |
| `shapes/<id>-<name>.bin` | runs of masks and contexts, 8 bytes each |
| `index/<id>-<name>.boxes` | `BOXES`, 48 bytes a segment |
| `index/<id>-<name>.cells` | `COUNTS`, 544 bytes a segment |
| `index/<id>-<name>.grids` | `grids`, masks and contexts on a fixed grid |
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from scenebrush.errors import InputError
from scenebrush.methods.sims.matching import BINS, CELLS
from scenebrush.scene.label_set import LabelClass, LabelSet

BOXES = np.dtype(
    [
        ("id", "<u4"),
        ("donor", "<u4"),
        ("box", "<u2", (4,)),
        ("context_box", "<u2", (4,)),
        ("area", "<u4"),
        ("context_size", "<u4"),
        ("first_run", "<u8"),
        ("mask_runs", "<u4"),
        ("context_runs", "<u4"),
    ]
)
"""Everything at match resolution; runs are counted from the beginning of the class's shapes."""
COUNTS = np.dtype([("mask", "<u2", (CELLS, CELLS)), ("context", "<u2", (CELLS, CELLS, BINS))])
"""Pixels in each cell of the box, and by bin of the context box."""
RUN = np.dtype("<u8")
"""Four uint16 read as one number."""
GRID = 32
"""Side of the grid that `invariant` matching maps boxes onto."""
PARTS = ("segments", "shapes", "boxes", "cells", "grids")


def grids_dtype(label_set: LabelSet) -> np.dtype[np.void]:
    """Returns the record of a segment on the grid: the mask's bits, and the context's classes (0 = none, n = n-th)."""
    code = "u1" if len(label_set.classes) < 255 else "<u2"
    return np.dtype([("mask", "<u8", (GRID * GRID // 64,)), ("context", code, (GRID * GRID,))])


def shard_path(bank: Path, part: str, label_class: LabelClass) -> Path:
    """Returns where a part (one of `PARTS`) of a class lies."""
    name = f"{label_class.id:03d}-{re.sub(r'[^A-Za-z0-9]+', '-', label_class.name).strip('-') or 'class'}"
    return bank / part / f"{name}.bin" if part in ("segments", "shapes") else bank / "index" / f"{name}.{part}"


@dataclass(frozen=True)
class Lengths:
    """What the catalogue has recorded of a class: segments, bytes of colour, runs."""

    count: int = 0
    colour: int = 0
    runs: int = 0

    def in_bytes(self, label_set: LabelSet) -> dict[str, int]:
        """Returns how long each part is to be."""
        return {
            "segments": self.colour,
            "shapes": self.runs * RUN.itemsize,
            "boxes": self.count * BOXES.itemsize,
            "cells": self.count * COUNTS.itemsize,
            "grids": self.count * grids_dtype(label_set).itemsize,
        }


class Shard:
    """What a bank holds of one class, memory-mapped up to the lengths that the catalogue has recorded.

    Args:
        bank: the bank's folder.
        label_class: of this class.
        label_set: the bank's.
        lengths: as recorded.

    Files that are missing or too short are mapped as far as they go; `damage` names them.
    """

    def __init__(self, bank: Path, label_class: LabelClass, label_set: LabelSet, lengths: Lengths) -> None:
        self.label_class, self.label_set, self.lengths = label_class, label_set, lengths
        self.paths = {part: shard_path(bank, part, label_class) for part in PARTS}
        self.damage: list[str] = []
        self.available: dict[str, int] = {}
        """Bytes of each part that are there."""
        for part, length in lengths.in_bytes(label_set).items():
            path = self.paths[part]
            found = path.stat().st_size if path.is_file() else 0
            self.available[part] = min(found, length)
            if found < length:
                what = f"ends at byte {found}, {length} are recorded" if path.is_file() else "is missing"
                self.damage.append(f"{path} {what}; what lies beyond is skipped: build the bank anew")

    @cached_property
    def boxes(self) -> np.ndarray:
        """`BOXES` (segments,)."""
        return self._map("boxes", BOXES)

    @cached_property
    def cells(self) -> np.ndarray:
        """`COUNTS` (segments,)."""
        return self._map("cells", COUNTS)

    @cached_property
    def grids(self) -> np.ndarray:
        """`grids_dtype` (segments,)."""
        return self._map("grids", grids_dtype(self.label_set))

    @cached_property
    def runs(self) -> np.ndarray:
        """`RUN` (runs,)."""
        return self._map("shapes", RUN)

    @cached_property
    def colours(self) -> np.ndarray:
        """uint8 (bytes,)."""
        return self._map("segments", np.dtype(np.uint8))

    def _map(self, part: str, dtype: np.dtype[np.generic]) -> np.ndarray:
        count = self.available[part] // dtype.itemsize
        if not count:
            return np.zeros(0, dtype)
        # A plain array upon the map: slicing np.memmap itself costs a microsecond more each time.
        return np.asarray(np.memmap(self.paths[part], dtype, "r", shape=(count,)))


class ShardWriter:
    """Appends to the shards of a bank; what an earlier writer left beyond the recorded lengths is cut off.

    Args:
        bank: the bank's folder.
        label_set: the bank's.
        lengths: {class id: what the catalogue has recorded}.

    Raises:
        InputError: a file is missing, or shorter than recorded.
    """

    def __init__(self, bank: Path, label_set: LabelSet, lengths: Mapping[int, Lengths]) -> None:
        self._bank, self._label_set = bank, label_set
        self._waiting = dict[tuple[int, str], list[bytes]]()
        for label_class in label_set.classes:
            recorded = lengths.get(label_class.id, Lengths())
            for part, length in recorded.in_bytes(label_set).items():
                path = shard_path(bank, part, label_class)
                found = path.stat().st_size if path.is_file() else 0
                if found < length:
                    raise InputError(f"{path} ends at byte {found}, {length} are recorded; build the bank anew")
                if found > length:
                    os.truncate(path, length)

    def append(self, class_id: int, parts: Mapping[str, bytes]) -> None:
        """Appends to the parts of a class; nothing is written before `sync`."""
        for part, data in parts.items():
            self._waiting.setdefault((class_id, part), []).append(data)

    def sync(self) -> None:
        """Writes what was appended, and has it on the disk."""
        for (class_id, part), data in self._waiting.items():
            path = shard_path(self._bank, part, self._label_set.by_id[class_id])
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.writelines(data)
                file.flush()
                os.fsync(file.fileno())
        self._waiting.clear()
