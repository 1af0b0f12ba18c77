"""Adapting to one photo: what is held out, what is kept, and that it learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from scenebrush.data.windows import Window
from scenebrush.errors import InputError, ModelError
from scenebrush.methods.sesame import adaptation, lessons
from scenebrush.methods.sesame.adaptation import Adapted, adapt
from scenebrush.methods.sesame.config import SesameConfig
from scenebrush.methods.sesame.inputs import WindowArrays
from scenebrush.methods.sesame.lessons import Lessons, in_photo, without
from scenebrush.methods.sesame.method import SesameEditor
from scenebrush.methods.sesame.networks import WindowGenerator, build_generator
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene


@pytest.fixture(autouse=True)
def no_assets(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A plain installation: no VGG, reconstruction alone."""
    monkeypatch.setenv("SCENEBRUSH_ASSETS", str(tmp_path_factory.getbasetemp() / "nothing"))


class Clock:
    """Stands in for the module `time`: a second goes by whenever somebody looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture(autouse=True)
def small_and_steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small windows, few of them held out, and steps that always take a second."""
    monkeypatch.setattr(lessons, "SIZE", 48)
    monkeypatch.setattr(lessons, "HELD_OUT", 4)
    monkeypatch.setattr(adaptation, "time", Clock())


@pytest.fixture
def generator(tiny_config: SesameConfig) -> WindowGenerator:
    """Unguided, so that no window needs a canvas."""
    torch.manual_seed(0)
    return build_generator(replace(tiny_config, guided=False)).eval().requires_grad_(False)


