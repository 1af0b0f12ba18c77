"""What a hole becomes: hand-made cases with a known answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from scenebrush.errors import EditError
from scenebrush.scene import LabelSet, Layout, SceneFolder
from scenebrush.scene.operations import refill
from scenebrush.scene.operations.level_sets import continue_regions
from tests.scene.random_scenes import BUILDING, CAR, PERSON, ROAD, SKY, SMALL, VOID


def _layout(labels: np.ndarray, numbers: np.ndarray | None = None) -> Layout:
    return Layout(labels, SMALL, numbers)


def _with_hole(labels: np.ndarray, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
    region = np.zeros(labels.shape, bool)
    region[rows, columns] = True
    return np.where(region, CAR, labels), region


def test_one_class_around() -> None:
    labels, region = _with_hole(np.full((30, 30), ROAD), slice(10, 20), slice(5, 25))
    np.testing.assert_array_equal(refill(_layout(labels), region).label_map, np.full((30, 30), ROAD))


@pytest.mark.parametrize("slope", [0.0, 0.25, -0.5])
@pytest.mark.parametrize("size", [60, 240])
def test_a_straight_boundary_goes_on_straight(slope: float, size: int) -> None:
    rows, columns = np.mgrid[:size, :size]
    truth = np.where(rows < size / 2 + slope * (columns - size / 2), BUILDING, ROAD)
    labels, region = _with_hole(truth, slice(size // 4, 3 * size // 4), slice(size // 4, 3 * size // 4))
    wrong = refill(_layout(labels), region).label_map != truth
    assert wrong[region].mean() < 0.03


def test_a_strip_between_two_others_does_not_tear() -> None:
    """A pavement that meets a wide hole at different heights on its two sides."""
    rows, columns = np.mgrid[:80, :120]
    middle = 40 + (columns - 60) * 0.2
    truth = np.select([rows < middle - 3, rows < middle + 3], [SKY, BUILDING], ROAD)
    labels, region = _with_hole(truth, slice(20, 60), slice(20, 100))
    filled = refill(_layout(labels), region).label_map
    thickness = (filled == BUILDING).sum(axis=0)[20:100]
    assert thickness.min() >= 4 and thickness.max() <= 8
    assert (filled != truth)[region].mean() < 0.05


def test_nearest_class_alone_would_tear_it() -> None:
    """The case above is a test of the level sets: nearest neighbours fail it."""
    rows, columns = np.mgrid[:80, :120]
    middle = 40 + (columns - 60) * 0.2
    truth = np.select([rows < middle - 3, rows < middle + 3], [SKY, BUILDING], ROAD)
    _, region = _with_hole(truth, slice(20, 60), slice(20, 100))
    nearest = ndimage.distance_transform_edt(region, return_distances=False, return_indices=True)
    assert (truth[tuple(nearest)] == BUILDING).sum(axis=0)[20:100].min() < 4


def test_road_meets_pavement_at_the_edge_of_the_picture() -> None:
    rows = np.mgrid[:40, :60][0]
    labels, region = _with_hole(np.where(rows < 20, BUILDING, ROAD), slice(10, 40), slice(30, 60))
    filled = refill(_layout(labels), region).label_map
    assert (filled[:19] == BUILDING).all() and (filled[21:] == ROAD).all()


def test_things_beside_do_not_run_on() -> None:
    labels = np.full((30, 40), ROAD)
    labels[:10] = BUILDING
    labels[8:20, 5:15] = PERSON
    labels, region = _with_hole(labels, slice(8, 20), slice(15, 25))
    assert set(np.unique(refill(_layout(labels), region).label_map[region])) == {BUILDING, ROAD}


def test_what_it_lies_on_runs_on_under_its_own_number() -> None:
    labels, numbers = np.full((40, 40), SKY), np.zeros((40, 40), int)
    labels[5:35, 5:35], numbers[5:35, 5:35] = CAR, 3  # a large car, and a person before it
    region = np.zeros((40, 40), bool)
    region[15:25, 15:20] = True
    labels[region], numbers[region] = PERSON, 8
    filled = refill(_layout(labels, numbers), region, (PERSON,))
    assert (filled.label_map[region] == CAR).all() and filled.instance_map is not None
    assert (filled.instance_map[region] == 3).all()


def test_unlabelled_pixels_never_run_on() -> None:
    labels = np.full((30, 30), VOID)
    labels[25:] = ROAD
    labels, region = _with_hole(labels, slice(5, 12), slice(5, 12))
    assert (refill(_layout(labels), region).label_map[region] == ROAD).all()


def test_stuff_far_away_counts_before_things_at_hand() -> None:
    labels = np.full((120, 120), PERSON)
    labels[0, 0] = SKY
    labels, region = _with_hole(labels, slice(100, 104), slice(100, 104))
    numbers = np.arange(120 * 120).reshape(120, 120) + 1  # no single object surrounds it
    assert (refill(_layout(labels, numbers), region).label_map[region] == SKY).all()


def test_without_any_stuff_the_nearest_thing_counts() -> None:
    labels = np.full((10, 10), PERSON)
    labels, region = _with_hole(labels, slice(4, 6), slice(4, 6))
    assert (refill(_layout(labels), region, (CAR,)).label_map[region] == PERSON).all()


def test_nothing_left() -> None:
    labels = np.full((10, 10), CAR)
    with pytest.raises(EditError, match="say what it becomes: to=CLASS"):
        refill(_layout(labels), labels == CAR)
    with pytest.raises(EditError, match="empty"):
        refill(_layout(labels), np.zeros((10, 10), bool))


def test_a_class_left_out_stays_out() -> None:
    labels = np.full((20, 20), ROAD)
    labels[:5] = SKY
    region = np.zeros((20, 20), bool)
    region[8:12, 8:12] = True
    assert (refill(_layout(labels), region, (ROAD,)).label_map[region] == SKY).all()


def test_regions_apart_are_refilled_each_from_its_own_surroundings() -> None:
    labels = np.full((20, 200), ROAD)
    labels[:, 100:] = BUILDING
    region = np.zeros(labels.shape, bool)
    region[5:10, 5:10] = region[5:10, 180:190] = True
    filled = refill(_layout(np.where(region, CAR, labels)), region).label_map
    np.testing.assert_array_equal(filled, labels)


def test_windows_of_a_facade() -> None:
    facades = LabelSet.load("street_facades")
    labels = np.full((60, 60), facades.find("facade").id)
    labels[50:] = facades.find("street").id
    region = np.zeros((60, 60), bool)
    region[10:20, 10:16] = True
    labels[region] = facades.find("window").id
    filled = refill(Layout(labels, facades), region, (facades.find("window").id,)).label_map
    assert (filled[region] == facades.find("facade").id).all()


def test_continue_regions_leaves_the_known_alone() -> None:
    rng = np.random.default_rng(0)
    sources = rng.integers(0, 4, (50, 70))
    inside = np.zeros((50, 70), bool)
    inside[20:30, 10:60] = True
    sources[inside] = 0
    filled = continue_regions(sources, inside)
    np.testing.assert_array_equal(filled[~inside], sources[~inside])
    assert (filled[inside] > 0).all()


def test_real_streets_come_back_better_than_by_the_nearest_class(shared: Path) -> None:
    """Holes cut into stuff whose labels are known; measured: 95 % of the pixels right, nearest class 87 %."""
    folder = SceneFolder.open(shared / "data" / "camvid")
    rng, ours, nearest = np.random.default_rng(5), [], []
    for stem in folder.stems("test")[::6]:
        layout = folder.layout(folder.files("test", stem))
        region = np.zeros(layout.shape, bool)
        row, column = int(rng.integers(100, 250)), int(rng.integers(20, 400))
        region[row : row + 50, column : column + 60] = True
        stuff = layout.label_set.is_kind(layout.label_map, "stuff")
        if np.mean(stuff[region]) < 0.95 or len(np.unique(layout.label_map[region & stuff])) < 2:
            continue
        truth = layout.label_map[region & stuff]
        ours.append(float(np.mean(refill(layout, region).label_map[region & stuff] == truth)))
        index = ndimage.distance_transform_edt(region | ~stuff, return_distances=False, return_indices=True)
        nearest.append(float(np.mean(layout.label_map[tuple(index)][region & stuff] == truth)))
    assert len(ours) >= 8
    assert np.mean(ours) > 0.9 and np.mean(ours) > np.mean(nearest) + 0.01
