"""A scene folder of small hills, with target layouts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scenebrush.scene.files import write_label_map
from scenebrush.scene.folder import SceneFolder
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene
from tests.methods.semia.tiny import LAND, land, photo_of

HORIZONS = (0.3, 0.7)  # of the two targets of every photo


def write_folder(folder: Path, stems: Sequence[str] = ("north", "south"), **size: int) -> Path:
    """Writes one photo per stem, each with the targets of `HORIZONS`."""
    scenes = SceneFolder.create(folder, LAND)
    for seed, stem in enumerate(stems):
        layout = land(**size)
        scenes.write("test", stem, Scene(photo_of(layout, seed), layout))
        for number, horizon in enumerate(HORIZONS, start=1):
            write_target(folder, f"{stem}-{number}", land(horizon=horizon, **size))
    return folder


def write_target(folder: Path, name: str, layout: Layout) -> Path:
    """Writes a target layout."""
    (folder / "test" / "targets").mkdir(exist_ok=True)
    return write_label_map(folder / "test" / "targets" / f"{name}.png", layout.label_map, layout.label_set)
