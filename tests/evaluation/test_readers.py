"""What task `segment` measures: models, segmenters with a mapping, the truth."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from scenebrush.data.toy import write_toy_folder
from scenebrush.errors import InputError, ModelError
from scenebrush.evaluation import segmenters
from scenebrush.evaluation.measuring import measure_segmenters
from scenebrush.evaluation.readers import MappedReader, MappedSegmenter, ModelReader, TrueReader, reader_by_name
from scenebrush.evaluation.segmenters import UNREAD, UNSEEN, Segmenter
from scenebrush.evaluation.tasks import Sample, task_by_name
from scenebrush.scene.label_set import LabelSet
from tests.methods.segmenter.small import write_tiny

CAMVID = LabelSet.load("camvid")
MAPPING = {
    "name": "halves",
    "input": {"width": 32, "height": 32},
    "classes": ["up", "down", "cat"],
    "label_sets": {"camvid": {"sky": ["up"], "road": ["down"]}},
}


class AllSky:
    """A model that sees nothing but sky."""

    name, label_set = "all-sky", CAMVID

    def segment(self, photo: np.ndarray) -> np.ndarray:
        return np.zeros(photo.shape[:2], np.int32)


@pytest.fixture
def onnx(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of a network that answers up, down and, in the last column, cat; its mapping beside it."""
    answer = np.zeros((1, 32, 32), int)
    answer[:, 16:] = 1
    answer[:, :, -1] = 2
    monkeypatch.setattr(segmenters, "onnx_network", lambda path, output=0, threads=None: lambda x: answer)
    (tmp_path / "halves.json").write_text(json.dumps(MAPPING))
    (tmp_path / "halves.onnx").touch()
    return tmp_path / "halves.onnx"


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return Sample(write_toy_folder(tmp_path_factory.mktemp("streets"), 3, "test", size=(160, 120), seed=2), n=3)


def test_the_truth_is_perfect_and_one_answer_is_as_good_as_its_share(sample: Sample) -> None:
    told = []
    readers = {"all-sky": ModelReader(AllSky()), "labels": TrueReader(CAMVID)}
    outcome = measure_segmenters(task_by_name("segment"), sample, readers, report=lambda *what: told.append(what))
    sky, labels = outcome.comparison.rows
    shown = np.stack([photo.label_map for photo in sample.photos.photos])
    known = np.isin(shown, range(11))
    assert sky.figures.agreement is not None
    assert sky.figures.agreement.pooled_accuracy == pytest.approx((shown[known] == 0).mean())
    share = (shown == 0).sum() / known.sum()
    classes = len(np.unique(shown[known]))
    assert sky.means["pooled_miou"].mean == pytest.approx(share / classes)
    for row in (labels, outcome.comparison.ceiling):
        assert row is not None and row.means["pooled_miou"].mean == row.means["accuracy"].mean == 1
    assert ("all-sky", 3, 3) in told


def test_void_counts_nowhere() -> None:
    reader = TrueReader(CAMVID)
    assert reader.seen == tuple(range(11))
    assert reader.comparable(np.array([[0, 10, 11, 255, -1]])).tolist() == [[0, 10, UNSEEN, UNSEEN, UNSEEN]]


def test_names(onnx: Path, tmp_path: Path) -> None:
    assert isinstance(reader_by_name("truth", CAMVID), TrueReader)
    for spec in (str(onnx), f"onnx:{onnx}"):
        found = reader_by_name(spec, CAMVID)
        assert isinstance(found, MappedReader) and found.seen == (0, 3)
    folder = write_tiny(tmp_path / "mine", CAMVID)
    for spec in (str(folder), f"model:{folder}"):
        reader = reader_by_name(spec, CAMVID)
        assert isinstance(reader, ModelReader) and reader.name == "mine"


def test_what_cannot_be_measured(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path / "mine", CAMVID)
    with pytest.raises(InputError, match=r"unknown segmenter 'trut' \(did you mean 'truth'\?\); give truth, deeplab"):
        reader_by_name("trut", CAMVID)
    with pytest.raises(InputError, match="model 'mine' knows the classes of 'camvid', the data has 'nyuv2'"):
        reader_by_name(str(folder), LabelSet.load("nyuv2"))
    with pytest.raises(ModelError, match="model 'canvas' makes no label maps of photos"):
        reader_by_name("canvas", CAMVID)
    with pytest.raises(InputError, match=r"nowhere\.onnx does not exist"):
        reader_by_name("onnx:nowhere.onnx", CAMVID)


def test_a_mapped_segmenter_makes_label_maps(onnx: Path) -> None:
    model = MappedSegmenter(Segmenter.load(onnx, CAMVID))
    found = model.segment(np.zeros((64, 64, 3), np.uint8))
    assert (found[:32, :60] == 0).all() and (found[32:, :60] == 3).all() and (found[:, 62:] == 11).all()
    assert (model.segmenter.read(np.zeros((64, 64, 3), np.uint8))[:, 62:] == UNREAD).all()
    without = dataclasses.replace(CAMVID, ignore_id=None)
    with pytest.raises(InputError, match="reads none of our classes in 128 pixels, and label set 'camvid' has no"):
        MappedSegmenter(Segmenter.load(onnx, without)).segment(np.zeros((64, 64, 3), np.uint8))
