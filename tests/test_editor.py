"""The facade, with a model that paints the hole in one colour: what it queues, renders, undoes and writes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenebrush import Edit, EditError, Editor, LabelError, LabelSet, Layout, ModelError, Scene
from scenebrush.methods.base import Editor as Model

SKY, ROAD, CAR = 0, 3, 8


class Painter:
    """A model that paints everything, hole or not, in a colour that tells the seed."""

    name = "painter"

    def __init__(self) -> None:
        self.calls: list[tuple[Scene, Edit]] = []

    def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
        self.calls.append((scene, edit))
        return np.full_like(scene.photo, 100 + seed)


@pytest.fixture
def scene() -> Scene:
    labels = np.full((40, 60), ROAD, np.int32)
    labels[:15] = SKY
    labels[20:26, 10:20] = labels[20:26, 40:50] = CAR
    photo = np.random.default_rng(0).integers(0, 90, (40, 60, 3), dtype=np.uint8)
    return Scene(photo, Layout(labels, LabelSet.load("camvid")))


def test_pixels_outside_the_hole_stay_whatever_the_model_does(scene):
    model = Painter()
    editor = Editor(scene, model).erase(at=(15, 23)).render()
    hole = model.calls[0][1].hole
    np.testing.assert_array_equal(editor.photo[~hole], scene.photo[~hole])
    assert (editor.photo[hole] == 100).all()


def test_operations_change_the_layout_at_once_and_the_photo_when_rendered(scene):
    editor = Editor(scene, Painter()).erase(at=(15, 23))
    assert editor.layout.label_map[23, 15] == ROAD
    assert editor.photo is scene.photo and editor.pending == 1
    assert editor.render().pending == 0 and not np.array_equal(editor.photo, scene.photo)


def test_the_editor_takes_every_option_of_an_operation(scene):
    mask = scene.layout.label_map == CAR
    editor = Editor(scene, Painter())
    asked = {
        "move": ({"at": (15, 23), "scale": 2.0, "dilate": 1}, scene.move),
        "resize": ({"at": (15, 23), "scale": 2.0, "behind": True}, scene.resize),
        "relabel": ({"at": (15, 23), "to": "tree", "dilate": 6}, scene.relabel),
        "paint": ({"class_": "road", "mask": mask, "dilate": 6, "shadow": 0}, scene.paint),
    }
    for name, (arguments, operation) in asked.items():
        (plan,) = getattr(editor, name)(**arguments).plans
        np.testing.assert_array_equal(plan.hole, operation(**arguments).hole)
        editor.undo()


def test_each_edit_is_made_on_the_picture_of_the_one_before(scene):
    model = Painter()
    Editor(scene, model).erase(at=(15, 23)).erase(at=(45, 23)).render()
    (_, first), (second_scene, _) = model.calls
    assert (second_scene.photo[first.hole] == 100).all()
    assert second_scene.layout.label_map[23, 15] == ROAD


def test_a_moved_object_carries_the_rendered_pixels(scene):
    model = Painter()
    Editor(scene, model).move((15, 23), by=(5, 5)).move((20, 28), by=(5, 5)).render()
    donor = model.calls[1][1].carries[0].donor
    assert donor.photo is model.calls[1][0].photo


def test_undo_and_redo_render_nothing_twice(scene):
    model = Painter()
    editor = Editor(scene, model).erase(at=(15, 23)).erase(at=(45, 23)).render()
    both = editor.photo
    editor.undo()
    assert editor.layout.label_map[23, 45] == CAR and (editor.photo[23, 45] == scene.photo[23, 45]).all()
    assert editor.redo().photo is both
    assert len(model.calls) == 2
    editor.undo().undo()
    assert editor.photo is scene.photo and editor.layout is scene.layout


def test_a_new_operation_forgets_what_was_undone(scene):
    editor = Editor(scene, Painter()).erase(at=(15, 23)).undo().erase(at=(45, 23))
    with pytest.raises(EditError, match="no undone edit"):
        editor.redo()


def test_nothing_to_undo(scene):
    with pytest.raises(EditError, match="no edit to undo"):
        Editor(scene, Painter()).undo()


def test_a_refused_operation_leaves_the_queue_as_it_was(scene):
    editor = Editor(scene, Painter()).erase(at=(15, 23))
    with pytest.raises(EditError, match="outside the picture"):
        editor.erase(at=(60, 3))
    assert editor.pending == 1


def test_redraw_leaves_nothing_to_carry(scene):
    model = Painter()
    Editor(scene, model, redraw=True).move((15, 23), by=(5, 5)).render()
    assert model.calls[0][1].carries == ()


def test_each_edit_has_its_own_seed(scene):
    editor = Editor(scene, Painter(), seed=7).erase(at=(15, 23)).erase(at=(45, 23)).render()
    assert (editor.photo[23, 15] == 107).all() and (editor.photo[23, 45] == 108).all()


def test_progress_is_told_after_each_edit(scene):
    told: list[tuple[int, int]] = []
    Editor(scene, Painter()).erase(at=(15, 23)).erase(at=(45, 23)).render(
        lambda done, total: told.append((done, total))
    )
    assert told == [(1, 2), (2, 2)]


def test_a_model_that_returns_another_size_is_named(scene):
    class Wrong(Painter):
        def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
            return np.zeros((4, 4, 3), np.uint8)

    with pytest.raises(ModelError, match="painter"):
        Editor(scene, Wrong()).erase(at=(15, 23)).render()


def test_save_renders_and_writes_maps_beside_the_photo(scene, tmp_path: Path):
    written = Editor(scene, Painter()).erase(at=(15, 23)).save(tmp_path / "out.png")
    assert [path.name for path in written] == ["out.png", "out.labels.png"]
    with Image.open(written[1]) as labels:
        assert np.array(labels)[23, 15] == ROAD
    with Image.open(written[0]) as photo:
        assert np.array(photo)[23, 15, 0] == 100


def test_the_default_model_takes_any_label_set(scene):
    assert isinstance(Editor(scene).model, Model)


def top_left(photo: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
    """A cutter: the top left quarter of a box."""
    x0, y0, x1, y1 = box
    mask = np.zeros(photo.shape[:2], np.float32)
    mask[y0 : (y0 + y1) // 2, x0 : (x0 + x1) // 2] = 0.9
    return mask


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A photo without labels: noise, with a white square at x 20-27, y 8-15."""
    pixels = np.random.default_rng(3).integers(0, 60, (30, 50, 3), dtype=np.uint8)
    pixels[8:16, 20:28] = 250
    Image.fromarray(pixels).save(tmp_path / "other.png")
    return tmp_path / "other.png"


