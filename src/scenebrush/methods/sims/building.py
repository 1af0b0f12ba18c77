"""Writing memory banks: from a scene folder in parallel, or donor by donor."""

from __future__ import annotations

import hashlib
import io
import os
import sqlite3
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from PIL import Image

from scenebrush.errors import InputError, ModelError
from scenebrush.methods.sims.catalogue import Catalogue
from scenebrush.methods.sims.invariant import grid_of
from scenebrush.methods.sims.matching import LEAST_AREA, MATCH_SIZE, Frame, Shape, check_match_size
from scenebrush.methods.sims.segments import Segment, segments_of
from scenebrush.methods.sims.shards import BOXES, COUNTS, Lengths, ShardWriter, grids_dtype
from scenebrush.scene.files import MAX_MEGAPIXELS
from scenebrush.scene.folder import SceneFiles, SceneFolder
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout

_COMMIT_SEGMENTS = 2000
_COMMIT_SECONDS = 2.0
_FEW = 32
"""New photos below which starting processes takes longer than they save."""


@dataclass(frozen=True, eq=False)
class CutDonor:
    """A scene cut into segments, ready to be written; row i of each array is segment i.

    Args:
        name: `split/stem`.
        digest: what tells this scene from others, whatever its name.
        size: (W, H) of the photo.
        class_ids: int (n,).
        photo_boxes: int (n, 4), in the photo.
        instances: int (n,), 0 = a connected component.
        boxes, cells, grids: the search records (`shards`); id, donor and first run are left to the writer.
        runs: bytes of the runs of each, masks before contexts.
        colours: a PNG of each, or nothing.
    """

    name: str
    digest: str
    size: tuple[int, int]
    class_ids: np.ndarray
    photo_boxes: np.ndarray
    instances: np.ndarray
    boxes: np.ndarray
    cells: np.ndarray
    grids: np.ndarray
    runs: Sequence[bytes]
    colours: Sequence[bytes]


@dataclass(frozen=True)
class BuildReport:
    """What a build did.

    Args:
        photos: scenes put in.
        segments: segments put in.
        known: scenes that were there already.
        seconds: wall time.
        bytes: size of the whole bank on disk.
        total: segments that the bank has now.
    """

    photos: int
    segments: int
    known: int
    seconds: float
    bytes: int
    total: int


def build_bank(
    folder: str | Path | SceneFolder,
    out: str | Path,
    *,
    splits: Sequence[str] = ("train",),
    workers: int | None = None,
    report: Callable[[int, int], None] | None = None,
    match_size: tuple[int, int] | None = None,
    max_megapixels: float | None = MAX_MEGAPIXELS,
) -> BuildReport:
    """Puts the scenes of a folder into a bank, made if it is not there; what is in it already is passed over.

    May be killed at any time: the next call goes on where the last recorded scene was.

    Args:
        folder: the scene folder.
        out: the bank.
        splits: whose scenes.
        workers: processes that read, cut and encode; None = as many as there are cores.
        report: is told (scenes done, scenes in all).
        match_size: (H, W) of a new bank, by default `MATCH_SIZE`; a bank keeps what it was made with.
        max_megapixels: larger photos are errors.

    Raises:
        InputError: a folder, split or scene that cannot be read, a bank that cannot be written, or is being written.
        ModelError: the bank has other classes or another match size.
    """
    started = time.perf_counter()
    folder = folder if isinstance(folder, SceneFolder) else SceneFolder.open(folder)
    scenes = [files for split in splits for files in folder.iterate(split)]
    if not scenes:
        raise InputError(f"{folder.path} has no photos in {', '.join(splits)}; give another --split")
    with BankWriter.open(out, folder.label_set, match_size=match_size) as writer:
        new = list[tuple[SceneFiles, str]]()
        digests = set[str]()
        for files in scenes:
            digest = scene_digest(files)
            if digest not in digests and not writer.knows(digest):
                new.append((files, digest))
                digests.add(digest)
        known = len(scenes) - len(new)
        if report is not None:
            report(known, len(scenes))
        jobs = (Job(folder, files, d, writer.match_size, writer.least_area, max_megapixels) for files, d in new)
        before = writer.total
        for done, donor in enumerate(_cut_all(jobs, len(new), workers), start=1):
            writer.append(donor)
            if report is not None:
                report(known + done, len(scenes))
        writer.commit()
        total = writer.total
    seconds = time.perf_counter() - started
    return BuildReport(len(new), total - before, known, seconds, bank_bytes(Path(out)), total)


@dataclass(frozen=True)
class Job:
    """One scene to cut: what a worker process is given."""

    folder: SceneFolder
    files: SceneFiles
    digest: str
    match_size: tuple[int, int]
    least_area: int
    max_megapixels: float | None

    def run(self) -> CutDonor:
        """Reads, cuts and encodes."""
        scene = self.folder.load(self.files, max_megapixels=self.max_megapixels)
        name = f"{self.files.split}/{self.files.stem}"
        return cut(name, self.digest, scene.layout, scene.photo, match_size=self.match_size, least_area=self.least_area)


