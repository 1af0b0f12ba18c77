"""Training windows with their canvas, made once and kept in a cache on disk."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from scenebrush.canvas import fill
from scenebrush.data.windows import TrainingWindows, Window
from scenebrush.methods.sesame.inputs import WindowArrays
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout


def class_indices(label_map: np.ndarray, label_set: LabelSet) -> np.ndarray:
    """Returns the indices 0..num_classes-1 (order of the label set) of the ids in a label map, int32 (H, W)."""
    table = np.zeros(max(*label_set.ids, int(label_map.max(initial=0))) + 1, np.int32)
    table[list(label_set.ids)] = np.arange(len(label_set.ids))
    return table[label_map]


def window_arrays(window: Window, label_set: LabelSet, *, guided: bool) -> WindowArrays:
    """Returns a window whose truth is known, with the canvas that would fill its hole."""
    layout = Layout(window.label_map, label_set, window.instance_map)
    canvas = fill(window.photo, layout, layout, window.hole) if guided else None
    return WindowArrays(
        photo=window.photo,
        labels=class_indices(window.label_map, label_set),
        instances=window.instance_map,
        hole=window.hole,
        guide=canvas.photo if canvas else None,
        copied=canvas.copied if canvas else None,
    )


class GuidedWindows:
    """`windows[i]` for 0 <= i < count, as `WindowArrays`; computed once where a cache folder is given.

    The cache is a set of memory-mapped arrays and one byte a window that says whether it is there, so several
    processes may fill it at once (they write equal values) and a killed one does no harm.
    """

    def __init__(self, windows: TrainingWindows, count: int, *, guided: bool, cache: Path | None = None) -> None:
        self.windows, self.count, self.guided = windows, count, guided
        self._arrays = _open_cache(cache, count, windows.size, guided) if cache is not None else None

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> WindowArrays:
        if self._arrays is None:
            return self._make(index)
        if not self._arrays["there"][index]:
            self._store(index, self._make(index))
        return self._load(index)

    def _make(self, index: int) -> WindowArrays:
        return window_arrays(self.windows[index], self.windows.label_set, guided=self.guided)

    def _store(self, index: int, window: WindowArrays) -> None:
        assert self._arrays is not None
        for name in ("photo", "labels", "instances", "hole", "guide", "copied"):
            value = getattr(window, name)
            if value is not None:
                self._arrays[name][index] = value
        self._arrays["there"][index] = 1

    def _load(self, index: int) -> WindowArrays:
        assert self._arrays is not None
        get = {name: np.array(array[index]) for name, array in self._arrays.items() if name != "there"}
        return WindowArrays(
            get["photo"], get["labels"], get["instances"].astype(np.int32), get["hole"], get.get("guide"), get.get("copied")
        )


def cache_key(facts: dict[str, Any]) -> str:
    """Returns a short name for everything that decides what the windows are."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _open_cache(folder: Path, count: int, size: int, guided: bool) -> dict[str, np.ndarray]:
    folder.mkdir(parents=True, exist_ok=True)
    square = (count, size, size)
    shapes: dict[str, tuple[tuple[int, ...], type]] = {
        "photo": ((*square, 3), np.uint8),
        "labels": (square, np.uint8),
        "instances": (square, np.uint16),
        "hole": (square, np.bool_),
        "there": ((count,), np.uint8),
    }
    if guided:
        shapes |= {"guide": ((*square, 3), np.uint8), "copied": (square, np.bool_)}
    return {name: _open_array(folder / f"{name}.npy", *spec) for name, spec in shapes.items()}


def _open_array(path: Path, shape: tuple[int, ...], dtype: type) -> np.ndarray:
    if not path.exists():
        beside = path.with_name(f".{os.getpid()}-{path.name}")
        np.lib.format.open_memmap(beside, mode="w+", dtype=dtype, shape=shape).flush()  # sparse: zeros cost nothing
        try:
            os.link(beside, path)  # unlike rename, does not replace what another process has begun to fill
        except FileExistsError:
            pass
        beside.unlink()
    return np.lib.format.open_memmap(path, mode="r+")
