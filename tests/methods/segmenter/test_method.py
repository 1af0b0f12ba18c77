"""From photo to label map: model folders, large photos, mirror images, models that are none."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import scenebrush.methods as methods
from scenebrush.errors import InputError, ModelError
from scenebrush.methods import Editor, ModelCard, Segmenter, default_model, load_model, load_segmenter
from scenebrush.methods.segmenter import enlarging
from scenebrush.methods.segmenter.enlarging import enlarged_argmax
from scenebrush.methods.segmenter.folder import load_network
from scenebrush.methods.segmenter.method import PhotoSegmenter, load
from scenebrush.scene import LabelSet
from tests.methods.segmenter.small import tiny_config, tiny_network, write_tiny

CAMVID = LabelSet.load("camvid")


def photo_of(height: int, width: int) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    waves = [128 + 100 * np.sin(columns / 7 + rows / 5), 255 * rows / height, 255 * columns / width]
    return np.stack(waves, -1).astype(np.uint8)


@pytest.fixture
def model():
    config = tiny_config(CAMVID)
    return PhotoSegmenter(tiny_network(config), config, CAMVID)


def test_a_folder_gives_the_model_back(tmp_path):
    folder, photo = write_tiny(tmp_path / "street", CAMVID), photo_of(50, 70)
    found = load_segmenter(folder)
    assert isinstance(found, Segmenter) and not isinstance(found, Editor)
    assert (found.name, found.label_set) == ("street", CAMVID)
    label_map = found.segment(photo)
    assert label_map.shape == (50, 70) and np.issubdtype(label_map.dtype, np.integer)
    assert set(np.unique(label_map)) <= set(range(11))
    assert np.array_equal(label_map, load_segmenter(folder).segment(photo))
    kept, own = load_network(folder)[0].state_dict(), tiny_network(tiny_config(CAMVID)).state_dict()
    assert all(torch.allclose(kept[key].float(), own[key].float(), rtol=1e-3, atol=1e-5) for key in own)


def test_its_map_holds_the_ids_of_its_label_set(tmp_path):
    cityscapes = LabelSet.load("cityscapes")
    found = load_segmenter(write_tiny(tmp_path / "m", cityscapes)).segment(photo_of(64, 64))
    assert set(np.unique(found)) <= set(cityscapes.of_kind("thing", "stuff"))


def test_a_photo_is_read_mirrored_too(model):
    photo = photo_of(64, 96)
    assert np.array_equal(model.segment(photo)[:, ::-1], model.segment(np.ascontiguousarray(photo[:, ::-1])))
    one = model.chances(photo)
    model.flip = False
    two = (model.chances(photo) + model.chances(np.ascontiguousarray(photo[:, ::-1])).flip(2)) / 2
    assert torch.allclose(one, two, atol=1e-6) and not torch.allclose(one, model.chances(photo), atol=1e-3)
    assert torch.allclose(one.sum(0), torch.ones(64, 96), atol=1e-5)


def test_a_large_photo_is_read_at_the_scale_that_the_model_knows(model):
    assert model.chances(photo_of(300, 900)).shape == (11, 213, 640)
    assert model.segment(photo_of(300, 900)).shape == (300, 900)
    assert model.chances(photo_of(30, 40)).shape == (11, 30, 40)


def test_chances_of_several_scales_are_averaged():
    photo = photo_of(96, 128)
    both, half, whole = (
        PhotoSegmenter(
            tiny_network(tiny_config(CAMVID)), dataclasses.replace(tiny_config(CAMVID), scales=scales), CAMVID
        )
        for scales in ((0.5, 1.0), (0.5,), (1.0,))
    )
    assert half.chances(photo).shape == (11, 48, 64)
    enlarged = F.interpolate(half.chances(photo)[None], (96, 128), mode="bilinear")[0]
    assert torch.allclose(both.chances(photo), (enlarged + whole.chances(photo)) / 2, atol=1e-6)


@pytest.mark.parametrize("size", [(23, 31), (40, 57), (9, 13)])
def test_chances_are_enlarged_as_a_whole_would_be(monkeypatch, size):
    chances = torch.rand(5, 9, 13, generator=torch.Generator().manual_seed(0))
    expected = F.interpolate(chances[None], size=size, mode="bilinear")[0].argmax(0).numpy()
    assert np.array_equal(enlarged_argmax(chances, size), expected)
    monkeypatch.setattr(enlarging, "_PIXELS_AT_ONCE", 100)  # strips of a few rows
    assert np.array_equal(enlarged_argmax(chances, size), expected)


@pytest.mark.parametrize("photo", [np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8)])
def test_what_is_no_photo_is_refused(model, photo):
    with pytest.raises(InputError, match="a segmenter reads photos uint8"):
        model.segment(photo)


def test_an_edit_is_not_its_business(tmp_path):
    with pytest.raises(ModelError, match="'street' makes label maps of photos, it edits none; scenebrush segment uses"):
        load_model(write_tiny(tmp_path / "street", CAMVID))
    with pytest.raises(ModelError, match="model 'canvas' makes no label maps of photos; give"):
        load_segmenter("canvas")
    with pytest.raises(ModelError, match=r"unknown model 'canvsa' \(did you mean 'canvas'\?\)"):
        load_segmenter("canvsa")
    with pytest.raises(ModelError, match="needs a model folder"):
        load(None)


def test_it_is_never_the_default_of_an_edit(monkeypatch):
    cards = [ModelCard("canvas", "canvas"), ModelCard("segment-street", "segmenter", "camvid")]
    monkeypatch.setattr(methods, "list_models", lambda: cards)
    assert default_model(CAMVID) == "canvas" == default_model(CAMVID, adapting=True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"num_outputs": 7}, "has 7 outputs for 11 classes that are not void"),
        ({"decoder_width": 8}, "does not hold the weights"),
        ({"colour": 1}, "unknown settings colour"),
    ],
)
def test_a_folder_that_does_not_hold_together(tmp_path, change, told):
    folder = write_tiny(tmp_path / "m", CAMVID)
    facts = json.loads((folder / "config.json").read_text())
    facts["config"] |= change
    (folder / "config.json").write_text(json.dumps(facts))
    with pytest.raises(ModelError, match=told):
        load_segmenter(folder)
