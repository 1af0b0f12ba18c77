"""Holes against hand-worked numbers and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from scenebrush.data import holes


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((100, 100, 140, 120), (60, 50, 180, 170)),  # longer side 40: 120 wide about (120, 110)
        ((0, 0, 40, 20), (0, 0, 120, 120)),  # at the corner: moved inside
        ((470, 350, 480, 360), (450, 330, 480, 360)),
        ((0, 0, 300, 100), (0, 0, 360, 360)),  # 900 is cut to the image's short side
    ],
)
def test_context_window_is_three_times_the_longer_side(box: holes.Box, expected: holes.Box) -> None:
    assert holes.context_window(box, (480, 360)) == expected


def test_context_window_shift_moves_the_window() -> None:
    assert holes.context_window((100, 100, 140, 120), (480, 360), shift=(20, -10)) == (80, 40, 200, 160)


@pytest.mark.parametrize(("box", "limit"), [((0, 0, 40, 20), 20.0), ((0, 0, 300, 100), 90.0)])
def test_context_shift_stays_within_the_papers_range(box: holes.Box, limit: float) -> None:
    draws = np.array([holes.context_shift(rng(i), box, (480, 360)) for i in range(400)])
    assert np.abs(draws).max() <= limit
    assert np.abs(draws).max() > 0.9 * limit


def test_box_hole_truncates_its_corners() -> None:
    hole = holes.box_hole((100, 100, 140, 120), (60, 50, 180, 170), 256)  # scale 256 / 120 = 2.1333
    assert holes.box_of(hole) == (85, 106, 170, 149)
    assert hole.sum() == 85 * 43


def test_box_hole_is_cut_off_at_the_window() -> None:
    hole = holes.box_hole((0, 0, 30, 200), (10, 0, 110, 100), 100)
    assert holes.box_of(hole) == (0, 0, 20, 100)


def test_background_boxes_lie_inside_with_sides_in_range() -> None:
    boxes = np.array([holes.background_box(rng(i), (200, 90), (30, 120)) for i in range(300)])
    widths, heights = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    assert boxes.min() >= 0 and boxes[:, 2].max() <= 200 and boxes[:, 3].max() <= 90
    assert (widths.min(), widths.max()) == (30, 120)
    assert (heights.min(), heights.max()) == (30, 90)


def test_box_of_an_empty_mask() -> None:
    assert holes.box_of(np.zeros((4, 5), bool)) == (0, 0, 0, 0)


def test_one_straight_stroke_has_its_length_and_width() -> None:
    seen = 0
    for seed in range(30):
        hole = holes.stroke_hole(
            rng(seed), (256, 256), strokes=(1, 1), segments=(1, 1), length=(40, 40), width=(16, 16)
        )
        x0, y0, x1, y1 = holes.box_of(hole)
        if x0 > 0 and y0 > 0 and x1 < 256 and y1 < 256:  # wholly inside: a bar with two round ends
            seen += 1
            assert hole.sum() == pytest.approx(40 * 16 + np.pi * 8**2, rel=0.12)
            assert np.hypot(x1 - x0 - 16, y1 - y0 - 16) == pytest.approx(40, abs=3)
    assert seen > 10


def test_stroke_hole_scales_with_the_window() -> None:
    small = np.mean([holes.stroke_hole(rng(i), (128, 128)).mean() for i in range(30)])
    large = np.mean([holes.stroke_hole(rng(i), (512, 512)).mean() for i in range(30)])
    assert small == pytest.approx(large, rel=0.2)


def test_silhouette_hole_covers_the_object_and_stays_near_it() -> None:
    silhouette = np.zeros((100, 120), bool)
    silhouette[40:70, 50:60] = True
    distance = ndimage.distance_transform_edt(~silhouette)
    for seed in range(30):
        hole = holes.silhouette_hole(rng(seed), silhouette, dilate=(0.05, 0.1), below=0.0)
        assert hole[silhouette].all()
        assert 0 < distance[hole].max() <= 2 * 0.1 * 30
    assert (holes.silhouette_hole(rng(1), silhouette) != holes.silhouette_hole(rng(2), silhouette)).any()


def test_silhouette_hole_without_roughness_is_an_even_dilation() -> None:
    silhouette = np.zeros((60, 60), bool)
    silhouette[20:40, 25:35] = True
    hole = holes.silhouette_hole(rng(), silhouette, dilate=(0.2, 0.2), roughness=0.0, below=0.0)
    assert (hole == (ndimage.distance_transform_edt(~silhouette) <= 4.0)).all()


def test_silhouette_hole_reaches_down_for_the_shadow() -> None:
    silhouette = np.zeros((200, 60), bool)
    silhouette[20:120, 25:35] = True
    bottoms = [holes.box_of(holes.silhouette_hole(rng(i), silhouette, dilate=(0, 0), below=0.3))[3] for i in range(40)]
    assert 140 < max(bottoms) <= 120 + 30 + 2


def test_silhouette_hole_closes_gaps() -> None:
    ring = np.zeros((40, 40), bool)
    ring[5:35, 5:35] = True
    ring[12:28, 12:28] = False
    assert holes.silhouette_hole(rng(), ring)[12:28, 12:28].all()


def test_silhouette_hole_at_the_rim_and_empty() -> None:
    silhouette = np.zeros((30, 30), bool)
    assert not holes.silhouette_hole(rng(), silhouette).any()
    silhouette[25:, 25:] = True
    assert holes.silhouette_hole(rng(), silhouette)[silhouette].all()


def test_foreign_silhouette_lies_only_where_free() -> None:
    shape = np.array([[0, 1, 0], [1, 1, 1]], bool)
    free = np.ones((20, 30), bool)
    free[:, 10:] = False
    for seed in range(20):
        hole = holes.foreign_silhouette_hole(rng(seed), shape, free)
        assert hole is not None and hole.sum() == 4 and not hole[~free].any()
        x0, y0, x1, y1 = holes.box_of(hole)
        assert (hole[y0:y1, x0:x1] == shape).all()


def test_foreign_silhouette_stays_at_its_height() -> None:
    shape, free = np.ones((4, 4), bool), np.ones((100, 100), bool)
    for seed in range(20):
        hole = holes.foreign_silhouette_hole(rng(seed), shape, free, near=(10, 50), spread=(0.5, 0.04))
        assert hole is not None and abs(holes.box_of(hole)[1] - 50) <= 4


def test_foreign_silhouette_gives_up_without_room() -> None:
    assert holes.foreign_silhouette_hole(rng(), np.ones((3, 3), bool), np.zeros((9, 9), bool)) is None
    assert holes.foreign_silhouette_hole(rng(), np.ones((10, 3), bool), np.ones((9, 9), bool)) is None


def test_class_region_is_the_whole_region_of_a_fitting_class() -> None:
    label_map = np.zeros((10, 10), np.int32)
    label_map[:3], label_map[9, 9] = 5, 7  # shares: 0.69, 0.30, 0.01
    for seed in range(10):
        hole = holes.class_region_hole(rng(seed), label_map, share=(0.05, 0.5))
        assert hole is not None and (hole == (label_map == 5)).all()
    assert holes.class_region_hole(rng(), label_map, share=(0.05, 0.5), leave_out=(5,)) is None


def test_smooth_noise_is_bounded_and_smooth() -> None:
    noise = holes.smooth_noise(rng(), (64, 80), 16)
    assert noise.shape == (64, 80) and np.abs(noise).max() <= 1
    assert np.abs(np.diff(noise, axis=1)).max() < 0.35 < np.ptp(noise)
