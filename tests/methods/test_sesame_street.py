"""The shipped model: there, small enough, with its card, and it draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import scenebrush
from scenebrush.data.toy import ToyWorld
from scenebrush.methods import default_model, load_model
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.scene import Scene

FOLDER = Path(scenebrush.__file__).parent / "models" / "sesame-street"


@pytest.fixture(scope="module")
def street() -> Scene:
    return ToyWorld(4).scene()


def test_it_is_small_enough_and_has_a_card() -> None:
    assert (FOLDER / "model.safetensors").stat().st_size <= 16_000_000
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    for word in ("CamVid", "non-commercial", "LPIPS", "SSIM", "FID", "limits"):
        assert word.lower() in card.lower()


def test_it_is_the_default_for_camvid_and_canvas_is_for_the_rest() -> None:
    assert default_model(LabelSet.load("camvid")) == "sesame-street"
    assert default_model(LabelSet.load("celebamask")) == "canvas"


def test_it_draws_in_the_hole_only_and_the_same_each_time(street: Scene) -> None:
    model = load_model("sesame-street")
    edit = street.add("car", box=(90, 110, 60, 40))
    picture = model.edit(street, edit)
    assert np.array_equal(picture[~edit.hole], street.photo[~edit.hole])
    assert np.array_equal(picture, model.edit(street, edit))
    drawn = picture[edit.hole].astype(float)
    assert drawn.std() > 8  # a car has dark and bright parts; a failed drawing is one flat colour


def test_another_seed_may_paint_the_car_another_colour(street: Scene) -> None:
    model = load_model("sesame-street")
    edit = street.add("car", box=(90, 110, 60, 40))
    pictures = [model.edit(street, edit, seed=seed)[edit.hole].astype(float) for seed in range(5)]
    assert max(np.abs(p - pictures[0]).mean() for p in pictures[1:]) > 1
