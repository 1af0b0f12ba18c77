"""Facades in perspective with a known truth: copies along the facade come far nearer to it than plain copies."""

from __future__ import annotations

import numpy as np
import pytest
from skimage import transform

from scenebrush.canvas import Parts, fill
from scenebrush.canvas.facades import mapped
from scenebrush.canvas.offsets import Judge
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout

CAMVID = LabelSet.load("camvid")
BUILDING = CAMVID.find("building").id


def facade(rng: np.random.Generator) -> np.ndarray:
    """A wall with windows every 70 columns and 90 rows, float (600, 900, 3), with some noise that does not repeat."""
    y, x = np.mgrid[:600, :900]
    u, v = x % 70, y % 90
    wall = np.zeros((600, 900, 3)) + (170, 120, 90) + rng.normal(0, 6, (90, 70, 3))[v, u]
    window = (u > 18) & (u < 52) & (v > 20) & (v < 70)
    wall[window] = (50, 60, 80)
    wall[window & ((np.abs(u - 35) < 2) | (np.abs(v - 45) < 2))] = 220
    wall[(u > 14) & (u < 56) & (v >= 70) & (v < 75)] = 210
    return np.clip(wall + rng.normal(0, 3, wall.shape), 0, 255)


def seen_aslant(wall: np.ndarray, slant: float) -> np.ndarray:
    """The wall in perspective, uint8 (240, 320, 3): `slant` 0 = from the front."""
    quad = np.array([[-20, -60], [340, -60 + slant * 110], [340, 300 - slant * 110], [-20, 300]], float)
    there = np.array([[40, 60], [840, 60], [840, 520], [40, 520]], float)
    # eight equations for the eight unknowns of the homography from the photo to the wall
    rows = []
    for (x, y), (u, v) in zip(quad, there, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
    view = np.append(np.linalg.solve(np.array(rows), there.ravel()), 1).reshape(3, 3)
    return transform.warp(wall, view, output_shape=(240, 320), preserve_range=True).clip(0, 255).astype(np.uint8)


def error(photo: np.ndarray, hole: np.ndarray, parts: Parts) -> float:
    layout = Layout(np.full(hole.shape, BUILDING), CAMVID)
    filled = fill(photo, layout, layout, hole, parts=parts).photo
    assert np.array_equal(filled[~hole], photo[~hole])
    return float(np.abs(filled[hole].astype(float) - photo[hole]).mean())


@pytest.fixture(scope="module")
def hole() -> np.ndarray:
    mask = np.zeros((240, 320), bool)
    mask[80:160, 110:200] = True
    return mask


@pytest.mark.parametrize(("seed", "slant"), [(0, 0.6), (1, 0.9), (2, 0.3)])
def test_windows_in_perspective_go_on(seed: int, slant: float, hole: np.ndarray) -> None:
    photo = seen_aslant(facade(np.random.default_rng(seed)), slant)
    assert error(photo, hole, Parts()) < 0.75 * error(photo, hole, Parts(facades=False))


def test_from_the_front_plain_offsets_are_kept(hole: np.ndarray) -> None:
    photo = seen_aslant(facade(np.random.default_rng(3)), 0.0)
    assert error(photo, hole, Parts()) <= error(photo, hole, Parts(facades=False)) + 0.5


def test_where_nothing_repeats_nothing_changes(hole: np.ndarray) -> None:
    rng = np.random.default_rng(4)
    photo = np.repeat(np.repeat(rng.integers(60, 200, (60, 80, 3), dtype=np.uint8), 4, axis=0), 4, axis=1)
    layout = Layout(np.full(hole.shape, BUILDING), CAMVID)
    first, second = (fill(photo, layout, layout, hole, parts=Parts(facades=on)).photo for on in (True, False))
    assert np.array_equal(first, second)


def test_what_the_hole_hides_changes_no_facade(hole: np.ndarray) -> None:
    photo = seen_aslant(facade(np.random.default_rng(1)), 0.9)
    other = photo.copy()
    other[hole] = np.random.default_rng(5).integers(0, 256, (int(hole.sum()), 3))
    layout = Layout(np.full(hole.shape, BUILDING), CAMVID)
    first, second = (fill(one, layout, layout, hole).photo for one in (photo, other))
    assert np.array_equal(first[hole], second[hole])


def test_mapped_is_the_homography_written_out() -> None:
    warp = np.array([[1.1, 0.1, 3], [-0.1, 0.9, 2], [1e-3, 0, 1]])
    x, y, fair = mapped(warp, np.array([10.0, 700.0, -2000.0]), np.array([20.0, 0.0, 0.0]))
    np.testing.assert_allclose((x[0], y[0]), ((11 + 2 + 3) / 1.01, (-1 + 18 + 2) / 1.01))
    assert fair.tolist() == [True, False, False]  # the second shrinks too much, the third lies behind


@pytest.mark.parametrize("mirrored", [True, False])
def test_every_offset_of_the_wide_ring_stays_in_the_atlas(mirrored: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place outside of its own variant, or in another row, would be read as a source."""
    shifted, whole = [], Judge.ring_costs

    def watched(self: Judge, moves: np.ndarray, nearness: np.ndarray) -> np.ndarray:
        height, width = self.sources.atlas.shape
        rows, columns = np.divmod(self.ring, width)
        plain = moves[moves[:, 0] == 0]
        down, across = np.add.outer(plain[:, 2], rows), np.add.outer(plain[:, 1], columns)
        shifted.append(bool(((down >= 0) & (down < height) & (across >= 0) & (across < width)).all()))
        return whole(self, moves, nearness)

    monkeypatch.setattr(Judge, "ring_costs", watched)
    rng = np.random.default_rng(6)
    photo = seen_aslant(facade(rng), 0.8)
    hole = np.zeros((240, 320), bool)
    hole[70:190, 60:210] = True
    error(photo, hole, Parts(mirrored=mirrored))
    assert all(shifted) and len(shifted) > 3
