"""Counts of a scene folder, against counts by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from scenebrush.data.stats import folder_stats
from scenebrush.errors import LabelError
from scenebrush.scene import LabelSet, Layout, Scene, SceneFolder

CAMVID = LabelSet.load("camvid")
ROAD, CAR = 3, 8


@pytest.fixture
def folder(tmp_path: Path) -> SceneFolder:
    made = SceneFolder.create(tmp_path / "scenes", CAMVID)
    labels, numbers = np.full((10, 20), ROAD), np.zeros((10, 20), int)
    labels[2:4, 5:10], numbers[2:4, 5:10] = CAR, 1
    labels[6:8, 5:10], numbers[6:8, 5:10] = CAR, 4
    made.write("train", "a", Scene(np.zeros((10, 20, 3), np.uint8), Layout(labels, CAMVID, numbers)))
    made.write("train", "b", Scene(np.zeros((10, 20, 3), np.uint8), Layout(labels, CAMVID)))
    made.write("test", "c", Scene(np.zeros((5, 8, 3), np.uint8), Layout(np.full((5, 8), ROAD), CAMVID)))
    return made


def test_counts(folder: SceneFolder) -> None:
    told: list[int] = []
    stats = folder_stats(folder.path, report=lambda done, total: told.append(done))
    train, whole = stats.splits["train"], stats.whole
    assert (train.scenes, whole.scenes, train.with_instances) == (2, 3, 1)
    assert train.pixels == {ROAD: 360, CAR: 40} and whole.pixels[ROAD] == 400
    assert whole.present == {ROAD: 3, CAR: 2} and train.instances == {CAR: 2}
    assert whole.sizes == {(20, 10): 2, (8, 5): 1} and told == [1, 2, 3]


def test_tables(folder: SceneFolder) -> None:
    stats = folder_stats(folder.path)
    headings, rows = stats.class_rows()
    assert headings == ["id", "class", "kind", "share of pixels", "scenes", "instances"] and len(rows) == 12
    assert rows[0] == ["3", "road", "stuff", "90.91%", "3", ""] and rows[1] == ["8", "car", "thing", "9.09%", "2", "2"]
    assert stats.split_rows()[1] == [["test", "1", "0", "0", "8x5 (1)"], ["train", "2", "1", "2", "20x10 (2)"]]


def test_json(folder: SceneFolder) -> None:
    data = json.loads(json.dumps(folder_stats(folder.path).to_json()))
    car = data["splits"]["all"]["classes"][8]
    assert car == {
        "id": 8,
        "name": "car",
        "kind": "thing",
        "pixels": 40,
        "share": pytest.approx(40 / 440),
        "scenes": 2,
        "instances": 2,
    }
    assert data["splits"]["train"]["sizes"] == [{"width": 20, "height": 10, "scenes": 2}]
    assert sum(c["share"] for c in data["splits"]["all"]["classes"]) == pytest.approx(1)


def test_a_bad_map_is_named(folder: SceneFolder) -> None:
    from PIL import Image

    Image.fromarray(np.full((10, 20), 99, np.uint8)).save(folder.path / "train" / "labels" / "a.png")
    with pytest.raises(LabelError, match=r"a\.png holds id 99 in 200 pixels"):
        folder_stats(folder.path)
