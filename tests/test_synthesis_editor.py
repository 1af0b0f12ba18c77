"""Editing a picture object by object: what keeps its look, what is drawn again, what is undone, written and refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenebrush import EditError, InputError, LabelSet, Layout, ModelError, Scene, SynthesisEditor
from scenebrush.methods.base import ObjectSynthesizer, Style
from scenebrush.methods.pix2pixhd.folder import save_model
from scenebrush.methods.pix2pixhd.method import Pix2PixHDSynthesizer
from scenebrush.methods.spade.method import SpadeSynthesizer
from tests.methods.synthesizers import CARD, photo_of, street, tiny_pix2pixhd, tiny_spade, tiny_styles

SKY, ROAD, CAR = 0, 3, 8
LEFT, RIGHT, ON_ROAD, IN_SKY = (14, 25), (30, 25), (60, 110), (5, 5)


@pytest.fixture(scope="module")
def camvid() -> LabelSet:
    return LabelSet.load("camvid")


@pytest.fixture
def model(camvid: LabelSet) -> Pix2PixHDSynthesizer:
    return Pix2PixHDSynthesizer(tiny_pix2pixhd(), camvid, tiny_styles())


@pytest.fixture
def wide(camvid: LabelSet) -> Layout:
    """A street that is large beside what a change reaches."""
    return street(camvid, height=120, width=260)


@pytest.fixture
def editor(model: Pix2PixHDSynthesizer, wide: Layout) -> SynthesisEditor:
    return SynthesisEditor(wide, model).render()


def outside(editor: SynthesisEditor) -> np.ndarray:
    """Returns where nothing was drawn for the last picture, bool (H, W)."""
    away = np.ones(editor.layout.shape, bool)
    for x, y, width, height in editor.drawn_boxes:
        away[y : y + height, x : x + width] = False
    return away


def test_it_starts_with_what_the_model_makes_of_the_layout(editor, model, wide):
    assert isinstance(model, ObjectSynthesizer)
    assert np.abs(editor.picture.astype(int) - model.synthesize(wide)).max() <= 1
    assert editor.pending == 0 and editor.drawn_boxes == ((0, 0, 260, 120),)
    assert editor.looks == {(SKY, 0): (0, 0, 0), (ROAD, 0): 0, (CAR, 1): 0, (CAR, 2): 0}
    drawn = SynthesisEditor(wide, model, seed=3).render().picture
    assert np.abs(drawn.astype(int) - model.synthesize(wide, seed=3)).max() <= 1


def test_before_it_is_rendered_there_is_no_picture(model, wide):
    editor = SynthesisEditor(wide, model)
    assert editor.pending == 1
    with pytest.raises(EditError, match="no picture yet; call render"):
        _ = editor.picture


def test_a_style_changes_its_object_and_nothing_far_away(editor):
    before = editor.picture
    editor.set_style(LEFT, 2).render()
    away = outside(editor)
    assert away.mean() > 0.3 and np.array_equal(editor.picture[away], before[away])
    assert (editor.picture[20:34, 10:24] != before[20:34, 10:24]).mean() > 0.2
    assert editor.style(LEFT) == 2 and editor.style(RIGHT) == 0 and editor.num_styles(LEFT) == 3


def test_the_generator_sees_few_pixels(editor, monkeypatch):
    seen = []
    networks = editor.model.networks
    whole = networks.input
    monkeypatch.setattr(networks, "input", lambda layout: seen.append(layout.label_map.numel()) or whole(layout))
    editor.set_style(LEFT, 1).render()
    assert 0 < sum(seen) < 0.45 * 120 * 260


def test_other_objects_keep_their_looks(editor):
    editor.set_style(LEFT, 2).set_style(ON_ROAD, 1)
    kept = editor.looks
    editor.add("car", box=(150, 80, 40, 20), style=1).relabel(RIGHT, "pedestrian").erase(at=LEFT)
    assert editor.style(ON_ROAD) == 1 and editor.style((160, 90)) == 1
    assert {key: look for key, look in editor.looks.items() if key in kept} == {
        key: look for key, look in kept.items() if key not in ((CAR, 1), (CAR, 2))
    }


def test_a_relabelled_object_gets_a_style_of_its_new_class(model, wide):
    editor = SynthesisEditor(wide, model).set_style(LEFT, 2).relabel(LEFT, "road")
    assert editor.style(LEFT) == 0 and (CAR, 1) not in editor.looks
    assert editor.relabel(LEFT, "sky").looks[SKY, 0] == (0, 0, 0)


def test_a_number_that_is_free_again_brings_no_old_style(editor):
    editor.set_style(RIGHT, 2).erase(at=RIGHT).add("car", box=(100, 70, 20, 10))
    assert editor.layout.instance_map[75, 110] == 2 and editor.style((110, 75)) == 0


def test_a_moved_object_takes_its_style_along(editor):
    before = editor.picture
    editor.set_style(LEFT, 2).move(LEFT, by=(200, 60)).render()
    assert editor.style((214, 85)) == 2
    assert len(editor.drawn_boxes) == 2
    assert np.array_equal(editor.picture[outside(editor)], before[outside(editor)])


def test_a_stroke_paints_and_grows_an_object(editor):
    editor.set_style(RIGHT, 2).stroke("car", [(36, 26), (60, 30)], 5)
    assert editor.style((58, 30)) == 2 and (editor.layout.label_map == CAR).sum() > 392


def test_undo_and_redo_bring_pictures_and_styles_back(editor, monkeypatch):
    first = editor.picture
    second = editor.set_style(LEFT, 2).render().picture
    third = editor.erase(at=RIGHT).render().picture
    monkeypatch.setattr(Pix2PixHDSynthesizer, "redraw", None)
    assert editor.undo().picture is second and editor.undo().picture is first and editor.style(LEFT) == 0
    assert editor.redo().redo().picture is third and editor.style(LEFT) == 2
    with pytest.raises(EditError, match="no undone edit"):
        editor.redo()


def test_steps_that_were_never_rendered_are_drawn_when_they_come_back(editor, model, wide):
    editor.set_style(LEFT, 2).erase(at=RIGHT).render().undo()
    assert editor.pending == 1
    alone = SynthesisEditor(wide, model).render().set_style(LEFT, 2).render()
    assert np.array_equal(editor.render().picture, alone.picture)


def test_a_whole_picture_anew_is_that_of_the_layout_and_looks(editor, model):
    editor.add("car", box=(150, 80, 40, 20), style=1).render()
    again = SynthesisEditor(editor.layout, model, looks=editor.looks).render()
    assert np.array_equal(editor.render(whole=True).picture, again.picture)
    assert again.looks == editor.looks


def test_a_change_of_most_of_the_picture_draws_it_whole(editor):
    assert editor.set_style(ON_ROAD, 1).render().drawn_boxes == ((0, 0, 260, 120),)
    editor.undo().set_style(LEFT, 1).render()  # the memory of the first picture is gone; it is drawn anew
    assert editor.style(LEFT) == 1


def test_alternatives_are_what_each_style_would_give(editor):
    before, looks = editor.picture, editor.looks
    made = editor.alternatives(LEFT)
    assert [one.style for one in made] == [0, 1, 2]
    assert editor.picture is before and editor.looks == looks and editor.pending == 0
    x, y, width, height = made[0].box
    assert (width, height) == (128, 120) and x <= 10 and y <= 20
    assert np.array_equal(made[0].picture, before[y : y + height, x : x + width])
    chosen = editor.set_style(LEFT, 2).render().picture
    assert np.array_equal(made[2].picture, chosen[y : y + height, x : x + width])
    assert [one.style for one in editor.alternatives(LEFT, [1])] == [1]


def test_without_an_instance_map_things_are_numbered(model, wide, camvid):
    editor = SynthesisEditor(Layout(wide.label_map, camvid), model)
    assert (CAR, 1) in editor.looks and editor.layout.instance_map is not None  # the two cars touch: one object
    assert np.abs(editor.render().picture.astype(int) - model.synthesize(Layout(wide.label_map, camvid))).max() <= 1


def test_a_photo_is_kept_where_it_is_not_edited(model, wide):
    scene = Scene(photo_of(wide), wide)
    editor = SynthesisEditor(scene, model)
    assert editor.picture is scene.photo and editor.pending == 0
    own = editor.looks[CAR, 2]
    assert isinstance(own, tuple) and editor.style(RIGHT) is None
    edit = scene.relabel(LEFT, "road")
    editor.relabel(LEFT, "road").render()
    assert np.array_equal(editor.picture[~edit.hole], scene.photo[~edit.hole])
    assert (editor.picture[edit.hole] != scene.photo[edit.hole]).any()
    editor.add("car", box=(150, 80, 40, 20)).set_style((160, 90), like=RIGHT).render()
    assert editor.looks[CAR, 3] == own == editor.looks[CAR, 2]
    once = editor.picture
    editor.set_style(RIGHT, 1).render()
    changed = (editor.picture != once).any(-1)
    assert changed[20:34, 24:38].any() and not changed[:, 50:].any()


def test_several_steps_on_a_photo_change_no_more_than_their_holes(model, wide):
    scene = Scene(photo_of(wide), wide)
    editor = SynthesisEditor(scene, model).erase(at=LEFT).add("car", box=(150, 80, 40, 20)).render()
    changed = (editor.picture != scene.photo).any(-1)
    assert changed[20:34, 10:24].any() and changed[80:100, 150:190].any() and not changed[:, 60:140].any()
    redrawn = editor.render(whole=True).picture
    assert not (redrawn != scene.photo).any(-1)[:, 60:140].any()


def test_a_photos_style_is_given_to_a_layout(model, wide):
    style = Style(photo=photo_of(wide), layout=wide)
    editor = SynthesisEditor(wide, model, style=style).render()
    assert np.abs(editor.picture.astype(int) - model.synthesize(wide, style=style)).max() <= 1


def test_a_model_without_styles_edits_too(camvid, wide):
    plain = Pix2PixHDSynthesizer(tiny_pix2pixhd(0), camvid, name="plain")
    editor = SynthesisEditor(wide, plain).render()
    before = editor.picture
    editor.add("car", box=(150, 80, 40, 20)).render()
    assert editor.looks == {} and (editor.picture != before)[85:95, 155:185].any()
    assert SynthesisEditor(Scene(photo_of(wide), wide), plain).erase(at=LEFT).render().pending == 0
    with pytest.raises(InputError, match="model 'plain' was trained without styles; style 1 was asked for"):
        editor.set_style(LEFT, 1)
    with pytest.raises(InputError, match="the car to look like has no look"):
        editor.set_style(LEFT, like=RIGHT)


def test_what_is_not_there_is_named_and_nothing_is_changed(editor):
    with pytest.raises(InputError, match="style 3 was asked for; class 'car' has in model 'pix2pixhd' styles 0 to 2"):
        editor.set_style(LEFT, 3)
    with pytest.raises(InputError, match="class 'sky' has in model 'pix2pixhd' no styles"):
        editor.alternatives(IN_SKY)
    with pytest.raises(InputError, match="style 7 was asked for"):
        editor.add("car", box=(150, 80, 40, 20), style=7)
    with pytest.raises(EditError, match="outside the picture of 260x120"):
        editor.set_style((260, 5), 0)
    with pytest.raises(EditError, match="takes one of"):
        editor.set_style(LEFT)
    with pytest.raises(InputError, match="style 0 to look like is one of class 'road', the object is of 'car'"):
        editor.set_style(LEFT, like=ON_ROAD)
    with pytest.raises(EditError, match="a stroke of 0 points"):
        editor.stroke("car", [], 5)
    assert editor.pending == 0


def test_what_cannot_start_is_refused(model, wide, camvid, tmp_path):
    with pytest.raises(InputError, match=r"looks names object \(8, 9\)"):
        SynthesisEditor(wide, model, looks={(8, 9): 0})
    with pytest.raises(EditError, match="seed -1"):
        SynthesisEditor(wide, model, seed=-1)
    with pytest.raises(ModelError, match="not of 'nyuv2'"):
        SynthesisEditor(street(LabelSet.load("nyuv2")), model)
    with pytest.raises(ModelError, match="makes no whole pictures"):
        SynthesisEditor(wide, "canvas")
    assert not isinstance(SpadeSynthesizer(tiny_spade(), camvid), ObjectSynthesizer)


def test_it_opens_a_model_folder_and_saves(model, wide, tmp_path: Path):
    save_model(tmp_path / "m", model.networks, model.label_set, {}, CARD, styles=model.styles, exact=True)
    editor = SynthesisEditor(wide, tmp_path / "m").erase(at=LEFT)
    written = editor.save(tmp_path / "out.png")
    assert [path.name for path in written] == ["out.png", "out.labels.png", "out.instances.png"]
    with Image.open(written[0]) as picture:
        assert np.array_equal(np.asarray(picture), editor.picture)
