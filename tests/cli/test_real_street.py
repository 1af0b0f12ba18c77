"""Five edits of a real photograph, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from scenebrush.scene import LabelSet, Scene
from scenebrush.scene.script import read_script

STEM = "Seq05VD_f00720"
CAR, SIGN = (303, 191), "sign_symbol"


@pytest.fixture
def street(shared: Path) -> dict[str, Path]:
    test = shared / "data" / "camvid" / "test"
    return {"photo": test / "images" / f"{STEM}.jpg", "labels": test / "labels" / f"{STEM}.png"}


@pytest.fixture
def script(tmp_path: Path) -> Path:
    mask = Image.new("L", (60, 34), 0)
    ImageDraw.Draw(mask).ellipse((2, 2, 57, 31), fill=255)
    mask.save(tmp_path / "mask.png")
    edits = [
        {"op": "move", "at": CAR, "by": [-70, 12], "scale": 1.1},
        {"op": "erase", "class": SIGN},
        {"op": "add", "class": "tree", "mask": "mask.png", "at": [400, 150]},
        {"op": "relabel", "at": [400, 150], "to": "building"},
        {"op": "paint", "class": "road", "box": [200, 280, 60, 30]},
    ]
    (tmp_path / "edits.json").write_text(json.dumps({"edits": edits}))
    return tmp_path / "edits.json"


def test_five_edits_change_nothing_outside_their_holes(street, script, tmp_path, run):
    out = tmp_path / "out.png"
    words = ["edit", street["photo"], "--labels", street["labels"], "--label-set", "camvid", "--model", "canvas"]
    outcome = run(*words, "--script", script, "-o", out, "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["edits"] == 5
    before = Scene.open(street["photo"], street["labels"], "camvid")
    scene, holes = before, np.zeros(before.layout.shape, bool)
    for operation in read_script(script, LabelSet.load("camvid")):
        edit = operation(scene)
        holes |= edit.hole
        scene = scene.apply(edit, scene.photo)
    after = Scene.open(out, tmp_path / "out.labels.png", "camvid")
    np.testing.assert_array_equal(after.photo[~holes], before.photo[~holes])
    assert (after.photo[holes] != before.photo[holes]).any()
    np.testing.assert_array_equal(after.layout.label_map, scene.layout.label_map)
    assert not (after.layout.label_map == LabelSet.load("camvid").find(SIGN).id).any()
