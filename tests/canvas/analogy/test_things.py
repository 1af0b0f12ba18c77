"""Things of an edit, made of the photo's own."""

from __future__ import annotations

import numpy as np
import pytest

from scenebrush.canvas import compose
from scenebrush.canvas.analogy import draw_things
from scenebrush.data.toy import ToyWorld
from scenebrush.methods.canvas.method import CanvasEditor
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelClass, LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene

GROUND, BALL, BOX = 1, 2, 3
WORLD = LabelSet(
    "things",
    (
        LabelClass(GROUND, "ground", (0, 255, 0), "stuff"),
        LabelClass(BALL, "ball", (255, 0, 0), "thing"),
        LabelClass(BOX, "box", (0, 0, 255), "thing"),
    ),
)


def disc(x: int, y: int, radius: int) -> np.ndarray:
    rows, columns = np.mgrid[:120, :160]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Grey ground with a red ball whose upper half is bright."""
    labels = np.where(disc(40, 60, 15), BALL, GROUND)
    photo = np.full((120, 160, 3), 120, np.uint8) + np.random.default_rng(0).integers(0, 9, (120, 160, 1), np.uint8)
    photo[labels == BALL] = (120, 20, 20)
    photo[(labels == BALL) & (np.arange(120)[:, None] < 60)] = (230, 60, 60)
    return Scene(photo, Layout(labels, WORLD))


def asked(scene: Scene, thing: np.ndarray, class_id: int = BALL) -> Edit:
    hole = thing.copy()
    hole[2:-2, 2:-2] |= thing[4:, 2:-2] | thing[:-4, 2:-2]
    return Edit(hole, Layout(np.where(thing, class_id, scene.layout.label_map), WORLD))


@pytest.mark.parametrize("radius", [15, 11])
def test_a_new_ball_looks_like_the_ball_there_is(scene: Scene, radius: int) -> None:
    edit = asked(scene, disc(115, 60, radius))
    drawn = draw_things(scene, edit, np.where(edit.hole[..., None], np.uint8(0), scene.photo)).astype(int)
    above, below = disc(115, 55, radius - 7), disc(115, 66, radius - 8)
    assert np.abs(drawn[above] - (230, 60, 60)).mean() < 25
    assert np.abs(drawn[below] - (120, 20, 20)).mean() < 25


def test_nothing_outside_the_hole_changes_and_what_was_carried_stays(scene: Scene) -> None:
    edit = asked(scene, disc(115, 60, 15))
    picture = np.where(edit.hole[..., None], np.uint8(7), scene.photo)
    carried = edit.hole & (np.arange(160) < 115)
    drawn = draw_things(scene, edit, picture, carried=carried)
    assert np.array_equal(drawn[~edit.hole | carried], picture[~edit.hole | carried])
    assert not np.array_equal(drawn, picture)


def test_what_the_photo_shows_inside_the_hole_does_not_matter(scene: Scene) -> None:
    edit = asked(scene, disc(115, 60, 15))
    other = scene.photo.copy()
    other[edit.hole] = (0, 255, 0)
    one, two = (draw_things(Scene(p, scene.layout), edit, scene.photo)[edit.hole] for p in (scene.photo, other))
    thing = edit.layout.label_map[edit.hole] == BALL
    assert np.array_equal(one[thing], two[thing])


def test_a_class_that_is_nowhere_takes_what_fits(scene: Scene) -> None:
    edit = asked(scene, disc(115, 60, 12), BOX)
    drawn = draw_things(scene, edit, np.where(edit.hole[..., None], np.uint8(0), scene.photo))
    assert drawn[disc(115, 60, 12)].mean() > 60  # not the black that was there


def test_without_things_or_without_anything_visible_the_picture_stays(scene: Scene) -> None:
    nothing = Edit(disc(115, 60, 12), scene.layout)
    assert draw_things(scene, nothing, scene.photo) is scene.photo
    all_hidden = Edit(np.ones((120, 160), bool), scene.layout)
    assert draw_things(scene, all_hidden, scene.photo) is scene.photo


def test_the_canvas_draws_by_analogy_unless_it_is_told_not_to() -> None:
    world = ToyWorld(5, (192, 128)).scene()
    edit = world.add("car", box=(40, 80, 60, 30))
    with_analogies, without = (CanvasEditor(analogies=on).edit(world, edit) for on in (True, False))
    assert np.array_equal(without, compose(world, edit, lend=True).photo)
    car = (edit.layout.label_map == edit.layout.label_set.find("car").id) & edit.hole
    assert not np.array_equal(with_analogies[car], without[car])
