"""Canvas as a method of its own: edits made of real pixels alone; no training, any label set."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scenebrush.canvas import Parts, compose
from scenebrush.canvas.analogy import draw_things
from scenebrush.canvas.plan import ALL_PARTS
from scenebrush.scene.edit import Edit
from scenebrush.scene.scene import Scene


class CanvasEditor:
    """Renders edits by copying, blending and pasting (`canvas.compose`).

    Args:
        parts: what copying does; all by default.
        analogies: things that nothing brings are made of the photo's own things of their class; otherwise only lent
            whole, where one of a similar shape is there (`canvas.lending`).
    """

    name = "canvas"

    def __init__(self, parts: Parts = ALL_PARTS, *, analogies: bool = True) -> None:
        self.parts = parts
        self.analogies = analogies

    def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
        """Returns the photo after the edit; see `methods.base.Editor.edit`. The seed is that of a search for things."""
        canvas = compose(scene, edit, lend=True, parts=self.parts)
        if not self.analogies:
            return canvas.photo
        return draw_things(scene, edit, canvas.photo, carried=canvas.carried, seed=seed)


def load(folder: Path | None) -> CanvasEditor:
    """Returns the editor; it has no weights."""
    return CanvasEditor()
