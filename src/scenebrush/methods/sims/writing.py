"""The one writer of a memory bank."""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from scenebrush.errors import InputError, ModelError
from scenebrush.methods.sims.catalogue import Catalogue
from scenebrush.methods.sims.cutting import CutDonor
from scenebrush.methods.sims.matching import LEAST_AREA, MATCH_SIZE, check_match_size
from scenebrush.methods.sims.shards import Lengths, ShardWriter
from scenebrush.scene.label_set import LabelSet

_COMMIT_SEGMENTS = 2000
_COMMIT_SECONDS = 2.0


class BankWriter:
    """The one writer of a bank: appends donors and records them group by group. `open` is the way in.

    A group is on the disk before it is recorded, and what is not recorded is cut off by the next writer: a kill loses
    the group that was being written, and puts nothing in twice.
    """

    def __init__(self, bank: Path, catalogue: Catalogue, lock: sqlite3.Connection) -> None:
        self._catalogue, self._lock = catalogue, lock
        self.match_size, self.least_area = catalogue.match_size, catalogue.least_area
        self._lengths = catalogue.lengths()
        self._shards = ShardWriter(bank, catalogue.label_set, self._lengths)
        self._digests = {digest for _, _, digest in catalogue.donors()}
        self._last_id, self._last_donor = catalogue.last_id(), catalogue.last_donor()
        self._donors, self._segments = list[Sequence[Any]](), list[Sequence[Any]]()
        self._committed = time.monotonic()

    @classmethod
    def open(
        cls,
        bank: str | Path,
        label_set: LabelSet,
        *,
        match_size: tuple[int, int] | None = None,
        least_area: int = LEAST_AREA,
    ) -> Self:
        """Opens a bank for writing, and makes it if it is not there.

        Raises:
            InputError: a place that cannot be written, a second writer, or a damaged shard.
            ModelError: the bank has other classes or another match size.
        """
        bank = Path(bank)
        try:
            if bank.exists() and not Catalogue.is_in(bank) and any(_foreign(bank)):
                raise InputError(f"{bank} is no memory bank, and not empty; give -o another name")
            bank.mkdir(parents=True, exist_ok=True)
            lock = _locked(bank)
        except (OSError, sqlite3.Error) as error:
            raise InputError(f"{bank} cannot be written ({error}); choose another place") from error
        try:
            if not Catalogue.is_in(bank):
                Catalogue.create(bank, label_set, check_match_size(match_size or MATCH_SIZE), least_area).close()
            catalogue = Catalogue.open(bank, writing=True)
            try:
                _check(bank, catalogue, label_set, match_size)
                return cls(bank, catalogue, lock)
            except BaseException:
                catalogue.close()
                raise
        except BaseException:
            lock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.commit()
        self._catalogue.close()
        self._lock.close()

    @property
    def total(self) -> int:
        """Segments appended so far and before."""
        return sum(lengths.count for lengths in self._lengths.values())

    def knows(self, digest: str) -> bool:
        """Returns whether this scene is in the bank."""
        return digest in self._digests

    def append(self, donor: CutDonor) -> None:
        """Appends a donor; it is recorded with its group, at the latest by `commit`."""
        if self.knows(donor.digest):
            return
        self._last_donor += 1
        self._digests.add(donor.digest)
        self._donors.append((self._last_donor, donor.name, donor.digest, *donor.size))
        for class_id in np.unique(donor.class_ids).tolist():
            self._append_class(donor, class_id, np.flatnonzero(donor.class_ids == class_id))
        late = time.monotonic() - self._committed > _COMMIT_SECONDS
        if late or len(self._segments) >= _COMMIT_SEGMENTS:
            self.commit()

    def commit(self) -> None:
        """Has everything on the disk and recorded."""
        if self._donors:
            self._shards.sync()
            self._catalogue.add(self._donors, self._segments, self._lengths)
            self._donors, self._segments = [], []
        self._committed = time.monotonic()

    def _append_class(self, donor: CutDonor, class_id: int, chosen: np.ndarray) -> None:
        lengths = self._lengths.get(class_id, Lengths())
        boxes, cells, grids = donor.boxes[chosen], donor.cells[chosen], donor.grids[chosen]
        runs, colours = [donor.runs[i] for i in chosen], [donor.colours[i] for i in chosen]
        run_ends = lengths.runs + np.cumsum(boxes["mask_runs"].astype(int) + boxes["context_runs"])
        boxes["first_run"] = np.concatenate([[lengths.runs], run_ends[:-1]])
        boxes["id"] = self._last_id + 1 + np.arange(len(chosen))
        boxes["donor"] = self._last_donor
        self._last_id += len(chosen)
        self._shards.append(
            class_id,
            {
                "segments": b"".join(colours),
                "shapes": b"".join(runs),
                "boxes": boxes.tobytes(),
                "cells": cells.tobytes(),
                "grids": grids.tobytes(),
            },
        )
        color_at = lengths.colour
        columns = [
            *(boxes["id"].tolist(), donor.photo_boxes[chosen].tolist(), donor.instances[chosen].tolist()),
            *(boxes["box"].tolist(), boxes["context_box"].tolist(), boxes["area"].tolist()),
            *(boxes["first_run"].tolist(), boxes["mask_runs"].tolist(), boxes["context_runs"].tolist()),
        ]
        data = zip(colours, runs, *(_split(array) for array in (boxes, cells, grids)), strict=True)
        for i, (row, (color, *shape)) in enumerate(zip(zip(*columns, strict=True), data, strict=True)):
            identity, photo_box, instance, box, context_box, area, *run_place = row
            self._segments.append(
                (
                    *(identity, class_id, lengths.count + i, self._last_donor, *photo_box, instance),
                    *(*box, *context_box, area, color_at, len(color), zlib.crc32(color)),
                    *(*run_place, shape_crc(*shape)),
                )
            )
            color_at += len(color)
        self._lengths[class_id] = Lengths(lengths.count + len(chosen), color_at, int(run_ends[-1]))


