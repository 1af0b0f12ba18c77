"""Training windows with their canvas, made once and kept in a cache on disk."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from scenebrush.canvas import Canvas, Fill, compose, fill
from scenebrush.data.split_in_memory import connected_objects
from scenebrush.data.windows import TrainingWindows, Window
from scenebrush.errors import InputError
from scenebrush.methods.sesame.inputs import WindowArrays
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene


def class_indices(label_map: np.ndarray, label_set: LabelSet) -> np.ndarray:
    """Returns the indices 0..num_classes-1 (order of the label set) of the ids in a label map, int32 (H, W).

    An id that is no class (255, say, for unlabelled) counts as the nearest pixel's class: the network has to draw
    something there. Without any known id all are 0.
    """
    beyond = max(label_set.ids) + 1
    table = np.full(beyond + 1, -1, np.int32)
    table[list(label_set.ids)] = np.arange(len(label_set.ids))
    indices: np.ndarray = table[np.where((label_map < 0) | (label_map > beyond), beyond, label_map)]
    unknown = indices < 0
    if unknown.all():
        return np.zeros_like(indices)
    if unknown.any():
        nearest = ndimage.distance_transform_edt(unknown, return_distances=False, return_indices=True)
        indices = indices[tuple(nearest)]
    return indices


def object_map(layout: Layout) -> np.ndarray:
    """Returns the layout's instance map, int32 (H, W); where it has none, things cut into connected components."""
    if layout.instance_map is not None:
        return layout.instance_map
    return connected_objects(layout.label_map, layout.label_set)


def window_arrays(window: Window, label_set: LabelSet, *, guided: bool, lend: bool = False) -> WindowArrays:
    """Returns a window whose truth is known, with the canvas that fills its hole; `lend` as in `canvas.compose`."""
    layout = Layout(window.label_map, label_set, window.instance_map)
    canvas: Canvas | Fill | None = None
    if guided and lend:
        canvas = compose(Scene(window.photo, layout), Edit(window.hole, layout), lend=True)
    elif guided:
        canvas = fill(window.photo, layout, layout, window.hole)
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
    processes may fill it at once (they write equal values) and a killed one does no harm. It knows nothing of the
    photos' content nor of the canvas's code: a folder belongs to one `cache_key` and one state of both.
    """

    def __init__(self, windows: TrainingWindows, count: int, *, guided: bool, cache: Path | None = None) -> None:
        self.windows, self.count, self.guided = windows, count, guided
        self._arrays = _open_cache(cache, windows, count, guided) if cache is not None else None

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> WindowArrays:
        if self._arrays is None:
            return self._make(index)
        if not self._arrays["there"][index]:
            self._store(self._arrays, index)
        return _load(self._arrays, index)

    def _make(self, index: int) -> WindowArrays:
        return window_arrays(self.windows[index], self.windows.label_set, guided=self.guided)

    def _store(self, arrays: Mapping[str, np.ndarray], index: int) -> None:
        window = self._make(index)
        for name, array in arrays.items():
            if name == "instances":
                array[index] = _small_ids(window.instances)
            elif name != "there":
                array[index] = getattr(window, name)
        arrays["there"][index] = 1  # last: what is marked is whole


def cache_key(facts: Mapping[str, Any]) -> str:
    """Returns a short name for everything in a recipe that decides what the windows are."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _load(arrays: Mapping[str, np.ndarray], index: int) -> WindowArrays:
    found = {name: np.array(array[index]) for name, array in arrays.items() if name != "there"}
    found["instances"] = found["instances"].astype(np.int32)
    missing: dict[str, Any] = {"guide": None, "copied": None}
    return WindowArrays(**(missing | found))


def _small_ids(instances: np.ndarray) -> np.ndarray:
    """Returns instance ids that fit 16 bits; which is which matters, their numbers do not."""
    if int(instances.max(initial=0)) <= np.iinfo(np.uint16).max:
        return instances.clip(0)
    ids, numbers = np.unique(instances.clip(0), return_inverse=True)
    return numbers.reshape(instances.shape) + int(ids[0] > 0)


def _open_cache(folder: Path, windows: TrainingWindows, count: int, guided: bool) -> dict[str, np.ndarray]:
    folder.mkdir(parents=True, exist_ok=True)
    square = (count, windows.size, windows.size)
    shapes: dict[str, tuple[tuple[int, ...], type]] = {
        "photo": ((*square, 3), np.uint8),
        "labels": (square, np.uint8 if len(windows.label_set.ids) <= 256 else np.uint16),
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
        with contextlib.suppress(FileExistsError):
            os.link(beside, path)  # unlike rename, does not replace what another process has begun to fill
        beside.unlink()
    try:
        array = np.lib.format.open_memmap(path, mode="r+")
    except ValueError as error:
        raise InputError(f"{path} is no array of cached windows ({error}); remove {path.parent}") from error
    if (array.shape, array.dtype) != (shape, np.dtype(dtype)):
        found = f"{array.dtype} {array.shape}"
        raise InputError(f"{path} holds {found}, expected {np.dtype(dtype)} {shape}; remove {path.parent}")
    return array
