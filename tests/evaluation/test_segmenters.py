from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from scenebrush.errors import InputError, ModelError
from scenebrush.evaluation.label_mapping import SegmenterMapping
from scenebrush.evaluation.segmenters import UNREAD, UNSEEN, Segmenter, Surroundings
from scenebrush.scene.files import read_label_map, read_photo
from scenebrush.scene.folder import SceneFolder
from scenebrush.scene.label_set import LabelSet

MAPPING = {
    "name": "toy",
    "input": {"width": 16, "height": 16, "resize": "letterbox"},
    "classes": ["air", "ground", "animal", "bars"],
    "label_sets": {"test": {"sky": ["air"], "road": ["ground"]}},
}
COLOURS = {"air": 0, "ground": 100, "animal": 200}  # red values that the toy network knows


class ByRed:
    """A segmenter's network that calls red 0 air, 100 ground, 200 animal, and 128 (the bars) bars."""

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def __call__(self, x: np.ndarray) -> np.ndarray:
        self.seen.append(x)
        known = np.array([*COLOURS.values(), 128])
        return np.abs(x[..., :1].astype(int) - known).argmin(axis=-1)


def toy(label_set: LabelSet, resize: str = "letterbox") -> tuple[Segmenter, ByRed]:
    data = MAPPING | {"input": {"width": 16, "height": 16, "resize": resize}}
    network = ByRed()
    return Segmenter(SegmenterMapping.model_validate(data), label_set, network), network


def flat(height: int, width: int, word: str) -> np.ndarray:
    return np.full((height, width, 3), COLOURS[word], np.uint8)


