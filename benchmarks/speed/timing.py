"""Fair timing on a machine that others use too: interleaved runs, medians, wall and CPU time."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Timing:
    """Seconds of each run: `wall`, and `cpu` of this process (all its threads), which other load hardly touches."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]

    @property
    def median_wall(self) -> float:
        """Median wall time in seconds."""
        return float(np.median(self.wall))

    @property
    def median_cpu(self) -> float:
        """Median CPU time in seconds."""
        return float(np.median(self.cpu))


def interleaved(jobs: Mapping[str, Callable[[], object]], runs: int) -> dict[str, Timing]:
    """Returns the times of each job: one run to warm up, then a run of each in turn, `runs` times over."""
    for job in jobs.values():
        job()
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in jobs}
    for _ in range(runs):
        for name, job in jobs.items():
            wall, cpu = time.perf_counter(), time.process_time()
            job()
            times[name].append((time.perf_counter() - wall, time.process_time() - cpu))
    return {name: Timing(*map(tuple, zip(*runs_of, strict=True))) for name, runs_of in times.items()}  # type: ignore[arg-type]


def machine() -> str:
    """Returns one line on where this runs: processor, cores, load."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    return f"{processor()}, {cores} cores, load {load:.1f}, {platform.system()}, Python {platform.python_version()}"


def processor() -> str:
    """Returns the processor's name where the system tells it."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        if names:
            return names[0]
    return platform.processor() or platform.machine()


def street(width: int, height: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Returns a made-up street: photo uint8 (H, W, 3), label map (H, W) in camvid ids (sky, building, road ...)."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    skyline = height * (0.32 + 0.03 * np.sin(x / width * 19))
    label_map = np.select([y < skyline, y < 0.6 * height, y < 0.68 * height], [0, 1, 4], 3).astype(np.int32)
    colours = np.zeros((5, 3), np.float32)
    colours[[0, 1, 4, 3]] = [(170, 195, 225), (130, 105, 90), (125, 120, 115), (85, 85, 88)]
    windows = 30 * (np.sin(x / 17) > 0.5) * (np.sin(y / 23) > 0.3) * (label_map == 1)
    shade = 20 * (y / height) - windows + rng.normal(0, 5, (height, width))
    return np.clip(colours[label_map] + shade[..., None], 0, 255).astype(np.uint8), label_map
