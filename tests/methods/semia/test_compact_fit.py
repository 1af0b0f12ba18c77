"""Our fit: settings are tried, kept where they help, and used where what is held out says so."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from scenebrush.canvas.analogy import AnalogySettings
from scenebrush.errors import ModelError
from scenebrush.losses.likeness import DetailLikeness
from scenebrush.methods.semia import compact_fit, lessons
from scenebrush.methods.semia.compact_fit import CHOICES, RANGES, CompactPupil, varied
from scenebrush.methods.semia.compact_method import CompactRenderer, settings_tensors
from scenebrush.methods.semia.config import SemiaConfig
from scenebrush.methods.semia.lessons import Lessons
from scenebrush.methods.semia.method import load
from scenebrush.methods.semia.pupil import build_pupil
from scenebrush.methods.semia.source import Source
from scenebrush.scene.files.edge_maps import edge_map
from tests.methods.semia.tiny import land, photo_of, tiny_source

CONFIG = SemiaConfig()


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One lesson of each kind, and no VGG."""
    monkeypatch.setattr(compact_fit, "LEARNED", 1)
    monkeypatch.setattr(compact_fit, "HELD_OUT", 1)
    monkeypatch.setenv("SCENEBRUSH_ASSETS", str(tmp_path / "nothing"))


def pupil(source: Source | None = None, *, seed: int = 0) -> CompactPupil:
    return CompactPupil(source or tiny_source(), CONFIG, seed=seed)


Distances = Callable[[AnalogySettings], list[float]]


def judged_by(monkeypatch: pytest.MonkeyPatch, learned: Distances, held_out: Distances) -> list[AnalogySettings]:
    """Replaces copying by functions of the settings; returns the list of those that lessons are made with."""
    tried: list[AnalogySettings] = []

    def fill(self: Lessons, hidden: Sequence[np.ndarray], settings: AnalogySettings) -> list[SimpleNamespace]:
        if hidden is self.learned:
            tried.append(settings)
        answer = (learned if hidden is self.learned else held_out)(settings)
        return [SimpleNamespace(hidden=hidden[0], picture=self.source.photo, answer=answer)]

    monkeypatch.setattr(Lessons, "fill", fill)
    for module in (lessons, compact_fit):
        monkeypatch.setattr(module, "hole_distances", lambda _, filled, __: np.array(filled.answer))
    return tried


def far_from_six(settings: AnalogySettings) -> list[float]:
    return [1 + abs(math.log(settings.guide / 6))]


def test_proposals_stay_in_their_ranges_and_change_one_or_two() -> None:
    settings, seen = AnalogySettings(), dict[int, int]()
    for k in range(400):
        found = varied(settings, 3.0, np.random.default_rng(k))
        changed = [name for name, value in asdict(settings).items() if asdict(found)[name] != value]
        seen[len(changed)] = seen.get(len(changed), 0) + 1
        assert set(changed) <= {*RANGES, *CHOICES}
        for name, (least, most) in RANGES.items():
            assert least <= getattr(found, name) <= most
        for name, choices in CHOICES.items():
            value = getattr(found, name)
            assert value in choices and isinstance(value, int)
    assert set(seen) <= {0, 1, 2}  # 0 where a draw chose the value that was there
    assert seen[1] > 100 and seen[2] > 100 and seen.get(0, 0) < 60


def test_proposals_are_near_where_they_are_to_be() -> None:
    near, far = (
        [abs(math.log(varied(AnalogySettings(), width, np.random.default_rng(k)).guide / 3)) for k in range(300)]
        for width in (0.05, 0.8)
    )
    assert max(near) < 0.25 < max(far)


def test_the_loss_never_rises_and_the_best_so_far_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = judged_by(monkeypatch, far_from_six, lambda _: [1.0])
    learner, losses = pupil(), list[float]()
    for k in range(60):
        before = learner.settings
        found = learner.iterate(k, k / 60)
        losses.append(found["loss"])
        assert learner.settings == (tried[-1] if k == 0 or found["tried"] < losses[k - 1] else before)
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == far_from_six(learner.settings)[0] == min(far_from_six(one)[0] for one in tried)
    assert losses[-1] < 1.1 < losses[0]
    assert tried[0] == AnalogySettings()


