"""Edge maps: where Canny's lines lie, how wide they are, and sketches of either polarity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from scenebrush.errors import InputError
from scenebrush.scene.files.edge_maps import AREA, EDGE, EDGES, edge_map, read_line_drawing


def sketch(background: int, ink: int) -> tuple[Image.Image, np.ndarray]:
    """An anti-aliased circle and a line, and where they are."""
    big = Image.new("L", (320, 240), background)
    draw = ImageDraw.Draw(big)
    draw.ellipse((60, 40, 220, 200), outline=ink, width=8)
    draw.line((20, 220, 300, 180), fill=ink, width=8)
    small = big.resize((80, 60), Image.Resampling.BOX)
    return small, np.abs(np.asarray(small).astype(int) - background) > abs(ink - background) / 2


def test_edges_lie_on_the_boundary_and_are_two_pixels_wide() -> None:
    photo = np.full((40, 60, 3), 40, np.uint8)
    photo[:, 30:] = 200
    layout = edge_map(photo, sigma=1)
    assert layout.label_set is EDGES
    edges = layout.label_map == EDGE
    assert edges[5:-5].sum(axis=1).tolist() == [2] * 30
    columns = np.flatnonzero(edges[20])
    assert np.abs(columns - 29.5).max() <= 1.5
    assert set(np.unique(layout.label_map)) == {AREA, EDGE}


def test_a_larger_sigma_leaves_out_detail_and_a_flat_photo_has_no_edges() -> None:
    photo = np.random.default_rng(0).integers(60, 120, (60, 80, 3), np.uint8)
    photo[20:40, 30:60] += 120
    fine, coarse = (edge_map(photo, sigma=s).label_map.sum() for s in (0.5, 3))
    assert fine > 2 * coarse > 0
    assert not edge_map(np.full((20, 20, 3), 7, np.uint8)).label_map.any()


@pytest.mark.parametrize(("background", "ink"), [(255, 0), (0, 255), (230, 60)])
def test_sketches_of_either_polarity_read_alike(tmp_path: Path, background: int, ink: int) -> None:
    image, expected = sketch(background, ink)
    for name in ("sketch.png", "sketch.jpg"):
        image.convert("RGB").save(tmp_path / name)
        read = read_line_drawing(tmp_path / name).label_map == EDGE
        near = ndimage.binary_dilation(expected)
        assert (read & ~near).sum() == 0
        assert (read == expected).mean() > 0.99


def test_ink_on_a_transparent_ground(tmp_path: Path) -> None:
    image, expected = sketch(0, 255)
    Image.merge("LA", (Image.new("L", image.size, 0), image)).save(tmp_path / "ink.png")
    assert ((read_line_drawing(tmp_path / "ink.png").label_map == EDGE) == expected).mean() > 0.99


def test_what_is_no_sketch_is_named(tmp_path: Path) -> None:
    Image.new("L", (20, 20), 77).save(tmp_path / "grey.png")
    with pytest.raises(InputError, match=r"grey\.png is no line drawing: its shades go from 77 to 77"):
        read_line_drawing(tmp_path / "grey.png")
    half = np.zeros((20, 20), np.uint8)
    half[:, :10] = 255
    Image.fromarray(half).save(tmp_path / "half.png")
    with pytest.raises(InputError, match=r"50% of it is bright, so lines and paper cannot be told apart"):
        read_line_drawing(tmp_path / "half.png")
    with pytest.raises(InputError, match="does not exist"):
        read_line_drawing(tmp_path / "none.png")
    with pytest.raises(InputError, match="sigma is -1"):
        edge_map(np.zeros((9, 9, 3), np.uint8), sigma=-1)
    with pytest.raises(InputError, match="a photo is uint8"):
        edge_map(np.zeros((9, 9)))
