"""scenebrush edit with a script that copies an object out of a box of another photo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from scenebrush.methods.seigan.config import SeiganConfig
from scenebrush.methods.seigan.folder import save_model
from scenebrush.methods.seigan.networks import build_networks
from scenebrush.scene import LabelSet
from tests.cli.street import PEDESTRIAN

STEP = {"op": "add", "from": "other.png", "box": [20, 4, 12, 20], "class": "pedestrian", "at": [110, 70]}


@pytest.fixture(scope="session")
def cutter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of SEIGAN that has learned nothing: by its first logits all of a box is object."""
    torch.manual_seed(0)
    networks = build_networks(SeiganConfig(kind="compact", width=4, discriminator_width=8, pool_size=0, size=32))
    folder = tmp_path_factory.mktemp("models") / "cutter"
    save_model(folder, networks, LabelSet.load("camvid"), {}, "# Cutter\n\nHas learned nothing.\n")
    return folder


def script_of(folder: Path, *, steps: int = 1, **fields: Any) -> str:
    """Writes a script of one step, or of several alike, beside a photo without labels; returns its path."""
    pixels = np.random.default_rng(3).integers(200, 250, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "other.png")
    path = folder / "edits.json"
    path.write_text(json.dumps({"edits": [STEP | fields] * steps}))
    return str(path)


def pixels_of(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


def test_the_object_comes_with_its_pixels_its_class_and_an_instance_of_its_own(street, run, cutter):
    words = street.arguments("--script", script_of(street.folder), "--cutter", str(cutter))
    outcome = run(*words)
    assert outcome.code == 0, outcome.err
    labels, numbers = (pixels_of(street.folder / f"out.{name}.png") for name in ("labels", "instances"))
    new = (labels == PEDESTRIAN) & (pixels_of(street.labels) != PEDESTRIAN)
    rows, columns = new.nonzero()
    assert new.sum() > 60 and (numbers[new] == 4).all() and (numbers == 4).sum() == new.sum()
    assert abs((rows.min() + rows.max()) / 2 - 70) <= 1 and abs((columns.min() + columns.max()) / 2 - 110) <= 1
    assert rows.max() - rows.min() < 20 and columns.max() - columns.min() < 12
    before, after = pixels_of(street.photo), pixels_of(street.folder / "out.png")
    assert after[new].mean() > before[new].mean() + 30  # brighter, though in the light of the street
    away = np.ones(new.shape, bool)
    away[max(rows.min() - 9, 0) : rows.max() + 9, max(columns.min() - 9, 0) : columns.max() + 9] = False
    np.testing.assert_array_equal(after[away], before[away])


def test_the_cutter_is_loaded_only_where_a_step_needs_it(street, run, tmp_path):
    words = street.arguments("--erase", "25,64", "--cutter", str(tmp_path / "nowhere"))
    assert run(*words).code == 0


@pytest.mark.parametrize(
    ("model", "message"),
    [("canvas", "model 'canvas' cuts no objects out"), ("seigan-objcts", "unknown model 'seigan-objcts'")],
)
def test_a_model_that_will_not_do_is_named(street, run, model, message):
    outcome = run(*street.arguments("--script", script_of(street.folder, steps=2), "--cutter", model))
    assert outcome.code == 2 and message in outcome.err and outcome.err.count("\n") == 1
    assert "edits[0]" in outcome.err and "edits[1]" not in outcome.err and not (street.folder / "out.png").exists()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"from": "no.jpg"}, "no.jpg does not exist"),
        ({"box": [60, 4, 9, 9]}, "lies outside"),
        ({"at": [600, 70]}, "lies outside the picture of 128x96"),
        ({"class": "pedestrain"}, "did you mean 'pedestrian'?"),
    ],
)
def test_mistakes_are_one_line(street, run, cutter, fields, message):
    outcome = run(*street.arguments("--script", script_of(street.folder, **fields), "--cutter", str(cutter)))
    assert outcome.code == 2 and message in outcome.err and outcome.err.count("\n") == 1