@pytest.mark.parametrize("resize", ["stretch", "letterbox"])
@pytest.mark.parametrize("size", [(16, 16), (32, 64), (40, 12), (5, 9)])
def test_a_reading_has_the_pictures_size_and_lies_where_it_should(
    label_set: LabelSet, resize: str, size: tuple[int, int]
) -> None:
    segmenter, network = toy(label_set, resize)
    photo = flat(*size, "air")
    photo[size[0] // 2 :] = COLOURS["ground"]
    found = segmenter.read(photo)
    assert found.shape == size and found.dtype == np.int32
    assert (found[: size[0] // 4] == 0).all() and (found[-(size[0] // 4) :] == 1).all()
    assert network.seen[0].shape == (1, 16, 16, 3)


def test_what_is_none_of_ours_is_unread(label_set: LabelSet) -> None:
    segmenter, _ = toy(label_set)
    assert (segmenter.read(flat(20, 20, "animal")) == UNREAD).all()
    assert segmenter.seen == (0, 1)


def test_a_layout_in_the_segmenters_words(label_set: LabelSet) -> None:
    segmenter, _ = toy(label_set)
    assert segmenter.comparable(np.array([[0, 1, 2, 255, 999, -1]])).tolist() == [[0, 1, *[UNSEEN] * 4]]


def test_surroundings_are_shown_and_cut_off_again(label_set: LabelSet) -> None:
    """A window of ground in a photo of air: the network sees both, the reading is the window alone."""
    segmenter, network = toy(label_set)
    photo = flat(64, 64, "air")
    found = segmenter.read(flat(16, 16, "ground"), Surroundings(photo, (40, 8, 56, 24)))
    assert found.shape == (16, 16) and (found[2:-2, 2:-2] == 1).all()
    middle = network.seen[0][0, 5:11, 5:11, 0]
    assert (middle == COLOURS["ground"]).all()  # half as wide as what is seen, and in its middle
    assert (network.seen[0][0, [0, -1], :, 0] == COLOURS["air"]).all()
    assert (photo == COLOURS["air"]).all()


def test_a_window_at_the_photos_corner_keeps_its_place(label_set: LabelSet) -> None:
    segmenter, network = toy(label_set)
    found = segmenter.read(flat(16, 16, "ground"), Surroundings(flat(40, 50, "air"), (34, 24, 50, 40)))
    assert (found == 1).all()
    assert (network.seen[0][0, 9:, 9:, 0] == COLOURS["ground"]).all()
    assert (network.seen[0][0, :7, :, 0] == COLOURS["air"]).all()


def test_a_window_of_another_scale_is_fitted_to_its_box(label_set: LabelSet) -> None:
    """The papers' protocol: 8x8 shown of 32x32 in the photo."""
    segmenter, network = toy(label_set)
    window = flat(8, 8, "air")
    window[:, 4:] = COLOURS["ground"]
    found = segmenter.read(window, Surroundings(flat(64, 64, "animal"), (16, 16, 48, 48)))
    assert found.shape == (8, 8)
    assert (found[1:-1, 1:3] == 0).all() and (found[1:-1, 5:-1] == 1).all()
    assert (network.seen[0][0, :3, :, 0] == COLOURS["animal"]).all()


def test_wrong_pictures_and_windows_are_refused(label_set: LabelSet) -> None:
    segmenter, _ = toy(label_set)
    with pytest.raises(InputError, match=r"uint8 \(H, W, 3\); this one is float64"):
        segmenter.read(np.zeros((4, 4, 3)))
    with pytest.raises(InputError, match=r"window \(0, 0, 9, 4\) does not lie in its photo of 8x8"):
        segmenter.read(flat(4, 4, "air"), Surroundings(flat(8, 8, "air"), (0, 0, 9, 4)))


def test_a_class_that_the_mapping_does_not_name_is_told(label_set: LabelSet) -> None:
    mapping = SegmenterMapping.model_validate(MAPPING)
    segmenter = Segmenter(mapping, label_set, lambda x: np.full((1, 16, 16), 7), "toy.json")
    with pytest.raises(InputError, match=r"toy\.json: the network gave class 7, but 4 are named"):
        segmenter.read(flat(8, 8, "air"))


def test_load_names_what_is_wrong(tmp_path: Path, label_set: LabelSet, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"unknown segmenter 'mosaic' \(did you mean 'mosaic-ade31'"):
        Segmenter.load("mosaic", label_set)
    with pytest.raises(InputError, match=r"own\.onnx does not exist"):
        Segmenter.load(tmp_path / "own.onnx", label_set)
    (tmp_path / "own.onnx").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"own\.json does not exist; write the segmenter's mapping"):
        Segmenter.load(tmp_path / "own.onnx", label_set)
    with pytest.raises(InputError, match=r"mosaic-ade31\.json has no mapping for label set 'test', only for ade20k"):
        Segmenter.load("mosaic-ade31", label_set)
    with pytest.raises(ModelError, match=r"deeplab_edgetpu_slim_cityscapes\.onnx is missing"):
        Segmenter.load("deeplab-cityscapes", LabelSet.load("camvid"), folder=tmp_path)
    (tmp_path / "own.json").write_text(json.dumps(MAPPING))
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ModelError, match=r"own\.onnx needs onnxruntime .*pip install 'scenebrush\[measure\]'"):
        Segmenter.load(tmp_path / "own.onnx", label_set)


def test_a_broken_network_file_is_told_on_one_line(tmp_path: Path, label_set: LabelSet) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "own.onnx").write_bytes(b"nothing")
    (tmp_path / "own.json").write_text(json.dumps(MAPPING))
    with pytest.raises(ModelError, match=r"own\.onnx is no network that onnxruntime can run") as error:
        Segmenter.load(tmp_path / "own.onnx", label_set)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "data", "photo", "accuracy"),
    [
        ("deeplab-cityscapes", "camvid/test", "0001TP_008550", 0.85),
        ("mosaic-ade31", "camvid/test", "0001TP_008550", 0.90),
        ("mosaic-ade31", "ade20k_samples/val", "ADE_val_00000001", 0.90),
    ],
)
def test_the_shipped_ones_read_real_photos(
    shared: Path, assets: Path, name: str, data: str, photo: str, accuracy: float
) -> None:
    """Wrong class order, colour order or geometry would each cost far more than the margin."""
    pytest.importorskip("onnxruntime")
    folder = SceneFolder.open(shared / "data" / data.partition("/")[0])
    place = shared / "data" / data
    segmenter = Segmenter.load(name, folder.label_set, folder=assets, threads=1)
    reading = segmenter.read(read_photo(place / "images" / f"{photo}.jpg").pixels)
    asked = segmenter.comparable(read_label_map(place / "labels" / f"{photo}.png", folder.label_set))
    assert (reading == asked)[asked != UNSEEN].mean() > accuracy
