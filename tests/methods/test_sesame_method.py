"""SESAME as an editor: every operation, seeds, label sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from scenebrush.canvas import compose
from scenebrush.errors import ModelError
from scenebrush.methods import load_model
from scenebrush.methods.base import Adaptable, Editor
from scenebrush.methods.sesame.config import SesameConfig
from scenebrush.methods.sesame.folder import save_model
from scenebrush.methods.sesame.hints import CLOTHES, PAINTS, paint_colors
from scenebrush.methods.sesame.method import SesameEditor, load
from scenebrush.methods.sesame.networks import WindowGenerator, build_generator
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelClass, LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene

Operation = Callable[[Scene, tuple[int, int]], Edit]

OPERATIONS: dict[str, Operation] = {
    "erase": lambda scene, at: scene.erase(at=at),
    "move": lambda scene, at: scene.move(at, by=(-20, 3)),
    "move out of the picture": lambda scene, at: scene.move(at, by=(-at[0], 0)),
    "resize": lambda scene, at: scene.resize(at, 1.3),
    "relabel": lambda scene, at: scene.relabel(at, "building"),
    "add": lambda scene, at: scene.add("car", box=(150, 100, 40, 25)),
    "paint all": lambda scene, at: scene.paint("tree", np.ones(scene.layout.shape, bool)),
}


@pytest.fixture
def editor(tiny_generator: WindowGenerator, camvid: LabelSet) -> SesameEditor:
    return SesameEditor(tiny_generator, camvid)


@pytest.fixture(scope="session")
def at(largest: np.ndarray) -> tuple[int, int]:
    """A point on the largest object."""
    rows, columns = np.nonzero(largest)
    middle = len(rows) // 2
    return int(columns[middle]), int(rows[middle])


def without_instances(scene: Scene) -> Scene:
    return replace(scene, layout=Layout(scene.layout.label_map, scene.layout.label_set))


def test_it_is_an_editor_that_adapts(editor: SesameEditor) -> None:
    assert isinstance(editor, Editor) and isinstance(editor, Adaptable)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
@pytest.mark.parametrize("instances", [True, False], ids=["instances", "none"])
def test_every_operation_changes_the_hole_only(
    editor: SesameEditor, toy_scene: Scene, at: tuple[int, int], operation: Operation, instances: bool
) -> None:
    scene = toy_scene if instances else without_instances(toy_scene)
    edit = operation(scene, at)
    before = scene.photo.copy()
    photo = editor.edit(scene, edit)
    assert photo.dtype == np.uint8 and photo.shape == scene.photo.shape
    assert np.array_equal(photo[~edit.hole], before[~edit.hole]) and np.array_equal(scene.photo, before)
    assert not np.array_equal(photo[edit.hole], before[edit.hole])
    assert np.array_equal(editor.edit(scene, edit), photo)


def test_an_edit_without_a_hole_is_the_photo(editor: SesameEditor, toy_scene: Scene, at: tuple[int, int]) -> None:
    assert np.array_equal(editor.edit(toy_scene, toy_scene.move(at, by=(0, 0))), toy_scene.photo)


def test_carried_objects_keep_their_pixels_and_soft_rim(
    editor: SesameEditor, toy_scene: Scene, at: tuple[int, int]
) -> None:
    edit = toy_scene.move(at, by=(-20, 3))
    canvas = compose(toy_scene, edit)
    photo = editor.edit(toy_scene, edit)
    assert np.array_equal(photo[canvas.carried], canvas.photo[canvas.carried])
    redrawn = editor.edit(toy_scene, replace(edit, carries=()))
    assert not np.array_equal(redrawn[canvas.carried], canvas.photo[canvas.carried])


def test_an_open_gate_gives_the_canvas(editor: SesameEditor, toy_scene: Scene, at: tuple[int, int]) -> None:
    network = editor.generator.network
    assert not isinstance(network.gate_bias, torch.Tensor)
    network.gate_bias.weight.fill_(1e6)  # type: ignore[union-attr, operator]
    edit = toy_scene.erase(at=at)
    canvas = compose(toy_scene, edit)
    assert np.array_equal(editor.edit(toy_scene, edit), canvas.photo)
    editor.guided = False
    assert not np.array_equal(editor.edit(toy_scene, edit), canvas.photo)


def test_seeds_choose_paints_and_zero_leaves_them_to_the_network(editor: SesameEditor, toy_scene: Scene) -> None:
    edit = toy_scene.add("car", box=(150, 100, 40, 25))
    pictures = {seed: editor.edit(toy_scene, edit, seed=seed).tobytes() for seed in (0, 1, 2, 3)}
    assert len(set(pictures.values())) > 2
    assert editor.edit(toy_scene, edit, seed=2).tobytes() == pictures[2]


def test_paint_is_dimmed_to_the_light_and_spares_what_shows_outside_of_the_hole(toy_scene: Scene) -> None:
    instances, hole = np.zeros(toy_scene.layout.shape, np.int32), np.zeros(toy_scene.layout.shape, bool)
    instances[10:20, 10:20], instances[50:60, 10:40], hole[5:60, 5:15] = 4, 2_000_000, True
    instances[10:20, 15:20] = 0  # object 4 lies in the hole, the other one mostly beside it
    night = replace(toy_scene, photo=toy_scene.photo // 4)
    layout = toy_scene.layout
    day, dark = (paint_colors(scene, layout, instances, hole, 3) for scene in (toy_scene, night))
    assert day.keys() == dark.keys() == {4}
    assert all(-1 <= c <= 1 for c in day[4]) and sum(dark[4]) < sum(day[4])
    assert paint_colors(toy_scene, layout, instances, hole, 0) == {}
    assert len({paint_colors(toy_scene, layout, instances, hole, seed)[4] for seed in range(1, 60)}) == len(PAINTS)
    person = layout.label_set.find("pedestrian").id
    people = replace(layout, label_map=np.where(instances == 4, np.int32(person), layout.label_map))
    dressed = [paint_colors(toy_scene, people, instances, hole, seed)[4] for seed in range(1, 60)]
    assert len(set(dressed)) == len(CLOTHES) and max(map(max, dressed)) < 0  # nobody comes as a white figure


def test_the_papers_network_edits_too(toy_scene: Scene, camvid: LabelSet, at: tuple[int, int]) -> None:
    config = SesameConfig(num_classes=12, network="paper", width=4, num_blocks=1, num_residual=1)
    editor = SesameEditor(build_generator(config).eval(), camvid)
    edit = toy_scene.erase(at=at)
    photo = editor.edit(toy_scene, edit)
    assert not editor.guided and np.array_equal(photo[~edit.hole], toy_scene.photo[~edit.hole])
    with pytest.raises(ModelError, match="cannot be extended"):
        editor.with_label_set(LabelSet.load("ade20k"))


# Label sets


def other_world(scene: Scene, *, unlabelled: bool = False) -> Scene:
    """The same scene under sparse ids, with one class that no model knows; its car is still called car."""
    camvid = scene.layout.label_set
    names = ["glacier" if c.name == "building" else c.name for c in camvid.classes]
    classes = tuple(
        LabelClass(7 * c.id + 3, name, c.color, c.kind) for c, name in zip(camvid.classes, names, strict=True)
    )
    label_map = 7 * scene.layout.label_map + 3
    if unlabelled:
        label_map[:, :40] = 255
    return replace(scene, layout=Layout(label_map, LabelSet("other", classes, 255), scene.layout.instance_map))


def test_another_label_set_is_refused_with_a_way_out(editor: SesameEditor, toy_scene: Scene) -> None:
    scene = other_world(toy_scene)
    with pytest.raises(ModelError, match=r"--model canvas, or --adapt"):
        editor.edit(scene, scene.add("car", box=(150, 100, 40, 25)))


def test_extended_to_another_label_set_the_known_classes_draw_as_before(editor: SesameEditor, toy_scene: Scene) -> None:
    scene = other_world(toy_scene)
    extended = editor.with_label_set(scene.layout.label_set)
    box = (150, 100, 40, 25)
    edit, same = scene.add("car", box=box), toy_scene.add("car", box=box)
    for unguided in (extended, editor):
        unguided.guided = False
    assert set(np.unique(edit.layout.label_map[edit.hole])) <= {7 * i + 3 for i in range(12) if i != 1}
    assert np.array_equal(extended.edit(scene, edit), editor.edit(toy_scene, same))
    assert extended.with_label_set(scene.layout.label_set) is extended
    assert editor.label_set.name == "camvid"


def test_an_unknown_class_begins_as_the_mean_of_its_kind(
    editor: SesameEditor, toy_scene: Scene, camvid: LabelSet
) -> None:
    label_set = other_world(toy_scene).layout.label_set
    extended = editor.with_label_set(label_set)
    table, old = (e.generator.network.label_embedding.weight for e in (extended, editor))  # type: ignore[union-attr]
    stuff = [i for i, c in enumerate(camvid.classes) if c.kind == "stuff"]
    for index, c in enumerate(label_set.classes):
        expected = old[stuff].mean(0) if c.name == "glacier" else old[index]  # type: ignore[index]
        assert torch.equal(table[index], expected)  # type: ignore[index]


def test_unlabelled_pixels_in_the_hole_are_drawn_as_their_neighbours(editor: SesameEditor, toy_scene: Scene) -> None:
    scene = other_world(toy_scene, unlabelled=True)
    hole = np.zeros(scene.layout.shape, bool)
    hole[60:90, 10:70] = True
    photo = editor.with_label_set(scene.layout.label_set).edit(scene, Edit(hole, scene.layout))
    assert np.array_equal(photo[~hole], scene.photo[~hole])


# Loading


def test_a_model_folder_is_loaded_by_its_path(
    tmp_path: Path, tiny_generator: WindowGenerator, tiny_config: SesameConfig, camvid: LabelSet
) -> None:
    save_model(tmp_path / "tiny", tiny_generator, tiny_config, camvid, {})
    model = load_model(tmp_path / "tiny")
    assert isinstance(model, SesameEditor) and model.name == "tiny" and model.label_set == camvid


def test_the_method_alone_is_no_model() -> None:
    with pytest.raises(ModelError, match="scenebrush train"):
        load(None)
