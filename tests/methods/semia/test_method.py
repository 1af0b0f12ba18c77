"""What a fit draws, its edits, and its model folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from scenebrush.errors import InputError, ModelError
from scenebrush.methods import Editor, PhotoSynthesizer, Style, load_model, load_synthesizer
from scenebrush.methods.semia.config import KINDS, SemiaConfig
from scenebrush.methods.semia.folder import RENDERERS, Renderer, read_fit
from scenebrush.methods.semia.method import SemiaModel, load
from scenebrush.methods.semia.paper_method import PaperRenderer, build_generator
from scenebrush.methods.semia.pupil import PUPILS, build_pupil
from scenebrush.scene.files import write_label_map
from scenebrush.scene.label_set import LabelClass, LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene
from tests.methods.semia import tiny
from tests.methods.semia.tiny import LAND, TinyPupil, land, photo_of, tiny_source


class Painter:
    """A renderer that paints the classes' colours, a little lighter with every seed."""

    any_size = True
    varies = True

    def render(self, layout: Layout, seed: int) -> np.ndarray:
        return np.minimum(layout.label_set.colors(layout.label_map).astype(int) + seed, 255).astype(np.uint8)


class OneSize(Painter):
    any_size = False
    varies = False


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pupil = TinyPupil(tiny_source())
    pupil.iterate(0, 0.0)
    pupil.export(tmp_path / "fit", {"iterations": 1})
    return tmp_path / "fit"


def painter(renderer: Renderer | None = None) -> SemiaModel:
    return SemiaModel(renderer or Painter(), tiny_source(), name="hills")


def test_it_is_what_it_promises(folder: Path) -> None:
    model = load_synthesizer(folder)
    assert isinstance(model, PhotoSynthesizer) and isinstance(model, Editor) and model.name == "fit"
    assert model.label_set == LAND and not model.varies() and not model.nearest_class


def test_it_draws_what_its_networks_draw(folder: Path) -> None:
    pupil = TinyPupil(tiny_source())
    pupil.iterate(0, 0.0)
    generator = pupil.generator.eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    expected = PaperRenderer(generator, tiny_source()).render(land(horizon=0.3), 0)
    drawn = load(folder).synthesize(land(horizon=0.3))
    # Not rounded on disk, laid out alike in memory: the paper's ratio of features shows every rounding.
    assert drawn.dtype == np.uint8 and np.array_equal(drawn, expected)
    assert not np.array_equal(drawn, load(folder).synthesize(land(horizon=0.7)))


@pytest.mark.parametrize("size", [(72, 88), (65, 67), (71, 90)])
def test_sides_that_do_not_divide_are_padded_and_cropped(size: tuple[int, int]) -> None:
    source = tiny_source(height=size[0], width=size[1])
    config = SemiaConfig(kind="paper", width=4)
    model = SemiaModel(PaperRenderer(build_generator(config).eval(), source, config.divisor), source)
    assert model.synthesize(source.layout).shape == (*size, 3)


def test_seeds_and_styles() -> None:
    model = painter()
    assert model.varies() and not np.array_equal(model.synthesize(land()), model.synthesize(land(), seed=9))
    with pytest.raises(InputError, match="fit 'hills' has one look, that of its photo"):
        model.synthesize(land(), style=Style(photo=photo_of(land())))


def test_the_picture_has_the_layouts_size() -> None:
    wide = land(height=72, width=176)
    assert np.array_equal(painter().synthesize(wide), LAND.colors(wide.label_map)) and not painter().notes(wide)
    large = land(height=144, width=176)
    for scaled in (painter(), painter(OneSize())):
        assert scaled.synthesize(large).shape == (144, 176, 3)
        assert scaled.notes(large) == (
            "the layout is 176x144, fit 'hills' learned 88x72: drawn at that size, the picture is scaled",
        )


def test_a_class_that_the_photo_lacks() -> None:
    labels = land().label_map.copy()
    labels[60:70, 40:60] = 7
    model = painter()
    with pytest.raises(InputError, match="shows no 'lake', which the layout has in 200 pixels"):
        model.synthesize(Layout(labels, LAND))
    model.nearest_class = True
    assert np.array_equal(model.synthesize(Layout(labels, LAND)), LAND.colors(land().label_map))


