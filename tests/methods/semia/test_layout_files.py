"""Layouts in files: what is taken for ids, a drawing, or lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from scenebrush.errors import InputError, LabelError
from scenebrush.methods.semia.layout_files import read_source_layout, read_target_layout
from scenebrush.methods.semia.source import Source
from scenebrush.scene.files.edge_maps import EDGES, edge_map
from tests.methods.semia.tiny import LAND, land, photo_of, tiny_source

PHOTO = photo_of(land())


@pytest.fixture
def ids(tmp_path: Path) -> Path:
    Image.fromarray(land().label_map.astype(np.uint8)).save(tmp_path / "ids.png")
    return tmp_path / "ids.png"


def drawing(path: Path, horizon: float = 0.5) -> Path:
    """Writes a soft drawing in the classes' colours: rims have hundreds of colours."""
    image = Image.fromarray(LAND.colors(land(horizon=horizon).label_map))
    image.filter(ImageFilter.GaussianBlur(0.7)).save(path)
    return path


def lines(path: Path, column: int = 40, *, mode: str = "L", inverted: bool = False) -> Path:
    """Writes a soft vertical line, black on white or the other way round."""
    values = np.full((72, 88), 255, np.uint8)
    values[:, column : column + 2] = 0
    values[:, column + 2] = 128
    Image.fromarray(255 - values if inverted else values).convert(mode).save(path)
    return path


def test_a_map_of_ids_with_its_label_set(ids: Path) -> None:
    found = read_source_layout(ids, PHOTO, LAND)
    assert found.kind == "labels" and np.array_equal(found.layout.label_map, land().label_map)


def test_a_map_of_ids_needs_its_label_set(ids: Path) -> None:
    with pytest.raises(InputError, match=r"ids.png holds class ids; say of which label set with --label-set"):
        read_source_layout(ids, PHOTO)
    labels = land().label_map.astype(np.uint8)
    labels[0] = 255  # unlabelled: not the paper of a drawing
    Image.fromarray(labels).save(ids)
    with pytest.raises(InputError, match="holds class ids"):
        read_source_layout(ids, PHOTO)


def test_ids_that_are_not_the_label_sets(ids: Path) -> None:
    Image.fromarray(np.full((72, 88), 5, np.uint8)).save(ids)
    with pytest.raises(LabelError, match="id 5 in 6336 pixels"):
        read_source_layout(ids, PHOTO, LAND)


@pytest.mark.parametrize("name", ["d.png", "d.jpg"])
def test_a_drawing_in_colours_has_a_class_for_each(tmp_path: Path, name: str) -> None:
    found = read_source_layout(drawing(tmp_path / name), PHOTO)
    assert found.kind == "drawing" and len(found.layout.label_set.classes) == 3
    truth = land().label_map
    for class_id in np.unique(found.layout.label_map):
        counts = np.bincount(truth[found.layout.label_map == class_id])
        assert counts.max() / counts.sum() > 0.97


@pytest.mark.parametrize("name", ["d.png", "d.jpg"])
def test_a_drawing_in_the_colours_of_a_label_set(tmp_path: Path, name: str) -> None:
    found = read_source_layout(drawing(tmp_path / name), PHOTO, LAND)
    assert found.kind == "drawing" and found.layout.label_set == LAND
    assert np.mean(found.layout.label_map == land().label_map) > 0.98


def test_a_map_in_a_label_sets_exact_colours_is_a_label_map(tmp_path: Path) -> None:
    Image.fromarray(LAND.colors(land().label_map)).save(tmp_path / "m.png")
    found = read_source_layout(tmp_path / "m.png", PHOTO, LAND)
    assert found.kind == "labels" and np.array_equal(found.layout.label_map, land().label_map)


def test_the_edges_of_the_photo() -> None:
    found = read_source_layout("edges", PHOTO)
    assert found.kind == "edges" and np.array_equal(found.layout.label_map, edge_map(PHOTO).label_map)


@pytest.mark.parametrize("mode", ["L", "RGB", "1"])
@pytest.mark.parametrize("inverted", [False, True])
def test_lines_in_black_and_white(tmp_path: Path, mode: str, inverted: bool) -> None:
    found = read_source_layout(lines(tmp_path / "l.png", mode=mode, inverted=inverted), PHOTO)
    assert found.kind == "edges" and found.layout.label_set == EDGES
    assert found.layout.label_map[:, 40:42].all() and not found.layout.label_map[:, :40].any()


def test_a_target_of_labels_is_a_map_of_ids(ids: Path, tmp_path: Path) -> None:
    source = tiny_source()
    assert np.array_equal(read_target_layout(ids, source).label_map, land().label_map)
    with pytest.raises(LabelError, match="colour picture"):
        read_target_layout(drawing(tmp_path / "d.png"), source)


def test_a_target_of_a_drawing_is_a_drawing_or_a_map_of_its_ids(ids: Path, tmp_path: Path) -> None:
    source = Source(PHOTO, land(), "drawing")
    found = read_target_layout(drawing(tmp_path / "d.jpg", horizon=0.25), source)
    assert found.label_set == LAND and np.mean(found.label_map == land(horizon=0.25).label_map) > 0.98
    assert np.array_equal(read_target_layout(ids, source).label_map, land().label_map)
    source.save(tmp_path)
    assert np.array_equal(read_target_layout(tmp_path / "labels.png", source).label_map, land().label_map)
    Image.fromarray(np.full((72, 88, 3), (250, 0, 250), np.uint8)).save(tmp_path / "pink.png")
    with pytest.raises(LabelError, match=r"pink.png"):
        read_target_layout(tmp_path / "pink.png", source)


def test_a_target_of_lines_is_lines_or_a_map_of_their_ids(tmp_path: Path) -> None:
    source = Source(PHOTO, edge_map(PHOTO), "edges")
    found = read_target_layout(lines(tmp_path / "l.png", column=10), source)
    assert found.label_map[:, 10:12].all() and not found.label_map[:, 20:].any()
    source.save(tmp_path)
    kept = read_target_layout(tmp_path / "labels.png", source)
    assert np.array_equal(kept.label_map, source.layout.label_map)


def test_what_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "x.png").write_text("no")
    with pytest.raises(InputError, match=r"x.png .* is no picture"):
        read_source_layout(tmp_path / "x.png", PHOTO)
    with pytest.raises(InputError, match=r"edge.png does not exist"):
        read_source_layout(tmp_path / "edge.png", PHOTO, LAND)
