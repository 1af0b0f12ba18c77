"""Adapting to one photo: what is held out, what is kept, and that it learns."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from scenebrush.data.windows import Window
from scenebrush.errors import InputError, ModelError
from scenebrush.losses.likeness import DetailLikeness
from scenebrush.methods.canvas.method import CanvasEditor
from scenebrush.methods.sesame import adaptation, lessons, method
from scenebrush.methods.sesame.adaptation import adapt
from scenebrush.methods.sesame.config import SesameConfig
from scenebrush.methods.sesame.inputs import WindowArrays
from scenebrush.methods.sesame.lessons import Lessons, Wish, in_photo, without
from scenebrush.methods.sesame.method import SesameEditor
from scenebrush.methods.sesame.networks import WindowGenerator, build_generator
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene

Region = tuple[slice, slice]


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
    monkeypatch.setattr(lessons, "TRIED", 16)
    monkeypatch.setattr(adaptation, "time", Clock())


@pytest.fixture
def generator(tiny_config: SesameConfig) -> WindowGenerator:
    """Unguided, so that no window needs a canvas."""
    torch.manual_seed(0)
    return build_generator(replace(tiny_config, guided=False)).eval().requires_grad_(False)


def numbered(shape: tuple[int, int], class_: str = "sky", region: Region = (slice(0), slice(0))) -> Scene:
    """A scene of sky, with a class in a region, whose pixels tell their place: red and green are row and column."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    photo = np.stack([rows, columns, 0 * rows], -1).astype(np.uint8)
    label_map = np.zeros(shape, int)
    label_map[region] = LabelSet.load("camvid").find(class_).id
    return Scene(photo, Layout(label_map, LabelSet.load("camvid")))


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


def asked(scene: Scene, class_: str, region: Region) -> Edit:
    label_map = scene.layout.label_map.copy()
    label_map[region] = scene.layout.label_set.find(class_).id
    hole = np.zeros(label_map.shape, bool)
    hole[region] = True
    return Edit(hole, Layout(label_map, scene.layout.label_set))


def test_edits_tell_what_is_wanted_and_where() -> None:
    scene = numbered((100, 200), "car", (slice(40, 60), slice(20, 60)))
    car = asked(scene, "car", (slice(10, 20), slice(30, 50)))
    road = asked(scene, "road", (slice(70, 80), slice(100, 160)))
    wish = Wish.of([car, road], scene.layout)
    assert wish.classes == ("car",) and wish.things == 200 / 800
    assert wish.places.tolist() == [[39.5, 14.5], [129.5, 74.5]]
    assert sum(wish.kinds.values()) == pytest.approx(1)
    assert wish.kinds["box"] + wish.kinds["silhouette"] == pytest.approx(0.25)
    near = replace(make_window(), box=(98, 43, 162, 107))  # its middle is (130, 75)
    assert wish.distance(near) == pytest.approx(0.5**0.5)


def test_a_class_that_the_photo_does_not_show_cannot_be_learned() -> None:
    scene = numbered((64, 64))
    wish = Wish.of([asked(scene, "car", (slice(0, 9), slice(0, 9)))], scene.layout)
    assert wish.classes == () and wish.things == 0
    assert Wish.of([], scene.layout).things is None and Wish.of([], scene.layout).distance(make_window()) == 0


def test_lessons_are_nearer_to_an_edit(toy_scene: Scene) -> None:
    edit = asked(toy_scene, "road", (slice(100, 110), slice(10, 20)))
    plain, steered = Lessons(toy_scene, guided=False), Lessons(toy_scene, [edit], guided=False)
    far, near = ([steered.wish.distance(some._next()) for _ in range(30)] for some in (plain, steered))
    assert np.mean(near) < 0.9 * np.mean(far)


