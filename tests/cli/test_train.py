"""scenebrush train: what it refuses before any step, and times. The training itself is tested in tests/training."""

from __future__ import annotations

import pytest

from scenebrush.cli.train import seconds
from scenebrush.data.toy import write_toy_folder
from scenebrush.errors import InputError


@pytest.mark.parametrize(("text", "expected"), [("90s", 90), ("9m", 540), ("1.5h", 5400), ("45", 45)])
def test_times(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "m", "0s", "-3m", "9 m", "9d"])
def test_what_is_no_time(text):
    with pytest.raises(InputError, match="--time-budget"):
        seconds(text)


def test_a_recipe_that_is_not_there(tmp_path, run):
    outcome = run("train", str(tmp_path / "none.yaml"), "--data", str(tmp_path), "-o", str(tmp_path / "run"))
    assert outcome.code == 2 and "none.yaml" in outcome.err and outcome.err.count("\n") == 1


def test_a_recipe_with_a_wrong_key_gets_the_nearest(tmp_path, run):
    recipe = tmp_path / "r.yaml"
    recipe.write_text("name: x\nmethod: sesame\nlabel_set: camvid\nstagse: []\n")
    outcome = run("train", str(recipe), "--data", str(tmp_path), "-o", str(tmp_path / "run"))
    assert outcome.code == 2 and "r.yaml" in outcome.err and outcome.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.fixture
def recipe(tmp_path):
    """A recipe of one step with the perceptual loss, and toy data: the words that follow `train`."""
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        "name: x\nmethod: sesame\nlabel_set: camvid\nstages: [{name: a, steps: 1, windows: {size: 32}}]\n"
    )
    return [str(recipe), "--data", str(write_toy_folder(tmp_path / "toy", 1, "train", size=(96, 64), seed=1))]


def test_missing_weights_are_told_before_anything_is_written(tmp_path, run, recipe, monkeypatch):
    monkeypatch.setenv("SCENEBRUSH_ASSETS", str(tmp_path))
    outcome = run("train", *recipe, "-o", str(tmp_path / "run"))
    assert outcome.code == 2 and "VGG" in outcome.err and outcome.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_run_folder_that_is_a_file(tmp_path, run, recipe):
    outcome = run("train", *recipe, "-o", str(tmp_path / "r.yaml"))
    assert outcome.code == 2 and "r.yaml is a file; name a folder" in outcome.err
