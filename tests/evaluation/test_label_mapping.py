from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scenebrush.errors import InputError
from scenebrush.evaluation.label_mapping import InputFormat, OutputFormat, SegmenterMapping, tables
from scenebrush.evaluation.segmenters import SEGMENTERS, default_segmenter, shipped_mapping
from scenebrush.scene.label_set import LabelSet


def mapping_data(**changes: Any) -> dict[str, Any]:
    return {
        "name": "toy",
        "input": {"width": 8, "height": 4},
        "classes": ["air", "ground", "wagon", "animal"],
        "label_sets": {"test": {"sky": ["air"], "road": ["ground"], "car": ["wagon"]}},
    } | changes


@pytest.mark.parametrize("name", SEGMENTERS)
def test_every_shipped_mapping_names_classes_that_exist(name: str) -> None:
    mapping = SegmenterMapping.read(shipped_mapping(name))
    assert mapping.name == name
    for set_name, entry in mapping.label_sets.items():
        label_set = LabelSet.load(set_name)
        words = mapping.words_for(label_set, name)
        assert len(words) == len(entry)
        assert not set(words) & {label_set.ignore_id, *label_set.of_kind("void")}


def test_segmenters_have_the_published_number_of_classes() -> None:
    """Cityscapes' 19 train ids; ADE20K's 31 most frequent classes, the first 31 of its list, and `other`."""
    deeplab, mosaic = (SegmenterMapping.read(shipped_mapping(name)) for name in SEGMENTERS)
    train = LabelSet.load("cityscapes_train")
    assert deeplab.classes == tuple(train.by_id[i].name for i in range(19))
    ade = LabelSet.load("ade20k")
    assert mosaic.classes == ("other", *(ade.by_id[i].name for i in range(1, 32)))
    assert mosaic.words_for(ade, "")[31] == ("armchair",)


def test_camvid_reads_by_every_word_of_deeplab_but_none_twice() -> None:
    mapping = SegmenterMapping.read(shipped_mapping("deeplab-cityscapes"))
    words = [word for own in mapping.words_for(LabelSet.load("camvid"), "").values() for word in own]
    assert sorted(words) == sorted(mapping.classes)


def test_the_default_is_the_one_that_knows_most() -> None:
    expected = {"camvid": "deeplab-cityscapes", "cityscapes": "deeplab-cityscapes", "ade20k": "mosaic-ade31"}
    assert {name: default_segmenter(LabelSet.load(name)) for name in expected} == expected
    assert default_segmenter(LabelSet.load("nyuv2")) == "mosaic-ade31"
    assert default_segmenter(LabelSet.load("celebamask")) is None


def test_tables_merge_classes_of_one_word_and_leave_out_the_unseen(label_set: LabelSet) -> None:
    words = {0: ("air",), 1: ("ground", "animal"), 2: ("animal", "ground")}
    reading, comparable = tables(words, ("air", "ground", "wagon", "animal"), label_set)
    assert reading.tolist() == [0, 1, -1, 1]
    assert comparable[:4].tolist() == [0, 1, 1, -1]


def test_the_unlabelled_id_is_never_compared() -> None:
    camvid = LabelSet.load("camvid")
    _, comparable = tables({11: ("air",), 0: ("ground",)}, ("air", "ground"), camvid)
    assert comparable[[0, 11]].tolist() == [0, -1]


def test_a_set_of_the_same_names_needs_no_entry_of_its_own(label_set: LabelSet) -> None:
    mapping = SegmenterMapping.model_validate(mapping_data(label_sets={"other": {"sky": ["air"], "car": ["wagon"]}}))
    assert mapping.words_for(label_set, "toy.json") == {0: ("air",), 2: ("wagon",)}


def test_no_mapping_for_the_data_says_which_there_are_and_how_to_write_one() -> None:
    mapping = SegmenterMapping.model_validate(mapping_data())
    with pytest.raises(InputError, match=r"toy\.json has no mapping for label set 'nyuv2', only for test; add \"nyuv2"):
        mapping.words_for(LabelSet.load("nyuv2"), "toy.json")


