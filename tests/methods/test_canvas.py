"""Canvas as a method: it keeps the promise of `methods.base.Editor` on the toy world and on a real street."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenebrush.data.toy import ToyWorld
from scenebrush.methods import load_model
from scenebrush.methods.base import Editor
from scenebrush.methods.canvas.method import CanvasEditor, load
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene


@pytest.fixture(scope="module")
def scene() -> Scene:
    return ToyWorld(5, (192, 128)).scene()


def foot_of_largest(scene: Scene) -> tuple[int, int]:
    instances = scene.layout.instance_map
    assert instances is not None
    numbers, counts = np.unique(instances[instances > 0], return_counts=True)
    rows, columns = np.nonzero(instances == numbers[np.argmax(counts)])
    return int(columns[len(rows) // 2]), int(rows[len(rows) // 2])


def test_it_is_an_editor_that_needs_no_files() -> None:
    assert isinstance(load(None), Editor)
    assert load_model("canvas").name == CanvasEditor.name == "canvas"


@pytest.mark.parametrize("operation", ["erase", "move", "add"])
def test_only_the_hole_changes(scene: Scene, operation: str) -> None:
    at = foot_of_largest(scene)
    edit = {
        "erase": lambda: scene.erase(at=at),
        "move": lambda: scene.move(at, by=(20, 1), scale=0.8),
        "add": lambda: scene.add("tree", box=(40, 50, 24, 50)),
    }[operation]()
    before = scene.photo.copy()
    result = CanvasEditor().edit(scene, edit, seed=3)
    assert result.shape == before.shape and result.dtype == np.uint8
    assert np.array_equal(result[~edit.hole], before[~edit.hole])
    assert np.array_equal(scene.photo, before)
    assert np.array_equal(result, CanvasEditor().edit(scene, edit, seed=3))


def test_an_erased_object_is_nearer_to_the_truth_than_a_flat_patch() -> None:
    """The toy world knows what is behind an object, though some of it (another car) no copy can guess."""
    ours, flat = [], []
    for seed in range(8):
        world = ToyWorld(seed, (192, 128))
        scene = world.scene()
        instances = scene.layout.instance_map
        assert instances is not None
        at = foot_of_largest(scene)
        edit = scene.erase(at=at)
        truth = world.without(int(instances[at[1], at[0]])).photo[edit.hole].astype(float)
        ours.append(np.abs(CanvasEditor().edit(scene, edit)[edit.hole] - truth).mean())
        flat.append(np.abs(scene.photo[~edit.hole].mean(axis=0) - truth).mean())
    assert np.mean(ours) < 0.85 * np.mean(flat)


def test_a_real_street_without_a_car(shared: Path) -> None:
    folder = shared / "data/camvid/test"
    label_path = sorted((folder / "labels").glob("*.png"))[3]
    photo = np.array(Image.open(next((folder / "images").glob(label_path.stem + ".*"))).convert("RGB"))
    scene = Scene(photo, Layout(np.array(Image.open(label_path)), LabelSet.load("camvid")))
    edit = scene.erase(class_="car")
    result = CanvasEditor().edit(scene, edit)
    assert np.array_equal(result[~edit.hole], photo[~edit.hole])
    assert np.abs(result[edit.hole].astype(int) - photo[edit.hole]).mean() > 5