def test_an_object_in_a_box_of_another_photo_is_cut_out_and_brings_its_pixels(scene, other):
    editor = Editor(scene, "canvas", cutter=top_left)
    editor.add("car", from_=other, box=(20, 8, 16, 16), at=(30, 30)).render()
    changed = (editor.layout.label_map != scene.layout.label_map).nonzero()
    assert len(changed[0]) == 64 and (editor.layout.label_map[changed] == CAR).all()
    assert editor.photo[changed].mean() > scene.photo[changed].mean() + 80
    hole = editor._steps[0].plan.hole
    np.testing.assert_array_equal(editor.photo[~hole], scene.photo[~hole])
    np.testing.assert_array_equal(editor.undo().photo, scene.photo)


def test_the_class_of_what_another_scene_lends_is_read_there(scene):
    labels = np.full((40, 60), SKY, np.int32)
    labels[4:9, 4:9] = CAR
    lender = Scene(scene.photo, Layout(labels, LabelSet.load("camvid")))
    editor = Editor(scene, Painter(), cutter=top_left).add(from_=lender, box=(0, 0, 20, 20), at=(30, 30))
    assert np.count_nonzero(editor.layout.label_map == CAR) == 120 + 100


def test_what_is_missing_to_cut_out_is_told_before_anything_is_cut(scene, other):
    def never(photo: np.ndarray, box: tuple[int, int, int, int]) -> np.ndarray:
        raise AssertionError

    editor = Editor(scene, Painter(), cutter=never)
    with pytest.raises(EditError, match="name its class"):
        editor.add(from_=other, box=(20, 8, 16, 16), at=(30, 30))
    with pytest.raises(EditError, match="needs 'box'"):
        editor.add("car", from_=other, at=(30, 30))
    with pytest.raises(LabelError, match=r"did you mean 'car'"):
        editor.add("caar", from_=other, box=(20, 8, 16, 16), at=(30, 30))
    assert editor.pending == 0


def test_a_model_that_cuts_nothing_out_is_named_when_it_is_asked(scene, other):
    editor = Editor(scene, Painter(), cutter="canvas").erase(at=(15, 23))
    with pytest.raises(
        ModelError,
        match=r"model 'canvas' cuts no objects out of photos; give (seigan-objects|a model folder of seigan)",
    ):
        editor.add("car", from_=other, box=(20, 8, 16, 16), at=(30, 30))
    assert editor.pending == 1