def test_a_proposal_that_is_worse_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    judged_by(monkeypatch, lambda s: [1.0 if s == AnalogySettings() else 2.0], lambda _: [1.0])
    learner = pupil()
    found = [learner.iterate(k, 0.5) for k in range(20)]
    assert learner.settings == AnalogySettings() and all(one["loss"] == 1.0 for one in found)
    assert {one["tried"] for one in found[1:]} >= {2.0}


def test_settings_that_were_tried_just_now_are_not_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = judged_by(monkeypatch, far_from_six, lambda _: [1.0])
    monkeypatch.setattr(compact_fit, "varied", lambda settings, *_: settings)
    learner = pupil()
    found = [dict(learner.iterate(k, 0.0)) for k in range(3)]
    assert len(tried) == 1 and found[2] == found[0] == {"loss": found[0]["loss"], "tried": found[0]["loss"]}


def test_proposals_depend_on_seed_and_iteration_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = judged_by(monkeypatch, lambda s: [1.0 if s == AnalogySettings() else 2.0], lambda _: [1.0])
    runs = []
    for seed, order in ((0, (0, 1, 2)), (0, (0, 2, 1)), (1, (0, 1, 2))):
        tried.clear()
        learner = pupil(seed=seed)
        for k in order:
            learner.iterate(k, 0.5)
        runs.append(list(tried))
    assert runs[0][1:] == runs[1][:0:-1] and runs[0][1:] != runs[2][1:]


@pytest.mark.parametrize(
    ("held_out", "helps"),
    [
        ([0.9, 1.9, 2.9], True),
        ([1.1, 2.1, 3.1], False),
        ([1.0, 2.0, 3.0], False),
        ([0.4, 2.1, 3.2], False),  # better in the mean, by less than a standard error
        ([0.4, 1.9, 3.0], True),
    ],
)
def test_what_was_learned_is_used_where_the_held_out_says_so(
    monkeypatch: pytest.MonkeyPatch, held_out: list[float], helps: bool
) -> None:
    judged_by(monkeypatch, far_from_six, lambda s: [1.0, 2.0, 3.0] if s == AnalogySettings() else held_out)
    learner = pupil()
    for k in range(30):
        learner.iterate(k, 0.0)
    assert learner.settings != AnalogySettings()
    verdict = learner.verdict()
    gains = np.array([1.0, 2.0, 3.0]) - held_out
    assert verdict.learned_helps is helps and verdict.holes == 3
    assert (verdict.for_all_photos, verdict.learned) == pytest.approx((2.0, np.mean(held_out)))
    assert verdict.margin == pytest.approx(np.sqrt(((gains - gains.mean()) ** 2).sum() / 2 / 3))
    assert learner.used == (learner.settings if helps else AnalogySettings())


def test_one_hole_proves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    judged_by(monkeypatch, far_from_six, far_from_six)
    learner = pupil()
    for k in range(10):
        learner.iterate(k, 0.0)
    assert learner.verdict().learned < learner.verdict().for_all_photos and not learner.verdict().learned_helps


def test_a_verdict_is_of_the_settings_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    judged_by(monkeypatch, far_from_six, lambda s: far_from_six(s) * 2)
    learner = pupil()
    learner.iterate(0, 0.0)
    assert learner.verdict().learned == learner.verdict().for_all_photos and not learner.verdict().learned_helps
    learner.load_state_dict({**learner.state_dict(), "settings/guide": torch.tensor(6.0)})
    assert learner.verdict().learned == 1.0 and learner.used == replace(AnalogySettings(), guide=6.0)


def test_going_on_from_a_state_is_as_if_it_had_never_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    judged_by(monkeypatch, far_from_six, lambda _: [1.0])
    whole, first, second = pupil(seed=4), pupil(seed=4), pupil(seed=4)
    losses = [dict(whole.iterate(k, k / 20)) for k in range(20)]
    for k in range(9):
        first.iterate(k, k / 20)
    state = {name: tensor.clone() for name, tensor in first.state_dict().items()}
    second.load_state_dict(state)
    assert [dict(second.iterate(k, k / 20)) for k in range(9, 20)] == losses[9:]
    assert second.settings == whole.settings
    assert all(torch.equal(second.state_dict()[name], tensor) for name, tensor in whole.state_dict().items())


