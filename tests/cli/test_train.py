"""scenebrush train: what it refuses before any step, and times. The training itself is tested in tests/training."""

from __future__ import annotations

import pytest

from scenebrush.cli.train import seconds
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
