"""Makes the demo's pictures."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from scenebrush.demo.edits import CREDIT, data, demo_edits, demo_scene
from scenebrush.demo.sheet import sheet
from scenebrush.editor import Editor
from scenebrush.errors import InputError
from scenebrush.methods import load_model
from scenebrush.scene import write_photo


def make_demo(out: Path, model: str = "canvas", report: Callable[[int, int], None] | None = None) -> list[Path]:
    """Writes the photo before, after each edit and after all, their maps, and the sheets; returns all paths.

    `classes.json` and the script of the edits, `edits.json`, come to lie beside them, so that all of it can be done
    again with `scenebrush edit`.

    Args:
        out: the folder, made if it is not there.
        model: who makes the pixels.
        report: told (done, total) after each edit.
    """
    scene = demo_scene()
    editor = Editor(scene, load_model(model))
    _make_folder(out)
    written = editor.save(out / "before.png")
    written += [Path(shutil.copyfile(data(name), out / name)) for name in ("classes.json", "edits.json")]
    pictures = [("The photograph", scene.photo)]
    edits = demo_edits(out)
    for number, edit in enumerate(edits, start=1):
        editor.apply(edit.operation)
        written += editor.save(out / f"after-{edit.name}.png")
        pictures.append((edit.caption, editor.photo))
        if report is not None:
            report(number, len(edits))
    written += editor.save(out / "after.png")
    written.append(write_photo(out / "sheet.png", sheet(pictures, credit=CREDIT)))
    written.append(write_photo(out / "before-after.png", _side_by_side(scene.photo, editor.photo)))
    return written


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out} cannot be made ({error.strerror}); choose another folder with --out") from error


def _side_by_side(before: np.ndarray, after: np.ndarray, gap: int = 8) -> np.ndarray:
    white = np.full((before.shape[0], gap, 3), 255, np.uint8)
    return np.concatenate([before, white, after], axis=1)