def numbered(shape: tuple[int, int]) -> Scene:
    """A scene whose colours tell where each pixel lies: red and green are its row and column."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    photo = np.stack([rows, columns, 0 * rows], -1).astype(np.uint8)
    return Scene(photo, Layout(np.zeros(shape, int), LabelSet.load("camvid")))


def make_window(flipped: bool = False) -> Window:
    hole = np.zeros((32, 32), bool)
    hole[4:12, 2:20] = True
    plain = np.zeros((32, 32), np.int32)
    return Window(np.zeros((32, 32, 3), np.uint8), plain, plain, hole, "box", "photo", (10, 20, 74, 84), flipped)


@pytest.mark.parametrize("flipped", [False, True])
def test_a_hole_has_its_place_in_the_photo(flipped: bool) -> None:
    place = in_photo(make_window(flipped), (100, 90))  # the window is twice as large in the photo
    expected = np.zeros((100, 90), bool)
    columns = slice(10 + 24, 10 + 60) if flipped else slice(10 + 4, 10 + 40)
    expected[20 + 8 : 20 + 24, columns] = True
    assert np.array_equal(place, expected)


@pytest.mark.parametrize("flipped", [False, True])
def test_what_is_held_out_is_taken_out_of_a_hole(flipped: bool) -> None:
    window = make_window(flipped)
    kept_free = np.zeros((100, 90), bool)
    kept_free[:, :30] = True
    rest = without(window, kept_free)
    assert rest is not None
    assert np.array_equal(in_photo(rest, (100, 90)), in_photo(window, (100, 90)) & ~kept_free)
    assert without(window, np.ones((100, 90), bool)) is None


@pytest.mark.parametrize("shape", [(128, 160), (40, 48), (32, 200)])
def test_no_pixel_is_learned_that_is_held_out(shape: tuple[int, int]) -> None:
    taught = Lessons(numbered(shape), guided=False, seed=3)
    assert taught.held_out
    tested, learned = np.zeros(shape, bool), np.zeros(shape, bool)
    for place, windows in ((tested, taught.held_out), (learned, taught.batch(60))):
        for window in windows:
            colors = window.photo[window.hole]
            place[colors[:, 0], colors[:, 1]] = True
    assert tested.any() and learned.any() and not (tested & learned).any()


def test_the_seed_decides_the_lessons(toy_scene: Scene) -> None:
    one, two, other = (Lessons(toy_scene, guided=False, seed=seed).batch(2) for seed in (1, 1, 2))
    assert all(
        np.array_equal(a.hole, b.hole) and np.array_equal(a.photo, b.photo) for a, b in zip(one, two, strict=True)
    )
    assert not all(np.array_equal(a.hole, b.hole) for a, b in zip(one, other, strict=True))


def test_a_photo_that_is_too_small_is_refused(generator: WindowGenerator) -> None:
    with pytest.raises(ModelError, match="100x31 is too small"):
        adapt(generator, numbered((31, 100)), seconds=1)


def test_no_time_is_refused(generator: WindowGenerator, toy_scene: Scene) -> None:
    with pytest.raises(InputError, match="more than 0"):
        adapt(generator, toy_scene, seconds=0)


def test_it_learns_the_photo_and_leaves_the_original_alone(
    generator: WindowGenerator, toy_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptation, "LEARNING_RATE", 3e-3)  # the network is new: it has all to learn
    before = {key: value.clone() for key, value in generator.state_dict().items()}
    shares: list[float] = []
    adapted = adapt(generator, toy_scene, seconds=20.0, report=shares.append)
    assert adapted.better and adapted.after < adapted.before
    assert 10 < adapted.steps < 20
    assert all(torch.equal(value, before[key]) for key, value in generator.state_dict().items())
    assert not adapted.generator.training and not any(p.requires_grad for p in adapted.generator.parameters())
    assert shares == sorted(shares) and shares[-1] == 1 and 0 <= shares[0] < 1


@pytest.mark.parametrize("rate", [0.0, 1e3, 1e30])
def test_a_model_that_did_not_get_better_is_not_kept(
    generator: WindowGenerator, toy_scene: Scene, camvid: LabelSet, monkeypatch: pytest.MonkeyPatch, rate: float
) -> None:
    monkeypatch.setattr(adaptation, "LEARNING_RATE", rate)
    editor = SesameEditor(generator, camvid)
    found = editor.adapt(toy_scene, seconds=8.0)
    assert not found.kept and found.model is editor
    assert found.after == found.before
    assert all(torch.isfinite(p).all() for p in generator.parameters())


def test_too_little_time_to_learn_changes_nothing(generator: WindowGenerator, toy_scene: Scene) -> None:
    adapted = adapt(generator, toy_scene, seconds=2.0)
    assert adapted.steps == 0 and not adapted.better


@pytest.mark.parametrize(("after", "better"), [(0.5, True), (0.989, True), (0.995, False), (1.0, False), (1.2, False)])
def test_less_than_a_hundredth_is_noise(generator: WindowGenerator, after: float, better: bool) -> None:
    assert Adapted(generator, 1.0, after, 1).better is better


def test_the_best_moment_is_kept_not_the_last(
    generator: WindowGenerator, toy_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = iter([1.0, 0.6, 0.4, 0.7, 0.9])
    rates: list[float] = []

    def step(self: adaptation._Tutor, windows: list[WindowArrays], rate: float) -> None:
        rates.append(rate)
        next(self.learner.parameters()).data.fill_(len(rates))

    monkeypatch.setattr(adaptation._Tutor, "error", lambda self, generator: next(errors))
    monkeypatch.setattr(adaptation._Tutor, "step", step)
    adapted = adapt(generator, toy_scene, seconds=24.0)
    assert adapted.after == 0.4 and adapted.steps == len(rates) > 16
    assert 0.4 < float(next(adapted.generator.parameters()).view(-1)[0]) / 24 < 0.6  # the second of four moments
    assert rates == sorted(rates, reverse=True) and rates[0] == adaptation.LEARNING_RATE


def test_a_photo_of_another_world_extends_the_model(
    tiny_generator: WindowGenerator, toy_scene: Scene, camvid: LabelSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptation, "LEARNING_RATE", 3e-3)
    monkeypatch.setattr(adaptation, "BATCH", 1)
    layout = toy_scene.layout
    classes = tuple(replace(c, id=c.id + 40, name=f"new {c.name}") for c in camvid.classes)
    scene = Scene(toy_scene.photo, Layout(layout.label_map + 40, LabelSet("other", classes)))
    found = SesameEditor(tiny_generator, camvid).adapt(scene, seconds=8.0)
    assert isinstance(found.model, SesameEditor) and found.model.label_set.name == "other"
    edit = scene.add("new car", box=(150, 100, 40, 25))
    assert found.model.edit(scene, edit).shape == scene.photo.shape