def test_a_state_of_something_else_is_a_value_error() -> None:
    learner = pupil()
    state = learner.state_dict()
    for wrong in (
        {},
        {"generator/weight": torch.zeros(3)},
        {name: tensor for name, tensor in state.items() if name != "settings/reach"},
        {**state, "settings/patch": torch.zeros(2)},
    ):
        with pytest.raises(ValueError, match=r"in it|Scalar|scalar"):
            learner.load_state_dict(wrong)


def test_it_fits_draws_and_is_exported_without_vgg(tmp_path: Path) -> None:
    learner = build_pupil(tiny_source(), CONFIG, seed=1)
    assert isinstance(learner, CompactPupil) and isinstance(learner.distance, DetailLikeness)
    assert learner.total is None
    losses = [learner.iterate(k, 0.2)["loss"] for k in range(3)]
    assert losses == sorted(losses, reverse=True) and 0 < losses[-1] < 10
    learner.export(tmp_path / "fit", {"iterations": 3, "seconds": 1})
    sheet = learner.picture()
    height, width = learner.source.shape
    assert sheet.shape == (height, 3 * width, 3) and sheet.dtype == np.uint8
    hidden = learner.lessons.held_out[0]
    assert (sheet[:, :width][hidden] == 128).all() and np.array_equal(sheet[:, 2 * width :], learner.source.photo)
    assert np.array_equal(sheet[:, width : 2 * width][~hidden], learner.source.photo[~hidden])

    training = json.loads((tmp_path / "fit" / "config.json").read_text())["training"]
    assert training["settings"] == asdict(learner.used) and training["measure"] == "detail at three scales"
    assert {"iterations", "seconds", *learner.verdict()._asdict()} <= training.keys()
    assert "88x72 pixels" in (tmp_path / "fit" / "README.md").read_text()
    target = land(horizon=0.3)
    drawn = load(tmp_path / "fit").synthesize(target, seed=2)
    assert np.array_equal(drawn, CompactRenderer(learner.source, learner.used).render(target, 2))


def test_a_model_folder_holds_the_settings_that_are_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    judged_by(monkeypatch, far_from_six, lambda s: far_from_six(s) * 2)
    learner = pupil()
    for k in range(10):
        learner.iterate(k, 0.0)
    assert learner.used == learner.settings != AnalogySettings()
    learner.export(tmp_path / "fit", {})
    renderer = load(tmp_path / "fit").renderer
    assert isinstance(renderer, CompactRenderer) and renderer.analogy.settings == learner.settings


def test_a_model_folder_that_was_spoiled_is_a_model_error(tmp_path: Path) -> None:
    pupil().export(tmp_path / "fit", {})
    path = tmp_path / "fit" / "model.safetensors"
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(ModelError, match=r"model\.safetensors does not hold what was learned"):
        load(tmp_path / "fit")


@pytest.mark.parametrize("kind", ["edges", "drawing"])
def test_drawings_and_sketches_are_learned_too(tmp_path: Path, kind: str) -> None:
    photo = photo_of(land())
    source = Source(photo, edge_map(photo) if kind == "edges" else land(), kind)  # type: ignore[arg-type]
    learner = pupil(source)
    assert math.isfinite(learner.iterate(0, 0.0)["loss"])
    learner.export(tmp_path / "fit", {})
    model = load(tmp_path / "fit")
    assert model.source.kind == kind
    assert isinstance(model.renderer, CompactRenderer)
    assert (model.renderer.analogy.lines is not None) is (kind == "edges")
    assert np.array_equal(model.synthesize(source.layout), photo)


def test_large_photos_are_learned_at_a_smaller_size_and_drawn_at_theirs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(compact_fit, "LESSON_SIDE", 72)
    learner = pupil(tiny_source(height=80, width=144))
    assert learner.lessons.source.shape == (40, 72) and learner.picture().shape == (40, 216, 3)
    learner.export(tmp_path / "fit", {})
    assert load(tmp_path / "fit").source.shape == (80, 144)


def test_settings_are_kept_whole() -> None:
    settings = AnalogySettings(0.1 + 0.2, 1 / 3, 2.0, 7.7, patch=7, last_patch=1)
    learner, other = pupil(), pupil()
    learner.settings, learner.loss = settings, 1 / 7
    assert learner.state_dict().keys() == {"loss", *(f"settings/{name}" for name in settings_tensors(settings))}
    other.load_state_dict(learner.state_dict())
    assert other.settings == settings and other.loss == 1 / 7
