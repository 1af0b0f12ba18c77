"""Edits with a known truth: what a method is given, what it should have made, and running it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from scenebrush.data.windows import Window
from scenebrush.errors import InputError
from scenebrush.evaluation.segmenters import Surroundings
from scenebrush.methods.base import Editor, Synthesizer
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene


@dataclass(frozen=True, eq=False)
class EditCase:
    """One edit to be measured.

    Args:
        scene: what the method sees: the photo with the hole blacked out, so that no truth can leak.
        edit: the hole and the layout asked for.
        before: uint8 (H, W, 3), the photo before the edit.
        group: the photo's stem; edits of one photo are not independent.
        truth: uint8 (H, W, 3), what the picture should have become; None where nobody knows.
        labels_before: the layout that `before` shows; None = the one asked for.
        surroundings: the whole photo that the picture is a window of, for segmenters; None = it is all there is.
    """

    scene: Scene
    edit: Edit
    before: np.ndarray
    group: str
    truth: np.ndarray | None = None
    labels_before: np.ndarray | None = None
    surroundings: Surroundings | None = None

    @property
    def hole(self) -> np.ndarray:
        """bool (H, W), true = edited."""
        return self.edit.hole

    @property
    def asked(self) -> np.ndarray:
        """int32 (H, W), the label map asked for."""
        return self.edit.layout.label_map

    @property
    def reference(self) -> np.ndarray:
        """uint8 (H, W, 3), the real picture that FID and KID hold for good: the truth, else the photo before."""
        return self.before if self.truth is None else self.truth

    @property
    def reference_labels(self) -> np.ndarray:
        """int32 (H, W), what `reference` shows: a segmenter's agreement with it is the ceiling."""
        return self.asked if self.truth is not None or self.labels_before is None else self.labels_before


@dataclass(frozen=True, eq=False)
class Rendering:
    """What a method made of all cases.

    Args:
        pictures: uint8 (N, H, W, 3), the hole pasted into what was visible.
        seconds: float64 (N,), wall time of each edit; the first is measured on a second run, warm.
        cpu_seconds: float64 (N,), CPU time of this process for it, all threads: what other load hardly changes.
        touched: share of the visible pixels that the method itself changed (an `Editor` changes none).
        real: whether these are the real pictures and no method's.
    """

    pictures: np.ndarray
    seconds: np.ndarray
    cpu_seconds: np.ndarray
    touched: float
    real: bool = False


def edit_case(window: Window, label_set: LabelSet, photo: np.ndarray | None = None) -> EditCase:
    """Returns the case of a window whose hole is to be made anew from its true labels.

    Args:
        window: the truth and its hole.
        label_set: of its label map.
        photo: the whole photo that the window was cut from.
    """
    layout = Layout(window.label_map, label_set, window.instance_map)
    scene = Scene(blacked(window.photo, window.hole), layout)
    around = Surroundings(photo, window.box) if photo is not None and not window.flipped else None
    return EditCase(scene, Edit(window.hole, layout), window.photo, window.stem, window.photo, surroundings=around)


def blacked(photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Returns the photo with the hole in black: what a method may see."""
    out = photo.copy()
    out[hole] = 0
    return out


def render(
    editor: Editor, cases: Sequence[EditCase], *, seed: int = 0, report: Callable[[int], None] | None = None
) -> Rendering:
    """Returns what `editor` makes of the cases, all of one size.

    Where every hole is the whole picture, a method that makes whole pictures is asked for those, not for edits.

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
    if isinstance(editor, Truth):
        return _truths(cases)
    make = _maker(editor, cases, seed)
    make(cases[0])  # warm: lazy loading is not the edit's time
    pictures, seconds, cpu_seconds, touched, visible = [], [], [], 0, 0
    for i, case in enumerate(cases):
        start, cpu_start = time.perf_counter(), time.process_time()
        picture = make(case)
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu_start)
        _check(picture, case, editor.name)
        touched += int((picture != case.scene.photo).any(axis=2)[~case.hole].sum())
        visible += int((~case.hole).sum())
        pictures.append(np.where(case.hole[..., None], picture, case.scene.photo))
        if report:
            report(i + 1)
    return Rendering(np.stack(pictures), np.array(seconds), np.array(cpu_seconds), touched / max(visible, 1))


class Truth:
    """Not a method: the real pictures (`EditCase.reference`), the best that any figure can be: its ceiling."""

    name = "truth"

    def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
        """Refuses: a scene does not say its truth; `render` puts it in."""
        raise InputError("'truth' is no method; it can only be measured, with scenebrush compare")


def _maker(editor: Editor, cases: Sequence[EditCase], seed: int) -> Callable[[EditCase], np.ndarray]:
    if isinstance(editor, Synthesizer) and all(case.hole.all() for case in cases):
        return lambda case: editor.synthesize(case.edit.layout, seed=seed)
    return lambda case: editor.edit(case.scene, case.edit, seed=seed)


def _truths(cases: Sequence[EditCase]) -> Rendering:
    nothing = np.zeros(len(cases))
    return Rendering(np.stack([case.reference for case in cases]), nothing, nothing, 0.0, real=True)


def _check(picture: np.ndarray, case: EditCase, name: str) -> None:
    if picture.dtype != np.uint8 or picture.shape != case.before.shape:
        raise InputError(f"{name} returned {picture.dtype} {picture.shape}; expected uint8 {case.before.shape}")
