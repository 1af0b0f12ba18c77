"""Collages: where pieces go, what is seen of them, bands along their boundaries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from scenebrush.canvas.collage import MISSING, Collage, Piece, boundary_band, lay

ROAD, CAR = 3, 8


def piece(height: int = 5, width: int = 7, *, seed: int = 0, whole: bool = False, class_id: int = CAR) -> Piece:
    rng = np.random.default_rng(seed)
    mask = np.ones((height, width), bool) if whole else rng.random((height, width)) < 0.7
    return Piece.at(rng.integers(0, 256, (height, width, 3), np.uint8), mask, class_id, (0, 0))


def moved(one: Piece, matrix: list[list[float]]) -> Piece:
    return Piece(one.color, one.mask, one.class_id, np.array(matrix, float))


@pytest.mark.parametrize("corner", [(0, 0), (4, 2), (-3, -2), (16, 9), (-7, 0), (-40, 3), (20, 3), (3, 12), (3, -5)])
def test_a_piece_that_is_only_shifted_keeps_its_pixels(corner: tuple[int, int]) -> None:
    one = piece()
    laid = lay(Piece.at(one.color, one.mask, CAR, corner), (12, 20))
    wanted, pixels = np.zeros((12, 20), bool), np.zeros((12, 20, 3))
    for y in range(5):
        for x in range(7):
            row, column = y + corner[1], x + corner[0]
            if one.mask[y, x] and 0 <= row < 12 and 0 <= column < 20:
                wanted[row, column], pixels[row, column] = True, one.color[y, x]
    assert np.array_equal(laid.whole_mask((12, 20)), wanted)
    assert np.array_equal(laid.color[laid.mask], pixels[laid.window][laid.mask])


def test_twice_the_size_covers_twice_the_pixels() -> None:
    """Pixel x of the piece covers [x - 1/2, x + 1/2]; of the picture 2x and 2x + 1."""
    one = piece(4, 6, whole=True)
    laid = lay(moved(one, [[2, 0, 2 * 3 + 0.5], [0, 2, 2 * 1 + 0.5]]), (20, 30))
    wanted = np.zeros((20, 30), bool)
    wanted[2:10, 6:18] = True
    assert np.array_equal(laid.whole_mask((20, 30)), wanted)
    picture = np.zeros((20, 30, 3))
    picture[laid.window] = laid.color
    # a pixel of the picture lies a quarter of the piece's pixel from the middle of its own
    own, left, above = (one.color[y, x].astype(float) for y, x in ((2, 3), (2, 2), (1, 3)))
    corner = one.color[1, 2].astype(float)
    bilinear = 0.75 * (0.75 * own + 0.25 * left) + 0.25 * (0.75 * above + 0.25 * corner)
    assert picture[2 + 4, 6 + 6] == pytest.approx(bilinear, abs=1e-6)
    assert picture[2, 6] == pytest.approx(one.color[0, 0])  # beyond the rim its colours go on


def test_mirrored_at_another_size_is_scipys() -> None:
    one = piece(9, 8, whole=True)
    laid = lay(moved(one, [[-1.5, 0, 20], [0, 1.25, 3]]), (24, 30))
    for channel in range(3):
        want = ndimage.affine_transform(
            one.color[..., channel].astype(float),
            np.diag([1 / 1.25, -1 / 1.5]),
            offset=[-3 / 1.25, 20 / 1.5],
            output_shape=(24, 30),
            order=1,
            mode="nearest",
        )
        assert laid.color[..., channel] == pytest.approx(want[laid.window], abs=1e-6)
    y, x = np.mgrid[:24, :30]
    inside = (np.abs((y - 3) / 1.25 - 4) <= 4.5) & (np.abs((20 - x) / 1.5 - 3.5) <= 4)
    assert np.array_equal(laid.whole_mask((24, 30)), inside)


def test_shrinking_averages() -> None:
    stripes = np.zeros((40, 40, 3), np.uint8)
    stripes[:, ::2] = 200
    one = Piece(stripes, np.ones((40, 40), bool), ROAD, np.array([[0.25, 0, 0], [0, 0.25, 0]]))
    laid = lay(one, (12, 12))
    inner = laid.color[1:-1, 1:-1]
    assert inner.std() < 1 and inner.mean() == pytest.approx(100, abs=1)
    assert 90 <= np.count_nonzero(laid.mask) <= 121


def test_what_lies_beside_a_mask_does_not_bleed_into_it() -> None:
    one = piece(10, 10)
    mask = np.zeros((10, 10), bool)
    mask[2:8, 3:7] = True
    color = np.where(mask[..., None], np.full(3, 180, np.uint8), np.uint8(0))
    laid = lay(Piece(color, mask, CAR, np.array([[0.7, 0, 1.3], [0.1, 1.6, 0.2]])), (20, 20))
    assert laid.mask.any() and np.abs(laid.color[laid.mask] - 180).max() < 1e-6
    empty = lay(Piece(one.color, np.zeros((10, 10), bool), CAR, np.array([[0.7, 0, 1.3], [0, 1.6, 0.2]])), (20, 20))
    assert not empty.mask.any()


@pytest.mark.parametrize("shift", [(-60.5, 3), (60.5, 3), (3, -60.25), (3, 60.25)])
def test_a_scaled_piece_wholly_outside_is_nowhere(shift: tuple[float, float]) -> None:
    laid = lay(moved(piece(), [[1.5, 0, shift[0]], [0, 1.5, shift[1]]]), (12, 20))
    assert laid.mask.size == 0 and not laid.whole_mask((12, 20)).any()
    assert Collage((12, 20)).paint(laid, CAR) == 0


def test_the_last_one_painted_is_seen() -> None:
    collage = Collage((12, 20))
    assert collage.shape == (12, 20) and not collage.present.any()
    road = Piece.at(np.full((6, 20, 3), 90, np.uint8), np.ones((6, 20), bool), ROAD, (0, 6))
    car = Piece.at(np.full((4, 4, 3), 200, np.uint8), np.ones((4, 4), bool), CAR, (2, 5))
    numbers = [collage.paint(lay(one, collage.shape), one.class_id) for one in (road, car)]
    assert numbers == [0, 1] and collage.count == 2
    wanted = np.full((12, 20), MISSING)
    wanted[6:] = 0
    wanted[5:9, 2:6] = 1
    assert np.array_equal(collage.owner, wanted)
    assert np.array_equal(collage.class_map, np.array([ROAD, CAR, -1])[wanted])
    assert np.array_equal(collage.color[..., 0], np.array([90, 200, 0])[wanted])
    assert np.array_equal(collage.present, wanted >= 0)


def test_a_place_to_paint_on_can_be_named() -> None:
    collage, where = Collage((12, 20)), np.zeros((12, 20), bool)
    where[:, 10:] = True
    collage.paint(lay(piece(12, 20, whole=True), collage.shape), CAR, where)
    assert np.array_equal(collage.owner == 0, where)
    assert not collage.color[~where].any()


def test_elided_pixels_stay_what_they_are_but_are_not_present() -> None:
    collage = Collage((12, 20))
    collage.paint(lay(piece(5, 20, whole=True), collage.shape), CAR)
    places = np.zeros((12, 20), bool)
    places[3:8, 4:6] = True
    collage.elide(places)
    wanted = places & (collage.owner == 0)
    assert np.array_equal(collage.elided, wanted) and wanted.sum() == 4
    assert np.array_equal(collage.present, (collage.owner == 0) & ~wanted)


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.99, 1.0, 1.5, 2.0, 3.2, 5.0]))
@settings(max_examples=60, deadline=None)
def test_a_band_is_as_wide_as_asked_for(seed: int, width: float) -> None:
    """Brute force: a pixel that differs from a neighbour is an edge; the band is what is near to one."""
    rng = np.random.default_rng(seed)
    owner = np.full((13, 17), MISSING)
    for number in range(rng.integers(0, 3)):
        y, x = rng.integers(0, 13), rng.integers(0, 17)
        owner[y : y + rng.integers(1, 8), x : x + rng.integers(1, 8)] = number
    edges = []
    for y in range(13):
        for x in range(17):
            near = [(y + 1, x), (y - 1, x), (y, x + 1), (y, x - 1)]
            if any(0 <= a < 13 and 0 <= b < 17 and owner[a, b] != owner[y, x] for a, b in near):
                edges.append((y, x))
    wanted = np.zeros(owner.shape, bool)
    for y in range(13):
        for x in range(17):
            wanted[y, x] = width >= 1 and any(max(abs(y - a), abs(x - b)) < width for a, b in edges)
    assert np.array_equal(boundary_band(owner, width), wanted)