def test_an_entry_with_a_class_of_another_set_is_refused(label_set: LabelSet) -> None:
    mapping = SegmenterMapping.model_validate(mapping_data(label_sets={"test": {"cat": ["animal"]}}))
    with pytest.raises(InputError, match=r"maps 'cat', which is no class of label set 'test' \(did you mean 'car'"):
        mapping.words_for(label_set, "toy.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"label_sets": {"test": {"sky": ["aire"]}}},
            r"label_sets\.test\.sky: .* no class 'aire' \(did you mean 'air'",
        ),
        ({"label_sets": {"test": {"sky": []}}}, r"label_sets\.test\.sky is empty"),
        ({"label_sets": {"test": {"sky": ["air"], "road": ["air", "ground"]}}}, r"'air' stands for two classes"),
        ({"input": {"width": 8}}, r"input\.height: Field required"),
        ({"input": {"width": 8, "height": 4, "resize": "crop"}}, r"input\.resize: .*'stretch' or 'letterbox'"),
        ({"clases": []}, r"clases: Extra inputs"),
    ],
)
def test_faults_of_a_file_are_named_on_one_line(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = tmp_path / "toy.json"
    path.write_text(json.dumps(mapping_data(**changes)))
    with pytest.raises(InputError, match=message) as error:
        SegmenterMapping.read(path)
    assert str(error.value).startswith(str(path)) and "\n" not in str(error.value)


def test_a_missing_or_broken_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.json does not exist; write the segmenter's mapping there"):
        SegmenterMapping.read(tmp_path / "none.json")
    (tmp_path / "half.json").write_text('{"name": "x"')
    with pytest.raises(InputError, match=r"half\.json: Invalid JSON"):
        SegmenterMapping.read(tmp_path / "half.json")


def test_input_arrays_are_what_the_formats_say() -> None:
    picture = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    assert InputFormat(width=4, height=2).array(picture).shape == (1, 2, 4, 3)
    form = InputFormat(width=4, height=2, layout="NCHW", dtype="float32", mean=(0.1, 0.2, 0.3), std=(1.0, 2.0, 0.5))
    found = form.array(picture)
    assert found.dtype == np.float32 and found.shape == (1, 3, 2, 4)
    assert found[0, :, 1, 2] == pytest.approx([(18 / 255 - 0.1), (19 / 255 - 0.2) / 2, (20 / 255 - 0.3) / 0.5])


def test_a_letterbox_keeps_the_shape() -> None:
    form = InputFormat(width=100, height=100, resize="letterbox")
    assert form.inside((50, 200)) == (25, 100)
    assert form.inside((200, 50)) == (100, 25)
    assert InputFormat(width=100, height=100).inside((50, 200)) == (100, 100)


def test_outputs_become_class_numbers() -> None:
    scores = np.zeros((1, 3, 2, 2), np.float32)
    scores[0, 2, 0, 1] = scores[0, 1, 1, 0] = 5
    expected = [[0, 2], [1, 0]]
    assert OutputFormat(kind="scores").classes(scores).tolist() == expected
    assert OutputFormat(kind="scores", layout="NHWC").classes(scores.transpose(0, 2, 3, 1)).tolist() == expected
    for shape in ((1, 2, 2), (2, 2), (1, 2, 2, 1)):
        assert OutputFormat().classes(np.array(expected, np.int32).reshape(shape)).tolist() == expected
    with pytest.raises(InputError, match=r"shape \(1, 3, 2, 2\); classes have \(1, H, W\)"):
        OutputFormat().classes(scores)
    with pytest.raises(InputError, match=r"scores have \(1, C, H, W\)"):
        OutputFormat(kind="scores").classes(np.zeros((2, 2)))


def test_the_example_of_the_formats_page_is_a_mapping(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "formats.md").read_text()
    example = page.partition("## Segmenter and mapping")[2].partition("```json\n")[2].partition("```")[0]
    (tmp_path / "lake.json").write_text(example)
    mapping = SegmenterMapping.read(tmp_path / "lake.json")
    assert mapping.input.layout == "NCHW" and mapping.output.kind == "scores"
    assert mapping.label_sets["lakeside"]["boat"] == ("vessel",)
