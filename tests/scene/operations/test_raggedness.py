"""Boundaries continued into a hole: ragged where the known one is, straight where it is straight."""

from __future__ import annotations

import numpy as np
import pytest

from scenebrush.scene.operations.level_sets import continue_regions
from scenebrush.scene.operations.raggedness import raggedness


def _two_regions(rows: np.ndarray, height: int = 80) -> np.ndarray:
    """1 above, 2 from each column's row on."""
    return np.where(np.arange(height)[:, None] < rows[None, :], 1, 2)


def _with_hole(sources: np.ndarray, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
    inside = np.zeros(sources.shape, bool)
    inside[10:70, first:last] = True
    return np.where(inside, 0, sources), inside


def _course(filled: np.ndarray) -> np.ndarray:
    return (filled == 1).sum(axis=0)


def test_a_straight_boundary_stays_straight():
    sources, inside = _with_hole(_two_regions(np.full(120, 40)), 40, 80)
    assert not raggedness(sources, inside, 1).any()
    assert set(_course(continue_regions(sources, inside))) == {40}


@pytest.mark.parametrize("rise", [20, 60, 110])
def test_a_slope_is_no_raggedness(rise):
    """A kerb that runs towards the viewer is steep in the picture."""
    sources, inside = _with_hole(_two_regions(np.linspace(60 - rise / 2, 60 + rise / 2, 120).round(), 120), 40, 80)
    assert not raggedness(sources, inside, 1).any()


def test_a_bend_is_no_raggedness():
    columns = np.arange(120)
    sources, inside = _with_hole(_two_regions((30 + (columns / 20) ** 2).round(), 90), 40, 80)
    assert not raggedness(sources, inside, 1).any()


def test_sloppy_labels_are_no_raggedness():
    rows = 40 + np.random.default_rng(0).integers(0, 2, 120)
    sources, inside = _with_hole(_two_regions(rows), 40, 80)
    assert not raggedness(sources, inside, 1).any()


def test_teeth_go_on_at_their_height_and_mirrored():
    teeth = np.where(np.arange(120) % 8 < 4, 36, 44)
    sources, inside = _with_hole(_two_regions(teeth), 40, 80)
    stray = raggedness(sources, inside, 1)
    assert not stray[:40].any() and not stray[80:].any()
    assert set(np.abs(stray[40:80]).tolist()) <= {2, 3, 4, 5, 6}
    np.testing.assert_array_equal(np.sign(stray[40:56]), np.sign(teeth[24:40][::-1] - 40))
    course = _course(continue_regions(sources, inside))
    assert course[40:80].min() <= 37 and course[40:80].max() >= 43
    assert abs(course[40:80].mean() - 40) <= 1.5


def test_a_boundary_known_at_one_side_only():
    teeth = np.where(np.arange(120) % 8 < 4, 36, 44)
    sources, inside = _with_hole(_two_regions(teeth), 70, 120)
    stray = raggedness(sources, inside, 1)
    assert np.abs(stray[70:]).mean() > 2


def test_the_top_of_a_bush_goes_on_ragged_and_a_kerb_does_not():
    """Both as they are in photos, from the hole on: beside the tree of the demo, and beside a row of parked cars."""
    bush = [274, 273, 272, 270, 270, 269, 269, 269, 270, 270, 270, 271, 272, 272, 275, 276, 277, 277, 277, 278, 278]
    kerb = [127, 127, 126, 125, 125, 125, 124, 124, 123, 122, 121, 121, 121, 120, 119, 119, 119]
    for run, ragged in ((bush, True), (kerb, False)):
        rows = np.array([*[run[0]] * 60, *run])
        sources, inside = _two_regions(rows, 300), np.zeros((300, len(rows)), bool)
        inside[60:290, :60] = True
        assert raggedness(np.where(inside, 0, sources), inside, 1).any() == ragged


def test_what_is_known_for_a_few_columns_only_says_nothing():
    teeth = np.where(np.arange(120) % 8 < 4, 36, 44)
    sources, inside = _with_hole(_two_regions(teeth), 10, 112)
    assert not raggedness(sources, inside, 1).any()


def test_an_upright_boundary_is_left_alone():
    sources = np.where(np.arange(120)[None, :] < 60, 1, 2) * np.ones((80, 1), int)
    holed, inside = _with_hole(sources, 40, 80)
    assert not raggedness(holed, inside, 1).any()
    np.testing.assert_array_equal(np.unique(continue_regions(holed, inside)), [1, 2])
