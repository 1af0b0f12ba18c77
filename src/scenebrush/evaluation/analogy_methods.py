"""What is measured on analogies: folders of fits, editors that may learn the photo first, and the photo as it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from scenebrush.errors import InputError, ModelError, nearest_name
from scenebrush.evaluation.methods_by_name import method_by_name
from scenebrush.evaluation.tasks.analogy import AnalogyCase
from scenebrush.methods import load_model, load_synthesizer
from scenebrush.methods.base import Adaptable, Editor, read_config
from scenebrush.scene.label_set import LabelSet

UNCHANGED = "unchanged"


@dataclass(frozen=True, eq=False)
class Painter:
    """A method, ready for one photo.

    Args:
        paint: makes a case's picture, uint8 (H, W, 3).
        draws_whole: it draws the whole picture; an editor cannot show a photo in its own layout, for nothing changes.
        learned: seconds that it learned this photo for; 0 = it did not, or nobody wrote it down.
    """

    paint: Callable[[AnalogyCase], np.ndarray]
    draws_whole: bool
    learned: float = 0.0


class AnalogyMethod(Protocol):
    """What is measured: gets ready for one photo after the other."""

    def ready_for(self, cases: Sequence[AnalogyCase], seed: int) -> Painter:
        """Returns what makes the pictures of the cases of one photo."""
        ...

    def check(self, stems: Sequence[str]) -> None:
        """Raises `InputError` where it cannot be ready for one of these photos."""
        ...


class Fits:
    """A folder of fits, `<stem>/` each: every photo is drawn by the model that learned it.

    Args:
        folder: of the fits.
        as_editor: only where the layouts differ, the rest is the photo: as `scenebrush edit --model FIT`.
    """

    def __init__(self, folder: Path, *, as_editor: bool = False) -> None:
        self._folder, self._as_editor = folder, as_editor

    def check(self, stems: Sequence[str]) -> None:
        """Names the first photo without a fit."""
        there = sorted(path.parent.name for path in self._folder.glob("*/config.json"))
        for stem in stems:
            if stem not in there:
                raise InputError(
                    f"{self._folder} holds no fit of photo {stem!r}{nearest_name(stem, there)};"
                    f" make it with scenebrush fit -o {self._folder / stem}, or measure fewer photos (-n)"
                )

    def ready_for(self, cases: Sequence[AnalogyCase], seed: int) -> Painter:
        """Loads the fit of the photo."""
        folder = self._folder / cases[0].group
        if self._as_editor:
            return _editing(load_model(folder), seed, _learned(folder))
        model = load_synthesizer(folder)
        return Painter(lambda case: model.synthesize(case.edit.layout, seed=seed), True, _learned(folder))


class Edits:
    """An editor, which makes anew where the layouts differ.

    Args:
        editor: the method.
        adapt: seconds that it learns each photo for, all its targets at hand; None = it does not.
    """

    def __init__(self, editor: Editor, *, adapt: float | None = None) -> None:
        if adapt is not None and not isinstance(editor, Adaptable):
            raise ModelError(f"model {editor.name!r} cannot learn from a photo; leave out adapt, or name another model")
        self._editor, self._adapt = editor, adapt

    def check(self, stems: Sequence[str]) -> None:
        """Any photo will do."""

    def ready_for(self, cases: Sequence[AnalogyCase], seed: int) -> Painter:
        """Learns the photo, if it is to."""
        if self._adapt is None:
            return _editing(self._editor, seed)
        assert isinstance(self._editor, Adaptable)
        start, source = time.perf_counter(), cases[0].source
        assert source is not None
        edits = [case.edit for case in cases if case.hole.any()]
        adapted = self._editor.adapt(source, edits, seconds=self._adapt, seed=seed)
        return _editing(adapted.model, seed, time.perf_counter() - start)


class Unchanged:
    """The photo as it is, whatever is asked for: the floor of agreement, and perfect in all the rest."""

    def check(self, stems: Sequence[str]) -> None:
        """Any photo will do."""

    def ready_for(self, cases: Sequence[AnalogyCase], seed: int) -> Painter:
        """Nothing is to be done."""
        return Painter(lambda case: case.before, False)


def analogy_method(spec: str, label_set: LabelSet, *, bank: Path | None = None) -> AnalogyMethod:
    """Returns what `spec` names.

    Args:
        spec: a folder of fits, perhaps with `?edit=on`; `unchanged`; or an editor as `method_by_name` takes it, which
            may learn each photo first: `sesame-street?adapt=60` (seconds; then it may be a model of other classes).
        label_set: of the data.
        bank: as in `method_by_name`.

    Raises:
        InputError, ModelError: as `method_by_name`, and a number of seconds that is none.
    """
    if spec == UNCHANGED:
        return Unchanged()
    name, _, query = spec.removeprefix("model:").partition("?")
    options = [part.partition("=")[::2] for part in query.split("&") if part]
    if _holds_fits(Path(name)):
        for option, value in options:
            if option != "edit" or value not in ("on", "off"):
                raise InputError(f"{spec}: {option}={value} is no option of a folder of fits; it has edit=on")
        return Fits(Path(name), as_editor=("edit", "on") in options)
    seconds = [_seconds(spec, value) for option, value in options if option == "adapt"]
    rest = "&".join(f"{option}={value}" for option, value in options if option != "adapt")
    # One that learns the photo may learn its classes there.
    known = None if seconds else label_set
    editor = method_by_name(f"{name}?{rest}" if rest else name, known, bank=bank)
    return Edits(editor, adapt=seconds[-1] if seconds else None)


def _holds_fits(folder: Path) -> bool:
    return folder.is_dir() and not (folder / "config.json").is_file() and any(folder.glob("*/config.json"))


def _learned(fit: Path) -> float:
    """Returns how many seconds a fit took, all its calls together, as its config.json says."""
    training = read_config(fit).get("training")
    return float(training.get("seconds") or 0) if isinstance(training, dict) else 0.0


def _seconds(spec: str, value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise InputError(f"{spec}: adapt={value} is no time to learn in; give seconds, for instance adapt=60")
    return seconds


def _editing(editor: Editor, seed: int, learned: float = 0.0) -> Painter:
    def paint(case: AnalogyCase) -> np.ndarray:
        if not case.hole.any():
            return case.before
        return editor.edit(case.scene, case.edit, seed=seed)

    return Painter(paint, False, learned)