def cut(
    name: str,
    digest: str,
    layout: Layout,
    photo: np.ndarray | None,
    *,
    match_size: tuple[int, int] = MATCH_SIZE,
    least_area: int = LEAST_AREA,
) -> CutDonor:
    """Returns a scene cut into segments.

    Args:
        name: `split/stem`.
        digest: what tells this scene from others.
        layout: what to cut.
        photo: uint8 (H, W, 3) of the layout's size; None = segments without colour, for searching alone.
        match_size: (H, W) at which is compared.
        least_area: pixels there; smaller segments are left out.
    """
    frame = Frame.of(layout, match_size)
    pairs = [(segment, Shape.of(segment, frame)) for segment in segments_of(layout)]
    pairs = [(segment, shape) for segment, shape in pairs if shape.area >= least_area]
    boxes, cells = np.zeros(len(pairs), BOXES), np.zeros(len(pairs), COUNTS)
    grids = np.zeros(len(pairs), grids_dtype(layout.label_set))
    runs = list[bytes]()
    for i, (_, shape) in enumerate(pairs):
        mask_runs, context_runs = shape.runs()
        boxes[i] = (
            *(0, 0, shape.box, shape.context_box, shape.area, shape.context_size),
            *(0, len(mask_runs), len(context_runs)),
        )
        cells[i] = shape.cells()
        grids[i] = grid_of(shape)
        runs.append(mask_runs.tobytes() + context_runs.tobytes())
    return CutDonor(
        name,
        digest,
        (layout.shape[1], layout.shape[0]),
        np.array([segment.class_id for segment, _ in pairs], int),
        np.array([segment.box for segment, _ in pairs], int).reshape(-1, 4),
        np.array([segment.instance for segment, _ in pairs], int),
        boxes,
        cells,
        grids,
        runs,
        [b"" if photo is None else encode_color(photo, segment) for segment, _ in pairs],
    )


def encode_color(photo: np.ndarray, segment: Segment) -> bytes:
    """Returns a PNG, RGBA: the photo within the segment's box, its mask as alpha, black where the mask is not."""
    crop = np.zeros((*segment.mask.shape, 4), np.uint8)
    crop[..., :3] = photo[segment.window] * segment.mask[..., None]
    crop[..., 3] = segment.mask * np.uint8(255)
    file = io.BytesIO()
    Image.fromarray(crop).save(file, "png", compress_level=1)
    return file.getvalue()


def scene_digest(files: SceneFiles) -> str:
    """Returns what tells a scene from others, from the bytes of its photo and its labels."""
    digest = hashlib.sha256()
    for path in (files.photo, files.labels):
        if not path.is_file():
            raise InputError(f"{path} is missing; every photo needs a label map of the same stem")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def bank_bytes(bank: Path) -> int:
    """Returns how much room a bank takes on the disk."""
    return sum(path.stat().st_size for path in bank.rglob("*") if path.is_file())


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
        parts = [_split(array) for array in (boxes, cells, grids)]
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
        photo_boxes, instances = donor.photo_boxes[chosen].tolist(), donor.instances[chosen].tolist()
        columns = zip(boxes.tolist(), photo_boxes, instances, colours, runs, *parts, strict=True)
        for ordinal, (row, photo_box, instance, color, run, *fixed) in enumerate(columns, start=lengths.count):
            identity, number, box, context_box, area, _, first_run, mask_runs, context_runs = row
            self._segments.append(
                (
                    *(identity, class_id, ordinal, number, *photo_box, instance, *box, *context_box, area),
                    *(color_at, len(color), zlib.crc32(color)),
                    *(first_run, mask_runs, context_runs, shape_crc(run, *fixed)),
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


def _cut_all(jobs: Iterable[Job], count: int, workers: int | None) -> Iterator[CutDonor]:
    """Yields the donors in order, so that one folder always makes the same bank."""
    if workers is not None and workers < 1:
        raise InputError(f"{workers} workers will not do; give 1 or more")
    if workers is None:
        workers = _cores() if count >= _FEW else 1
    if min(workers, count) <= 1:
        yield from (job.run() for job in jobs)
        return
    with ProcessPoolExecutor(min(workers, count), mp_context=get_context("spawn")) as pool:
        running = deque[Future[CutDonor]]()
        try:
            for job in jobs:
                running.append(pool.submit(job.run))
                if len(running) >= 2 * workers:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
    if replace(catalogue.label_set, name="").classes != label_set.classes:
        raise ModelError(
            f"{bank} has the classes of {catalogue.label_set.name!r}, these scenes those of {label_set.name!r};"
            " build a bank of their own"
        )
    if match_size is not None and match_size != catalogue.match_size:
        raise ModelError(f"{bank} has match size {catalogue.match_size}, not {match_size}; build a bank of its own")