def shape_crc(*parts: bytes) -> int:
    """Returns the CRC-32 of a segment's runs and search records, one after the other."""
    crc = 0
    for part in parts:
        crc = zlib.crc32(part, crc)
    return crc


def _split(records: np.ndarray) -> list[bytes]:
    data, size = records.tobytes(), records.dtype.itemsize
    return [data[i : i + size] for i in range(0, len(data), size)]


def bank_bytes(bank: Path) -> int:
    """Returns how much room a bank takes on the disk."""
    return sum(path.stat().st_size for path in bank.rglob("*") if path.is_file())


def _locked(bank: Path) -> sqlite3.Connection:
    """Returns a connection that holds the writer's lock until it is closed, or its process is gone."""
    lock = sqlite3.connect(bank / "writer.lock", timeout=0, isolation_level=None)
    try:
        lock.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        lock.close()
        if "locked" not in str(error):
            raise
        raise InputError(f"{bank} is being written by another process; wait until it is done") from error
    return lock


def _foreign(bank: Path) -> list[Path]:
    """Returns what else is in a folder that an interrupted first build did not leave."""
    if not bank.is_dir():
        return [bank]
    return [path for path in bank.iterdir() if not path.name.startswith(("catalogue.sqlite", "writer.lock"))]


def _check(bank: Path, catalogue: Catalogue, label_set: LabelSet, match_size: tuple[int, int] | None) -> None:
    if catalogue.label_set.classes != label_set.classes:
        raise ModelError(
            f"{bank} has the classes of {catalogue.label_set.name!r}, these scenes those of {label_set.name!r};"
            " build a bank of their own"
        )
    if match_size is not None and match_size != catalogue.match_size:
        raise ModelError(f"{bank} has match size {catalogue.match_size}, not {match_size}; build a bank of its own")
