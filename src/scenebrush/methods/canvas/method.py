"""Canvas as a method of its own: edits made of real pixels alone; no training, any label set."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scenebrush.canvas import Parts, compose
from scenebrush.canvas.plan import ALL_PARTS
from scenebrush.scene.edit import Edit
from scenebrush.scene.scene import Scene


class CanvasEditor:
    """Renders edits by copying, blending and pasting (`canvas.compose`).

    Args:
        parts: what copying does; all by default.
    """

    name = "canvas"

    def __init__(self, parts: Parts = ALL_PARTS) -> None:
        self.parts = parts

    def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
        """Returns the photo after the edit; see `methods.base.Editor.edit`. The seed changes nothing."""
        return compose(scene, edit, lend=True, parts=self.parts).photo


def load(folder: Path | None) -> CanvasEditor:
    """Returns the editor; it has no weights."""
    return CanvasEditor()
