"""SEIGAN as an editor: the hole alone changes, what is erased is filled, carried objects are enhanced."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from scenebrush.data.toy import ToyWorld
from scenebrush.errors import ModelError
from scenebrush.methods import load_model
from scenebrush.methods.base import Editor
from scenebrush.methods.seigan.folder import save_model
from scenebrush.methods.seigan.method import SeiganEditor, load
from scenebrush.methods.seigan.rendering import enhanced, inpainted
from scenebrush.scene import operations
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.scene import Scene

CAMVID = LabelSet.load("camvid")


@pytest.fixture(scope="module")
def scene() -> Scene:
    return ToyWorld(3, (192, 144)).scene()


@pytest.fixture
def editor(networks) -> SeiganEditor:
    return SeiganEditor(networks, CAMVID)


def place_of_an_object(scene: Scene) -> tuple[int, int]:
    instances = scene.layout.instance_map
    assert instances is not None
    largest = max(np.unique(instances[instances > 0]), key=lambda n: np.count_nonzero(instances == n))
    rows, columns = np.nonzero(instances == largest)
    middle = len(rows) // 2
    return int(columns[middle]), int(rows[middle])


def test_it_is_an_editor(editor):
    assert isinstance(editor, Editor) and editor.name == "seigan"


def test_erasing_fills_the_hole_by_the_inpainter_and_nothing_else(editor, scene):
    edit = operations.erase(scene, at=place_of_an_object(scene))
    result = editor.edit(scene, edit)
    assert result.dtype == np.uint8 and result.shape == scene.photo.shape
    assert np.array_equal(result[~edit.hole], scene.photo[~edit.hole])
    assert not np.array_equal(result[edit.hole], scene.photo[edit.hole])
    assert np.array_equal(result, editor.edit(scene, edit))


def test_what_was_in_the_hole_is_not_looked_at(networks, scene):
    hole = np.zeros(scene.photo.shape[:2], bool)
    hole[40:70, 50:100] = True
    other = scene.photo.copy()
    other[hole] = 255 - other[hole]
    assert np.array_equal(inpainted(networks, scene.photo, hole), inpainted(networks, other, hole))


def test_every_pixel_of_a_hole_in_parts_is_filled(networks, scene):
    marked, hole = scene.photo.copy(), np.zeros(scene.photo.shape[:2], bool)
    for y, x in ((5, 5), (80, 20), (100, 150)):
        hole[y : y + 20, x : x + 25] = True
    marked[hole] = (255, 0, 255)
    filled = inpainted(networks, marked, hole)
    assert not (filled[hole] == (255, 0, 255)).all(axis=1).any()
    assert np.array_equal(filled[~hole], scene.photo[~hole])


def test_fills_meet_the_photo_at_the_rim(networks):
    """On an even photo a fill of another even colour becomes the photo's; what else is drawn stays drawn."""
    photo, hole = np.full((96, 96, 3), 200, np.uint8), np.zeros((96, 96), bool)
    hole[30:60, 30:60] = True

    class Painter(torch.nn.Module):
        def forward(self, image, mask):
            drawn = torch.full_like(image, -0.5)
            middle = image.shape[-1] // 2
            drawn[..., middle - 6 : middle + 6, middle - 6 : middle + 6] += 0.4
            return drawn

    networks.inpainter = Painter()
    filled = inpainted(networks, photo, hole).astype(int)
    for ring in (filled[30:34, 30:60], filled[56:60, 30:60], filled[30:60, 30:34], filled[30:60, 56:60]):
        assert np.abs(ring - 200).max() <= 6
    assert np.abs(filled[45, 45] - filled[45, 35] - 51).max() <= 6  # 0.4 of a range of 255 / 2


@pytest.mark.parametrize("shape", [(40, 50), (20, 300), (400, 330)])
def test_photos_of_any_size(networks, shape):
    photo = np.random.default_rng(0).integers(0, 255, (*shape, 3)).astype(np.uint8)
    hole = np.zeros(shape, bool)
    hole[5:15, 5 : shape[1] - 5] = True
    filled = inpainted(networks, photo, hole)
    assert np.array_equal(filled[~hole], photo[~hole])


def test_a_hole_that_is_the_whole_photo(networks):
    assert inpainted(networks, np.zeros((32, 32, 3), np.uint8), np.ones((32, 32), bool)).shape == (32, 32, 3)


def test_the_enhancer_changes_its_object_alone(networks, scene):
    with torch.no_grad():
        networks.enhancer.network.to_map.bias.fill_(0.5)
    target = np.zeros(scene.photo.shape[:2], bool)
    target[50:90, 60:100] = True
    changed = enhanced(networks, scene.photo, target)
    assert np.array_equal(changed[~target], scene.photo[~target])
    assert (changed[target].astype(int) - scene.photo[target]).mean() > 5
    assert np.array_equal(enhanced(networks, scene.photo, np.zeros_like(target)), scene.photo)


def test_moving_and_adding_keep_their_promise(editor, scene):
    x, y = place_of_an_object(scene)
    mask = np.zeros(scene.photo.shape[:2], bool)
    mask[100:130, 20:60] = True
    for edit in (operations.move(scene, at=(x, y), by=(12, 4)), operations.add(scene, "car", mask=mask)):
        result = editor.edit(scene, edit)
        assert np.array_equal(result[~edit.hole], scene.photo[~edit.hole])
        assert np.array_equal(result, editor.edit(scene, edit))


def test_a_model_folder_is_found_by_its_method(networks, tmp_path: Path):
    save_model(tmp_path / "mine", networks, CAMVID, {}, "# Mine\n\nCuts and fills.\n")
    model = load_model(tmp_path / "mine")
    assert isinstance(model, SeiganEditor) and model.name == "mine"
    with pytest.raises(ModelError, match="needs a model folder"):
        load(None)
