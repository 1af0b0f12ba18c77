"""Statistics of a bank's places, against cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from scenebrush.errors import InputError
from scenebrush.methods.sims.place_statistics import PlaceStatistics
from tests.methods.sims.text_bank import (
    BUILDING,
    CAMVID,
    CAR,
    PAVEMENT,
    PEDESTRIAN,
    ROAD,
    SKY,
    TREE,
    MemoryBank,
    Record,
    street_bank,
)


def record(number: int, class_id: int, box: tuple[int, int, int, int], donor: str = "a", area: int = 0) -> Record:
    x0, y0, x1, y1 = box
    return Record(number, class_id, donor, box, (200, 100), area or (x1 - x0) * (y1 - y0), 0)


def cars(feet_and_heights: list[tuple[int, int]], wide: float = 1.5) -> list[Record]:
    boxes = [(50, foot - tall, 50 + round(wide * tall), foot) for foot, tall in feet_and_heights]
    return [record(i, CAR, box) for i, box in enumerate(boxes)]


def test_places_are_shares_of_the_photo() -> None:
    statistics = PlaceStatistics.of([record(1, ROAD, (0, 50, 200, 100)), record(2, CAR, (20, 40, 60, 60))], CAMVID)
    (car,) = statistics.places[CAR]
    assert (car.x0, car.y0, car.x1, car.y1, car.height) == pytest.approx((0.1, 0.4, 0.3, 0.6, 0.2))
    assert car.aspect == 2.0
    assert car.share == pytest.approx(800 / 10800)
    assert statistics.shares["a"][ROAD] == pytest.approx(10000 / 10800)


def test_typical_share_is_of_the_photos_that_show_the_class() -> None:
    box = (0, 0, 200, 50)
    rows = [record(1, SKY, box, "a", 10000), record(2, SKY, box, "b", 8000), record(3, SKY, box, "c", 6000)]
    rows += [record(10, TREE, (0, 0, 9, 9), "b", 2000), record(11, TREE, (0, 0, 9, 9), "c", 4000)]
    statistics = PlaceStatistics.of(rows, CAMVID)
    assert statistics.typical_share(TREE) == pytest.approx(0.3)
    assert statistics.typical_share(ROAD) == 0.0


def test_height_follows_the_lower_edge() -> None:
    """Heights of half of what the foot lies below 0.4: a line that the fit must find."""
    statistics = PlaceStatistics.of(cars([(50 + 3 * i, 5 + round(1.5 * i)) for i in range(15)]), CAMVID)
    for foot in (0.55, 0.7, 0.85):
        assert statistics.height_at(CAR, foot) == pytest.approx((foot - 0.4) / 2, abs=0.01)


def test_a_slope_against_perspective_is_not_believed() -> None:
    statistics = PlaceStatistics.of(cars([(50 + 4 * i, 30 - i) for i in range(10)]), CAMVID)
    assert statistics.height_at(CAR, 0.55) == statistics.height_at(CAR, 0.85)


def test_models_are_whole_single_and_of_a_usual_size() -> None:
    good = cars([(60 + i, 12 + i // 2) for i in range(20)])
    cut = [record(100, CAR, (0, 50, 20, 64)), record(101, CAR, (180, 50, 200, 64)), record(102, CAR, (50, 80, 80, 100))]
    low = [record(103, CAR, (50, 60, 56, 64))]
    row = [record(104, CAR, (20, 50, 120, 65))]
    half = [record(105, CAR, (50, 50, 54, 65))]
    giant = [record(106, CAR, (40, 2, 133, 64))]
    models = PlaceStatistics.of(good + cut + low + row + half + giant, CAMVID).models(CAR)
    assert {m.id for m in models} <= {r.id for r in good}
    assert len(models) >= 8


def test_where_a_rule_leaves_nothing_it_is_not_applied() -> None:
    statistics = PlaceStatistics.of([record(1, CAR, (0, 50, 20, 64))], CAMVID)
    assert [m.id for m in statistics.models(CAR)] == [1]
    assert statistics.models(TREE) == ()


def test_supports_are_what_lies_below_the_feet() -> None:
    statistics = PlaceStatistics.of_bank(street_bank(), CAMVID)
    assert statistics.supports(CAR).get(ROAD, 0.0) > 0.9
    assert statistics.supports(PEDESTRIAN).get(PAVEMENT, 0.0) > 0.9


def test_a_whole_silhouette_is_preferred_to_a_bitten_one() -> None:
    whole, bitten = np.ones((20, 30), bool), np.ones((20, 30), bool)
    bitten[:14, :12] = False
    slim = np.zeros((20, 20), bool)
    slim[:12], slim[12:, 8:12] = True, True
    masks = {1: whole, 2: bitten, 3: slim, 4: slim[::-1]}
    rows = [record(1, CAR, (10, 40, 40, 60)), record(2, CAR, (50, 40, 80, 60))]
    rows += [record(3, TREE, (10, 40, 30, 60)), record(4, TREE, (50, 40, 70, 60))]
    statistics = PlaceStatistics.of(rows, CAMVID, masks.__getitem__)
    first, second = statistics.places[CAR]
    assert statistics.wholeness(first) == 2.0 > statistics.wholeness(second)
    trunk_below, trunk_above = statistics.places[TREE]
    assert statistics.wholeness(trunk_below) > statistics.wholeness(trunk_above)


def test_shapes_keep_the_mask_at_other_sizes() -> None:
    mask = np.zeros((10, 10), bool)
    mask[:, :5] = True
    statistics = PlaceStatistics.of([record(1, CAR, (10, 40, 40, 60))], CAMVID, lambda _: mask)
    (car,) = statistics.places[CAR]
    assert np.array_equal(statistics.shape(car, (10, 10)), mask)
    large = statistics.shape(car, (40, 20))
    assert large.shape == (20, 40)
    assert large[:, :18].all() and not large[:, 22:].any()


@pytest.mark.parametrize("class_id", [SKY, ROAD, BUILDING, CAR])
def test_made_up_shapes_fill_most_of_the_box_with_no_straight_upper_edge(class_id: int) -> None:
    statistics = PlaceStatistics.of([record(1, class_id, (10, 40, 110, 90))], CAMVID)
    shape = statistics.shape(statistics.places[class_id][0], (100, 50))
    assert shape.shape == (50, 100) and shape.dtype == bool
    assert 0.5 < shape.mean() < 1.0
    edge = shape[::-1] if class_id == SKY else shape  # the sky's shaped edge is the lower one
    assert len(np.unique(np.argmax(edge[:, 20:80], axis=0))) > 1
    assert np.array_equal(shape, statistics.shape(statistics.places[class_id][0], (100, 50)))


def test_an_empty_bank() -> None:
    with pytest.raises(InputError, match="no segment to place by"):
        PlaceStatistics.of_bank(MemoryBank({}), CAMVID)
