"""The scene of the demo and what is done to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from scenebrush.scene import Scene, Segment
from scenebrush.scene.edit import Edit

CREDIT = "Photo: danielbuechele (flickr.com/photos/danielbuechele/6061409035), CC BY 2.0, edited by scenebrush demo"
TREE = (600, 300)
PAVILION = (200, 250)
ISLAND = (450, 236)


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


def data(name: str) -> Path:
    """Returns the path of a file of the demo."""
    return Path(str(resources.files("scenebrush.demo"))) / name


def erase_tree(scene: Scene) -> Edit:
    """The tree at the right goes; sky, shore, lake and the shrubs go on behind it."""
    return scene.erase(at=TREE)


def widen_island(scene: Scene) -> Edit:
    """The island grows to half again its width and height."""
    return scene.resize(ISLAND, (1.5, 1.4))


def add_pavilion(scene: Scene) -> Edit:
    """A second pavilion, half the size, stands behind the shrubs at the right."""
    return scene.add(segment=Segment.at(scene, PAVILION), at=(560, 275), scale=0.5, flip=True, behind=("foliage",))


EDITS = (
    DemoEdit("1-erased", "Erased: the tree at the right", erase_tree),
    DemoEdit("2-widened", "Widened: the island in the lake", widen_island),
    DemoEdit("3-added", "Added: a second pavilion", add_pavilion),
)