def test_an_edit_of_the_learned_photo_keeps_all_outside_its_hole() -> None:
    source = tiny_source()
    scene = Scene(source.photo, source.layout)
    edit = scene.erase(at=(20, 44))
    photo = painter().edit(scene, edit)
    assert np.array_equal(photo[~edit.hole], source.photo[~edit.hole])
    hill = edit.hole & (edit.layout.label_map == 1)
    assert np.abs(photo[hill].mean(0) - LAND.by_id[1].color).max() < 6  # no hut is left
    assert (edit.layout.label_map != 2).all()


def test_an_edit_of_another_size_of_the_photo() -> None:
    scene = Scene(photo_of(land(height=144, width=176)), land(height=144, width=176))
    edit = scene.erase(at=(20, 80))
    photo = painter(OneSize()).edit(scene, edit)
    assert photo.shape == (144, 176, 3) and np.array_equal(photo[~edit.hole], scene.photo[~edit.hole])


def test_classes_that_were_renamed_keep_their_names(folder: Path) -> None:
    text = (folder / "classes.json").read_text().replace('"hut"', '"cabin"')
    (folder / "classes.json").write_text(text)
    TinyPupil(tiny_source()).export(folder, {"iterations": 2})  # the fit goes on meanwhile
    model = load(folder)
    assert model.label_set.find("cabin").id == 2 and (folder / "classes.json").read_text() == text
    assert model.synthesize(Layout(land().label_map, model.label_set)).shape == (72, 88, 3)
    assert json.loads((folder / "config.json").read_text())["training"]["iterations"] == 2


def test_renaming_may_not_change_ids(folder: Path) -> None:
    other = LabelSet("land", (LabelClass(5, "sky", (1, 2, 3), "stuff"),))
    (folder / "classes.json").write_text(other.to_json())
    with pytest.raises(ModelError, match=r"classes.json has ids \[5\], the fit has \[0, 1, 2, 7\]"):
        load(folder)
    (folder / "classes.json").write_text("{}")
    with pytest.raises(ModelError, match=r"classes.json is no label set"):
        load(folder)
    (folder / "classes.json").unlink()
    assert load(folder).label_set == LAND


@pytest.mark.parametrize("name", ["photo.png", "labels.png", "model.safetensors", "config.json"])
def test_a_file_that_is_missing_or_cut_off_is_named(folder: Path, name: str) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:60])
    with pytest.raises(ModelError, match=name):
        load(folder)
    (folder / name).unlink()
    with pytest.raises(ModelError, match=name):
        load(folder)


def test_the_kind_of_layout_is_kept(tmp_path: Path) -> None:
    source = tiny_source()
    pupil = TinyPupil(type(source)(source.photo, source.layout, "drawing"))
    pupil.export(tmp_path / "m", {})
    fit = read_fit(tmp_path / "m")
    assert fit.source.kind == "drawing" and fit.config == pupil.config
    model = load(tmp_path / "m")
    write_label_map(tmp_path / "t.png", land(horizon=0.2).label_map, LAND)
    assert np.array_equal(model.read_layout(tmp_path / "t.png").label_map, land(horizon=0.2).label_map)


def test_without_a_folder_there_is_no_model() -> None:
    with pytest.raises(ModelError, match="scenebrush fit"):
        load(None)
    with pytest.raises(ModelError, match="unknown model 'semia'"):
        load_model("semia")


def test_every_kind_has_its_pupil_and_its_renderer() -> None:
    assert PUPILS.keys() == RENDERERS.keys() == set(KINDS)


def test_a_kinds_pupil_is_made_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scenebrush.methods.semia.compact_fit", tiny)
    monkeypatch.setattr("scenebrush.methods.semia.pupil.PUPILS", {"compact": ("compact_fit", "TinyPupil")})
    assert isinstance(build_pupil(tiny_source(), SemiaConfig(), seed=3), TinyPupil)
