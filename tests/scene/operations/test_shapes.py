"""Shapes that are painted: what a brush covers."""

from __future__ import annotations

import numpy as np
import pytest

from scenebrush.errors import EditError
from scenebrush.scene.operations.shapes import stroke_mask


def test_a_point_is_a_round_dot() -> None:
    mask = stroke_mask([(10, 8)], 7, (20, 24))
    rows, columns = np.mgrid[:20, :24]
    distance = np.hypot(rows - 8, columns - 10)
    assert mask[distance <= 2.9].all() and not mask[distance > 4].any()
    assert stroke_mask([(10, 8)], 1, (20, 24)).sum() == 1


def test_a_stroke_covers_what_is_near_its_line_round_its_corner() -> None:
    points = [(5, 5), (30, 5), (30, 25)]
    mask = stroke_mask(points, 5, (40, 50))
    rows, columns = np.mgrid[:40, :50]
    across = np.hypot(np.clip(5 - columns, 0, None) + np.clip(columns - 30, 0, None), rows - 5)
    down = np.hypot(columns - 30, np.clip(5 - rows, 0, None) + np.clip(rows - 25, 0, None))
    distance = np.minimum(across, down)
    assert mask[distance <= 1.5].all() and not mask[distance > 3.5].any()


def test_what_lies_beyond_the_picture_is_cut_off() -> None:
    assert stroke_mask([(-5, 3), (4, 3)], 3, (8, 8)).any()
    with pytest.raises(EditError, match="the stroke lies outside the picture of 8x8"):
        stroke_mask([(20, 20)], 3, (8, 8))


@pytest.mark.parametrize(("points", "width"), [([], 3), ([(2, 2)], 0.5)])
def test_a_stroke_of_nothing_is_refused(points: list[tuple[int, int]], width: float) -> None:
    with pytest.raises(EditError, match="paints nothing"):
        stroke_mask(points, width, (8, 8))
