"""The scene of the demo and what is done to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from scenebrush.scene import Scene
from scenebrush.scene.edit import Edit
from scenebrush.scene.script import read_script

CREDIT = "Photo: danielbuechele (flickr.com/photos/danielbuechele/6061409035), CC BY 2.0, edited by scenebrush demo"
CAPTIONS = {
    "1-erased": "Erased: the tree at the right",
    "2-widened": "Widened: the island in the lake",
    "3-added": "Added: a second pavilion, behind the shrubs",
}
"""For each edit of edits.json, in order: the name of its files, and what the sheet says below its picture."""


@dataclass(frozen=True)
class DemoEdit:
    """One edit: the name of its files, what the sheet says below it, and the operation."""

    name: str
    caption: str
    operation: Callable[[Scene], Edit]


def demo_scene() -> Scene:
    """Returns scikit-learn's `china.jpg` (640x427) with our label and instance maps."""
    photo = Path(str(resources.files("sklearn.datasets.images"))) / "china.jpg"
    return Scene.open(photo, data("china.labels.png"), data("classes.json"), data("china.instances.png"))


def demo_edits(folder: Path) -> list[DemoEdit]:
    """Returns the edits of `folder/edits.json`; the photo and maps that it copies from lie beside it."""
    script = read_script(folder / "edits.json", demo_scene().layout.label_set)
    return [DemoEdit(name, caption, edit) for (name, caption), edit in zip(CAPTIONS.items(), script, strict=True)]


def data(name: str) -> Path:
    """Returns the path of a file of the demo."""
    return Path(str(resources.files("scenebrush.demo"))) / name
