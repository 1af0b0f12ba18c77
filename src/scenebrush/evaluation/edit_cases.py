"""Edits with a known truth: what a method is given, what it should have made, and running it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from scenebrush.data.windows import Window
from scenebrush.errors import InputError
from scenebrush.methods.base import Editor
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene


@dataclass(frozen=True, eq=False)
class EditCase:
    """One edit to be measured.

    Args:
        scene: what the method sees: the photo with the hole blacked out, so that no truth can leak.
        edit: the hole and the layout asked for (the true labels).
        truth: uint8 (H, W, 3), the photo as it was.
        group: the photo's stem; edits of one photo are not independent.
    """

    scene: Scene
    edit: Edit
    truth: np.ndarray
    group: str

    @property
    def hole(self) -> np.ndarray:
        """bool (H, W), true = edited."""
        return self.edit.hole


@dataclass(frozen=True, eq=False)
class Rendering:
    """What a method made of all cases.

    Args:
        pictures: uint8 (N, H, W, 3), the hole pasted into what was visible.
        seconds: float64 (N,), wall time of each edit; the first is measured on a second run, warm.
        cpu_seconds: float64 (N,), CPU time of this process for it, all threads: what other load hardly changes.
        touched: share of the visible pixels that the method itself changed (an `Editor` changes none).
    """

    pictures: np.ndarray
    seconds: np.ndarray
    cpu_seconds: np.ndarray
    touched: float


def edit_case(window: Window, label_set: LabelSet) -> EditCase:
    """Returns the case of a window whose hole is to be made anew from its true labels."""
    photo = window.photo.copy()
    photo[window.hole] = 0
    layout = Layout(window.label_map, label_set, window.instance_map)
    return EditCase(Scene(photo, layout), Edit(window.hole, layout), window.photo, window.stem)


def render(
    editor: Editor, cases: Sequence[EditCase], *, seed: int = 0, report: Callable[[int], None] | None = None
) -> Rendering:
    """Returns what `editor` makes of the cases, all of one size.

    Args:
        editor: the method.
        cases: at least one.
        seed: given to every edit alike; 0 leaves a method that can vary its objects to its own choice.
        report: is told how many edits are done.

    Raises:
        InputError: no cases, or a picture that is not uint8 of the photo's size.
    """
    if not cases:
        raise InputError("0 edits to measure; ask for at least 1 window")
    editor.edit(cases[0].scene, cases[0].edit, seed=seed)  # warm: lazy loading is not the edit's time
    pictures, seconds, cpu_seconds, touched, visible = [], [], [], 0, 0
    for i, case in enumerate(cases):
        start, cpu_start = time.perf_counter(), time.process_time()
        picture = editor.edit(case.scene, case.edit, seed=seed)
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
        _check(picture, case, editor.name)
        touched += int((picture != case.scene.photo).any(axis=2)[~case.hole].sum())
        visible += int((~case.hole).sum())
        pictures.append(np.where(case.hole[..., None], picture, case.scene.photo))
        if report:
            report(i + 1)
    return Rendering(np.stack(pictures), np.array(seconds), np.array(cpu_seconds), touched / max(visible, 1))


def _check(picture: np.ndarray, case: EditCase, name: str) -> None:
    if picture.dtype != np.uint8 or picture.shape != case.truth.shape:
        raise InputError(f"{name} returned {picture.dtype} {picture.shape}; expected uint8 {case.truth.shape}")
