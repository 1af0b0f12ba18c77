"""Building memory banks from scene folders, in parallel."""

from __future__ import annotations

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from scenebrush.errors import InputError
from scenebrush.methods.sims.cutting import CutDonor, cut
from scenebrush.methods.sims.writing import BankWriter, bank_bytes
from scenebrush.scene.files import MAX_MEGAPIXELS
from scenebrush.scene.folder import SceneFiles, SceneFolder

_FEW = 32
"""New photos below which starting processes takes longer than they save."""


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


def scene_digest(files: SceneFiles) -> str:
    """Returns what tells a scene from others, from the bytes of its photo and its labels."""
    digest = hashlib.sha256()
    for path in (files.photo, files.labels):
        if not path.is_file():
            raise InputError(f"{path} is missing; every photo needs a label map of the same stem")
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


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
