"""Running the jobs of a conversion, here or in spawned processes."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from threading import Thread

from scenebrush.data.convert.scene_files import Job, Outcome, convert_scene
from scenebrush.errors import InputError


def run_jobs(jobs: Sequence[Job], workers: int) -> Iterator[Outcome]:
    """Yields the outcomes as they come; in other processes with more than one worker.

    Raises:
        InputError: a worker was killed from outside.
    """
    if workers == 1 or len(jobs) < 2:
        yield from map(convert_scene, jobs)
        return
    spawn = multiprocessing.get_context("spawn")  # forking a process with threads may deadlock
    pool = ProcessPoolExecutor(min(workers, len(jobs)), mp_context=spawn, initializer=_begin)
    try:
        yield from _as_they_come(pool, jobs, ahead=4 * workers)
    except BrokenProcessPool as error:
        raise InputError(
            f"one of {workers} workers was killed, for want of memory perhaps; run the same again with fewer workers:"
            " what is done is kept"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _as_they_come(pool: Executor, jobs: Iterable[Job], ahead: int) -> Iterator[Outcome]:
    """Keeps `ahead` jobs submitted: a hundred thousand at once would all be held in memory."""
    waiting = iter(jobs)
    running: set[Future[Outcome]] = {pool.submit(convert_scene, job) for job in islice(waiting, ahead)}
    while running:
        finished, running = wait(running, return_when=FIRST_COMPLETED)
        running |= {pool.submit(convert_scene, job) for job in islice(waiting, len(finished))}
        for future in finished:
            yield future.result()


def _begin() -> None:
    """Readies a worker: Ctrl-C is the parent's business, and without a parent there is nothing to do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_the_parent, daemon=True).start()


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()  # a killed parent cannot tell its workers to end
        os._exit(1)
