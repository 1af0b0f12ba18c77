"""The photo that is learned: sizes, what cannot be learned, and its files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenebrush.errors import InputError, ModelError
from scenebrush.methods.semia.source import Source, photo_at_most, resized_layout
from scenebrush.scene.files.edge_maps import EDGES
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from tests.methods.semia.tiny import LAND, land, photo_of, tiny_source


def test_photo_and_layout_have_one_size() -> None:
    with pytest.raises(InputError, match="88x72 and label map 80x72 differ"):
        Source(photo_of(land()), land(width=80))


def test_its_classes_are_those_it_shows() -> None:
    assert tiny_source().class_ids == (0, 1, 2)


def test_a_large_photo_is_made_smaller_and_a_small_one_stays() -> None:
    source = tiny_source(height=100, width=200)
    half = source.at_most(100)
    assert half.photo.shape == (50, 100, 3) and half.photo.dtype == np.uint8
    assert np.array_equal(half.layout.label_map, source.layout.label_map[1::2, 1::2])
    assert abs(half.photo.mean() - source.photo.mean()) < 1
    assert source.at_most(200) is source and source.at_most(640) is source
    assert photo_at_most(source.photo, 50).shape == (25, 50, 3)


def test_maps_are_picked_pixel_by_pixel_at_pixel_centres() -> None:
    labels = np.arange(6).reshape(2, 3) % 3
    instances = np.arange(6).reshape(2, 3)
    larger = resized_layout(Layout(labels, LAND, instances), (6, 4))
    assert np.array_equal(larger.label_map, labels.repeat(2, 0).repeat(2, 1))
    assert larger.instance_map is not None
    assert np.array_equal(larger.instance_map, instances.repeat(2, 0).repeat(2, 1))
    assert np.array_equal(resized_layout(larger, (3, 2)).label_map, labels)
    noise = np.random.default_rng(0).integers(0, 3, (9, 12))
    assert np.array_equal(resized_layout(Layout(noise, LAND), (4, 3)).label_map, noise[1::3, 1::3])


def test_thin_lines_are_not_lost_where_a_drawing_is_made_smaller() -> None:
    labels = np.zeros((90, 90), int)
    labels[:, 30] = 1  # between the pixels that picking would take
    labels[45, :] = 1
    small = resized_layout(Layout(labels, EDGES), (30, 30), lines=True).label_map
    assert small[:, 10].all() and small[15].all() and small.sum() == 59
    assert not resized_layout(Layout(labels, EDGES), (30, 30)).label_map[:, 10].all()


@pytest.mark.parametrize(
    ("source", "told"),
    [
        (tiny_source(height=63, width=200), "the photo is 200x63 as it is to be learned; at least 64"),
        (Source(photo_of(land()), Layout(np.ones((72, 88)), LAND)), "one class only, 'hill', in all 6336 pixels"),
    ],
)
def test_what_cannot_be_learned(source: Source, told: str) -> None:
    with pytest.raises(InputError, match=told):
        source.check_learnable()


def test_what_can_be_learned() -> None:
    tiny_source(height=64, width=64).check_learnable()


@pytest.mark.parametrize("numbered", [False, True])
def test_what_is_read_is_what_was_written(tmp_path: Path, numbered: bool) -> None:
    layout = land()
    instances = np.where(layout.label_map == 2, 300, 0) if numbered else None
    source = Source(photo_of(layout), Layout(layout.label_map, LAND, instances), "drawing")
    source.save(tmp_path)
    found = Source.load(tmp_path, LAND, "drawing")
    assert np.array_equal(found.photo, source.photo) and found.kind == "drawing"
    assert np.array_equal(found.layout.label_map, layout.label_map)
    assert LabelSet.load(tmp_path / "classes.json") == LAND
    if numbered:
        assert found.layout.instance_map is not None and np.array_equal(found.layout.instance_map, instances)
    else:
        assert found.layout.instance_map is None


def test_a_file_that_is_missing_or_of_another_size_is_named(tmp_path: Path) -> None:
    tiny_source().save(tmp_path)
    with pytest.raises(ModelError, match="layout 'map' is none of labels, drawing, edges"):
        Source.load(tmp_path, LAND, "map")
    Image.fromarray(photo_of(land(width=80))).save(tmp_path / "photo.png")
    with pytest.raises(ModelError, match=r"does not hold what the fit learned .*80x72 and label map 88x72"):
        Source.load(tmp_path, LAND)
    (tmp_path / "photo.png").unlink()
    with pytest.raises(ModelError, match=r"photo.png is missing, which the fit learned"):
        Source.load(tmp_path, LAND)
