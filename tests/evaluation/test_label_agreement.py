from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, jaccard_score
from sklearn.metrics import confusion_matrix as sklearn_matrix

from scenebrush.data.measuring import measuring_windows
from scenebrush.data.split_in_memory import SplitInMemory
from scenebrush.errors import InputError
from scenebrush.evaluation.label_agreement import confusion_matrix, iou, label_agreement, mean_iou, pixel_accuracy
from scenebrush.evaluation.label_mapping import SegmenterMapping
from scenebrush.evaluation.segmenters import Segmenter, Surroundings
from scenebrush.scene.label_set import LabelSet

MAPPING = {
    "name": "toy",
    "input": {"width": 4, "height": 4},
    "classes": ["air", "ground", "animal"],
    "label_sets": {"test": {"sky": ["air"], "road": ["ground"]}},
}


@pytest.fixture
def segmenter(label_set: LabelSet) -> Segmenter:
    """Reads red 0 as sky, 1 as road, 2 as none of ours; it cannot tell cars."""
    return Segmenter(SegmenterMapping.model_validate(MAPPING), label_set, lambda x: x[..., 0])


def picture(rows: list[list[int]]) -> np.ndarray:
    return np.repeat(np.array(rows, np.uint8)[..., None], 3, axis=2)


READ = picture([[0, 0, 0, 0], [0, 0, 1, 1], [1, 1, 1, 2], [1, 1, 1, 1]])
ASKED = np.array([[0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 2, 2]])


def test_a_picture_by_hand(segmenter: Segmenter) -> None:
    """Two cars are left out: 14 pixels, 11 right. Sky 6 of 8, road 5 right, 8 read or asked: IoU 3/4 and 5/8."""
    found = label_agreement([READ], [ASKED], segmenter)
    assert found.confusion.tolist() == [[[6, 2, 0], [0, 5, 1]]]
    assert found.class_ids == (0, 1)
    assert found.accuracy == pytest.approx([11 / 14])
    assert found.miou == pytest.approx([(6 / 8 + 5 / 8) / 2])
    assert found.class_iou() == pytest.approx({"sky": 6 / 8, "road": 5 / 8})
    assert (found.pooled_accuracy, found.pooled_miou) == (found.accuracy[0], found.miou[0])


def test_in_the_hole_only_the_hole_counts(segmenter: Segmenter) -> None:
    hole = np.zeros((4, 4), bool)
    hole[1:3, 2:] = True  # asked sky sky / road road, read road road / road none
    found = label_agreement([READ], [ASKED], segmenter, holes=[hole])
    assert found.accuracy == pytest.approx([1 / 4])
    assert found.miou == pytest.approx([(0 + 1 / 4) / 2])


def test_pooling_sums_pixels_and_edits_stand_alone(segmenter: Segmenter) -> None:
    sky = picture([[0] * 4] * 4)
    found = label_agreement([READ, sky], [ASKED, np.zeros((4, 4), int)], segmenter)
    assert found.accuracy == pytest.approx([11 / 14, 1])
    assert found.miou == pytest.approx([11 / 16, 1])  # road is not asked for in the second: no class of its own there
    assert found.pooled_accuracy == pytest.approx((11 + 16) / (14 + 16))
    assert found.pooled_miou == pytest.approx(((6 + 16) / (8 + 16) + 5 / 8) / 2)


def test_nothing_to_compare_is_nan_and_costs_the_pool_nothing(segmenter: Segmenter) -> None:
    cars = np.full((4, 4), 2)
    found = label_agreement([READ, READ], [ASKED, cars], segmenter)
    assert np.isnan(found.accuracy[1]) and np.isnan(found.miou[1])
    assert found.pooled_accuracy == pytest.approx(11 / 14)


def test_figures_equal_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    ids = (2, 5, 9, 11)
    asked, read = rng.choice(ids[:3], 400), rng.choice(ids, 400)
    matrix = confusion_matrix(asked, read, ids)
    assert matrix[:, :-1].tolist() == sklearn_matrix(asked, read, labels=ids).tolist()
    assert pixel_accuracy(matrix) == pytest.approx(accuracy_score(asked, read))
    expected = jaccard_score(asked, read, labels=ids[:3], average=None)
    assert iou(matrix)[:3] == pytest.approx(expected)
    assert np.isnan(iou(matrix)[3])
    assert mean_iou(matrix) == pytest.approx(expected.mean())


def test_unknown_readings_go_to_the_last_column() -> None:
    matrix = confusion_matrix(np.array([2, 2, 5]), np.array([-1, 99, 3]), (2, 5))
    assert matrix.tolist() == [[0, 0, 2], [0, 0, 1]]


def test_every_picture_is_reported_and_surroundings_are_handed_on(segmenter: Segmenter) -> None:
    told: list[int] = []
    around = Surroundings(picture([[2] * 8] * 8), (4, 4, 8, 8))
    found = label_agreement([READ, READ], [ASKED, ASKED], segmenter, surroundings=[None, around], report=told.append)
    assert told == [1, 2]
    assert found.accuracy[0] == pytest.approx(11 / 14)
    assert found.confusion[1].sum() == 14


def test_what_does_not_fit_is_refused(segmenter: Segmenter) -> None:
    with pytest.raises(InputError, match="0 pictures"):
        label_agreement([], [], segmenter)
    with pytest.raises(InputError, match="1 pictures, but 2 label_maps"):
        label_agreement([READ], [ASKED, ASKED], segmenter)
    with pytest.raises(InputError, match=r"picture 0 .* picture \(4, 4\), labels \(2, 4\)"):
        label_agreement([READ], [ASKED[:2]], segmenter)
    with pytest.raises(InputError, match=r"hole \(4, 3\)"):
        label_agreement([READ], [ASKED], segmenter, holes=[np.ones((4, 3), bool)])


def test_a_window_read_in_its_photo_beats_the_window_alone(shared: Path, assets: Path) -> None:
    """The reason for surroundings, on the truth: 40 windows give 0.92 against 0.65 in the hole."""
    pytest.importorskip("onnxruntime")
    split = SplitInMemory(shared / "data" / "camvid", "test")
    photos = {photo.stem: photo.photo for photo in split.photos}
    windows = measuring_windows(split, "test", "erase", 6)
    segmenter = Segmenter.load("deeplab-cityscapes", split.label_set, folder=assets, threads=1)
    given = [w.photo for w in windows], [w.label_map for w in windows], segmenter
    holes = [w.hole for w in windows]
    alone = label_agreement(*given, holes=holes)
    around = [Surroundings(photos[w.stem], w.box) for w in windows]
    within = label_agreement(*given, holes=holes, surroundings=around)
    assert within.pooled_accuracy > alone.pooled_accuracy + 0.05
    assert within.pooled_accuracy > 0.8
