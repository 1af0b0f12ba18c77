"""Recoding maps, against cases worked by hand."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenebrush.data.check_files import Finding
from scenebrush.data.convert.pixels import nearest, read_ids, recode, recode_colors, settle_instances
from scenebrush.data.convert.protocol import BadSource, Settings
from scenebrush.scene import LabelSet

CAMVID = LabelSet.load("camvid")
SKY, ROAD, CAR, PEDESTRIAN = 0, 3, 8, 9
HERE = Path("map.png")


def test_instances_keep_the_class_that_most_of_them_lies_on() -> None:
    labels = np.array([[CAR, CAR, CAR, ROAD], [CAR, PEDESTRIAN, PEDESTRIAN, ROAD], [ROAD, SKY, SKY, CAR]])
    numbers = np.array([[7, 7, 7, 7], [9, 9, 9, 5], [5, 5, 0, 0]])
    expected = np.array([[1, 1, 1, 0], [0, 2, 2, 0], [0, 0, 0, 0]])  # 5 lies on road and sky, 0 is none
    np.testing.assert_array_equal(settle_instances(numbers, labels, CAMVID), expected)
    assert not settle_instances(numbers * 0, labels, CAMVID).any()


def test_recoding_with_values_of_all_signs_and_sizes() -> None:
    values = np.array([[-1, 0], [300, 65535]])
    table = {-1: ROAD, 0: SKY, 300: CAR, 65535: 11}
    np.testing.assert_array_equal(recode(HERE, values, table, CAMVID, Settings()), [[ROAD, SKY], [CAR, 11]])


def test_each_unknown_value_is_a_finding_with_the_most_frequent_first() -> None:
    values = np.array([[1, 1, 2], [5, 5, 5], [0, 0, 0]])
    with pytest.raises(BadSource) as caught:
        recode(HERE, values, {0: SKY}, CAMVID, Settings())
    assert [(f.value, f.pixels) for f in caught.value.findings] == [(5, 3), (1, 2), (2, 1)]
    assert str(caught.value).startswith("map.png: id 5 in 3 pixels") and "1 pixel;" in caught.value.findings[2].message
    filled = recode(HERE, values, {0: SKY}, CAMVID, Settings(unknown_as_void=True))
    np.testing.assert_array_equal(filled, np.where(values == 0, SKY, 11))


def test_of_many_wrong_values_twenty_are_listed() -> None:
    with pytest.raises(BadSource) as caught:
        recode(HERE, np.arange(100, 200).reshape(10, 10), {0: SKY}, CAMVID, Settings())
    assert len(caught.value.findings) == 20 and "100 such values, 20 listed" in caught.value.findings[0].message


def test_without_an_unlabelled_class_unknown_stays_a_fault() -> None:
    faces = LabelSet.load("celebamask")
    with pytest.raises(BadSource):
        recode(HERE, np.array([[77]]), {0: 0}, faces, Settings(unknown_as_void=True))
    with pytest.raises(BadSource):
        recode_colors(HERE, np.full((1, 1, 3), 77, np.uint8), {(0, 0, 0): 0}, faces, Settings(unknown_as_void=True))


def test_colours() -> None:
    rgb = np.array([[[0, 0, 0], [255, 255, 255]], [[1, 2, 3], [3, 2, 1]]], np.uint8)
    table = {(0, 0, 0): 11, (255, 255, 255): SKY, (1, 2, 3): ROAD}
    with pytest.raises(BadSource) as caught:
        recode_colors(HERE, rgb, table, CAMVID, Settings())
    assert [(f.kind, f.value, f.pixels) for f in caught.value.findings] == [("unknown colour", (3, 2, 1), 1)]
    table[(3, 2, 1)] = CAR
    np.testing.assert_array_equal(recode_colors(HERE, rgb, table, CAMVID, Settings()), [[11, SKY], [ROAD, CAR]])


@pytest.mark.parametrize("size", [(3, 5), (6, 10), (7, 4), (1, 1)])
def test_scaling_is_pillows_nearest(size: tuple[int, int]) -> None:
    values = np.arange(30, dtype=np.int32).reshape(6, 5)
    expected = Image.fromarray(values.astype(np.uint8)).resize(size[::-1], Image.Resampling.NEAREST)
    np.testing.assert_array_equal(nearest(values, size), np.asarray(expected))


@pytest.mark.parametrize(("mode", "suffix"), [("RGB", ".png"), ("LA", ".png"), ("L", ".jpg")])
def test_maps_that_hold_no_ids(tmp_path: Path, mode: str, suffix: str) -> None:
    Image.new(mode, (4, 4)).save(tmp_path / f"map{suffix}")
    with pytest.raises(BadSource) as caught:
        read_ids(tmp_path / f"map{suffix}", Settings())
    assert caught.value.findings[0].kind == "mode"


def test_faults_come_back_from_other_processes() -> None:
    error = BadSource([Finding(HERE, "mode", "is wrong", "mend it", "RGB", 3)])
    assert pickle.loads(pickle.dumps(error)).findings == error.findings  # noqa: S301