def test_nobody_asks_for_what_is_unlabelled() -> None:
    scene = numbered((96, 96), "void", (slice(None), slice(48, None)))
    taught = Lessons(scene, guided=False)
    for window in taught.held_out + taught.batch(20):
        assert window.photo[window.hole][:, 1].max() < 48


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
    monkeypatch.setattr(adaptation, "SURE", 0.0)  # and four windows tell little
    before = {key: value.clone() for key, value in generator.state_dict().items()}
    shares: list[float] = []
    adapted = adapt(generator, toy_scene, seconds=20.0, report=shares.append)
    assert adapted.better and adapted.after < adapted.before
    assert 5 < adapted.steps < 20
    assert all(torch.equal(value, before[key]) for key, value in generator.state_dict().items())
    assert not adapted.generator.training and not any(p.requires_grad for p in adapted.generator.parameters())
    assert shares == sorted(shares) and shares[-1] == 1 and 0 <= shares[0] < 1


@pytest.mark.parametrize("rate", [0.0, 1e3, 1e30])
def test_a_model_that_did_not_get_better_is_not_kept(
    generator: WindowGenerator, toy_scene: Scene, camvid: LabelSet, monkeypatch: pytest.MonkeyPatch, rate: float
) -> None:
    monkeypatch.setattr(adaptation, "LEARNING_RATE", rate)
    monkeypatch.setattr(adaptation, "TABLE_RATES", {"embedding": rate})
    editor = SesameEditor(generator, camvid)
    found = editor.adapt(toy_scene, seconds=8.0)
    assert not found.kept and isinstance(found.model, SesameEditor) and found.model.generator is generator
    assert found.after >= found.before or np.isnan(found.after)
    assert all(torch.isfinite(p).all() for p in generator.parameters())


def test_too_little_time_to_learn_changes_nothing(generator: WindowGenerator, toy_scene: Scene) -> None:
    adapted = adapt(generator, toy_scene, seconds=2.0)
    assert adapted.steps == 0 and not adapted.better and adapted.generator is generator


def stub(monkeypatch: pytest.MonkeyPatch, looks: list[list[float]]) -> None:
    """What each look at the held-out windows finds; the steps do nothing but count themselves in the weights."""
    found = iter(looks)

    def distances(self: adaptation._Test, generator: WindowGenerator) -> np.ndarray:
        self.seconds = 0.5
        return np.array(next(found))

    def learn(self: adaptation._Pupil, windows: list[WindowArrays], decay: float) -> None:
        taught.append(decay)
        next(self.learner.parameters()).data.fill_(len(taught))

    taught: list[float] = []
    monkeypatch.setattr(adaptation._Test, "distances", distances)
    monkeypatch.setattr(adaptation._Pupil, "learn", learn)


@pytest.mark.parametrize(
    ("after", "margin", "better"),
    [
        # Gains of .15 and .25: variance 4 * .05**2 / 3, and a standard error of half its root.
        ([0.85, 0.75, 0.75, 0.85], 4 * (0.01 / 3) ** 0.5 / 2, True),
        # The same mean gain, but from one window alone.
        ([1.0, 1.0, 1.0, 0.2], 4 * 0.4 / 2, False),
        ([1.1, 1.2, 1.1, 1.2], 4 * (0.01 / 3) ** 0.5 / 2, False),
    ],
)
def test_only_what_is_beyond_the_noise_is_kept(
    generator: WindowGenerator,
    toy_scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    after: list[float],
    margin: float,
    better: bool,
) -> None:
    stub(monkeypatch, [[1.0] * 4, after])
    adapted = adapt(generator, toy_scene, seconds=4.0)
    assert adapted.margin == pytest.approx(margin)
    assert (adapted.before, adapted.after) == (1.0, pytest.approx(np.mean(after)))
    assert adapted.better is better and (adapted.generator is not generator) is better


