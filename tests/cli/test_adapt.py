"""scenebrush edit --adapt, with a model that learns to paint another colour."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from PIL import Image

from scenebrush.cli import edit as verb
from scenebrush.methods.base import Adaptation
from scenebrush.scene import Edit, Scene


class Learner:
    name = "learner"

    def __init__(self, color: int = 10) -> None:
        self.color = color

    def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
        return np.full_like(scene.photo, self.color)

    def adapt(
        self,
        scene: Scene,
        edits: Sequence[Edit] = (),
        *,
        seconds: float,
        seed: int = 0,
        report: Callable[[float], None] | None = None,
    ) -> Adaptation:
        assert seconds == 2.5 and seed == 4 and scene.photo.shape == (96, 128, 3)
        assert len(edits) == 1 and edits[0].hole[64, 25] and not edits[0].hole[0, 0]
        return Adaptation(Learner(200), before=0.25, after=0.125, kept=True, margin=0.0625, measure="VGG16")


@pytest.fixture
def learner(monkeypatch):
    monkeypatch.setattr(verb, "load_model", lambda name, bank=None: Learner())


def test_the_adapted_model_renders_and_the_figure_is_printed(street, run, learner):
    outcome = run(*street.arguments("--erase", "25,64", "--adapt", "2.5", "--seed", "4"))
    assert outcome.code == 0
    assert "0.2500 -> 0.1250, kept" in outcome.out
    assert "(VGG16)" in outcome.out and "better by 0.1250, where more than 0.0625 counts" in outcome.out
    with Image.open(street.folder / "out.png") as photo:
        assert (np.array(photo)[64, 25] == 200).all()


def test_the_figures_as_json(street, run, learner):
    report = json.loads(run(*street.arguments("--erase", "25,64", "--adapt", "2.5", "--seed", "4", "--json")).out)
    assert report["adaptation"] == {
        "before": 0.25,
        "after": 0.125,
        "margin": 0.0625,
        "kept": True,
        "measure": "VGG16",
    }


def test_too_little_time_to_learn_anything(street, run, learner, monkeypatch):
    unchanged = Adaptation(Learner(), before=0.25, after=0.25, kept=False)
    monkeypatch.setattr(Learner, "adapt", lambda *args, **kwargs: unchanged)
    outcome = run(*street.arguments("--erase", "25,64", "--adapt", "0.1"))
    assert outcome.code == 0 and "before anything was learned" in outcome.out and "not kept" not in outcome.out


def test_no_time_to_learn_in(street, run, learner):
    outcome = run(*street.arguments("--erase", "25,64", "--adapt", "0"))
    assert outcome.code == 2 and "--adapt 0" in outcome.err and outcome.err.count("\n") == 1