def test_one_window_is_no_proof(generator: WindowGenerator, toy_scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    stub(monkeypatch, [[1.0], [0.1]])
    assert not adapt(generator, toy_scene, seconds=4.0).better


def test_the_best_moment_is_kept_not_the_last(
    generator: WindowGenerator, toy_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub(monkeypatch, [[1.0, 1.0], [0.6, 0.6], [0.4, 0.4], [np.nan, 0.1], [0.9, 0.9]])
    adapted = adapt(generator, toy_scene, seconds=24.0)
    assert adapted.after == 0.4 and adapted.steps > 16 and adapted.better
    assert 0.4 < float(next(adapted.generator.parameters()).view(-1)[0]) / 24 < 0.6  # the second of four moments


def in_new_classes(scene: Scene, camvid: LabelSet) -> Scene:
    classes = tuple(replace(c, id=c.id + 40, name=f"new {c.name}") for c in camvid.classes)
    return Scene(scene.photo, Layout(scene.layout.label_map + 40, LabelSet("other", classes)))


def test_new_classes_are_left_to_the_canvas_where_learning_does_not_help(
    tiny_generator: WindowGenerator, toy_scene: Scene, camvid: LabelSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub(monkeypatch, [[1.0] * 4, [0.7] * 4, [0.8] * 4])  # as it is, the canvas alone, after learning
    scene = in_new_classes(toy_scene, camvid)
    found = SesameEditor(tiny_generator, camvid).adapt(scene, seconds=5.0)
    assert not found.kept and (found.before, found.after) == (0.7, pytest.approx(0.8))
    edit = scene.add("new car", box=(150, 100, 40, 25))
    canvas = CanvasEditor(analogies=False)  # what guides a network lends, which is quick
    assert np.array_equal(found.model.edit(scene, edit), canvas.edit(scene, edit))


def test_a_photo_of_another_world_extends_the_model(
    tiny_generator: WindowGenerator, toy_scene: Scene, camvid: LabelSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptation, "LEARNING_RATE", 3e-3)
    monkeypatch.setattr(adaptation, "BATCH", 1)
    scene = in_new_classes(toy_scene, camvid)
    found = SesameEditor(tiny_generator, camvid).adapt(scene, seconds=8.0)
    assert isinstance(found.model, SesameEditor) and found.model.label_set.name == "other"
    assert found.measure == "detail at three scales"
    edit = scene.add("new car", box=(150, 100, 40, 25))
    assert found.model.edit(scene, edit).shape == scene.photo.shape


@pytest.mark.parametrize(("name", "foreign"), [("sky", False), ("heaven", True)])
def test_a_photo_is_foreign_by_the_classes_that_it_shows(
    tiny_generator: WindowGenerator, camvid: LabelSet, monkeypatch: pytest.MonkeyPatch, name: str, foreign: bool
) -> None:
    told: list[bool] = []

    def adapt_(
        generator: WindowGenerator, *args: object, new_classes: list[int], **kwargs: object
    ) -> adaptation.Adapted:
        told.append(new_classes == [0])
        return adaptation.Adapted(generator, 1.0, 1.0, 0.0, 0, "nothing")

    monkeypatch.setattr(method, "adapt", adapt_)
    classes = tuple(replace(c, color=(1, 2, 3), name=name if c.id == 0 else c.name) for c in camvid.classes)
    shown = Layout(np.zeros((64, 64), int), LabelSet("mine", (*classes, replace(classes[0], id=99, name="elsewhere"))))
    found = SesameEditor(tiny_generator, camvid).adapt(Scene(np.zeros((64, 64, 3), np.uint8), shown), seconds=1)
    assert told == [foreign] and not found.kept


def test_what_is_known_of_other_classes_stays(tiny_generator: WindowGenerator, toy_scene: Scene) -> None:
    start = adaptation._open_minded(tiny_generator, [1, 8])
    bias, old = start.network.gate_bias.weight, tiny_generator.network.gate_bias.weight
    assert bias[8] == 0 > old[8] and bias[1] == old[1] > 0
    pupil = adaptation._Pupil(start, DetailLikeness(), [1, 8])
    pupil.learn(Lessons(toy_scene, guided=True).held_out[:2], decay=1.0)
    for name in ("gate_bias", "label_embedding"):
        before, after = (getattr(g.network, name).weight for g in (start, pupil.learner))
        assert torch.equal(before[[0, 2, 9]], after[[0, 2, 9]])
    assert not torch.equal(start.network.gate_bias.weight[1], pupil.learner.network.gate_bias.weight[1])
