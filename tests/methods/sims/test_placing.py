"""Layouts of texts: all that is said holds, over many seeds, looked up in the pixels by this file's own means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from scenebrush.errors import InputError
from scenebrush.methods.sims.place_statistics import PlaceStatistics
from scenebrush.methods.sims.placing import layout_from_text
from scenebrush.scene.folder import SceneFolder
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from tests.methods.sims.text_bank import (
    BUILDING,
    CAMVID,
    CAR,
    FENCE,
    HEIGHT,
    PAVEMENT,
    PEDESTRIAN,
    POLE,
    ROAD,
    SKY,
    TREE,
    WIDTH,
    MemoryBank,
    street_bank,
)

SEEDS = range(8)


@pytest.fixture(scope="module")
def bank() -> MemoryBank:
    return street_bank()


def place(text: str, bank: MemoryBank | PlaceStatistics, seed: int = 0) -> Layout:
    return layout_from_text(text, bank, CAMVID, (WIDTH, HEIGHT), seed)


def x_of(mask: np.ndarray) -> float:
    return float(np.nonzero(mask)[1].mean())


def lowest(mask: np.ndarray) -> int:
    return int(np.nonzero(mask)[0].max())


def objects(layout: Layout, class_id: int) -> list[np.ndarray]:
    assert layout.instance_map is not None
    numbers = np.unique(layout.instance_map[layout.label_map == class_id])
    return [layout.instance_map == number for number in numbers if number > 0]


def below_its_feet(layout: Layout, mask: np.ndarray) -> list[int]:
    row = lowest(mask)
    return list(layout.label_map[min(row + 1, HEIGHT - 1), np.nonzero(mask[row])[0]])


@pytest.mark.parametrize("seed", SEEDS)
def test_the_example_holds(bank: MemoryBank, seed: int) -> None:
    layout = place("a car left of a tree on a road, buildings behind", bank, seed)
    (car,), (tree,) = objects(layout, CAR), objects(layout, TREE)
    assert x_of(car) < x_of(tree)
    under = below_its_feet(layout, car)
    assert under.count(ROAD) >= 0.8 * len(under)
    for class_id in (SKY, BUILDING, ROAD):
        assert (layout.label_map == class_id).mean() > 0.003
    assert car.sum() > 20 and tree.sum() > 20
    buildings = np.nonzero(layout.label_map == BUILDING)[0]
    assert buildings.mean() < np.nonzero(car)[0].mean()


@pytest.mark.parametrize("seed", SEEDS)
def test_numbers_and_supports(bank: MemoryBank, seed: int) -> None:
    layout = place("two cars on the road, three people on the pavement, trees", bank, seed)
    assert [len(objects(layout, c)) for c in (CAR, PEDESTRIAN)] == [2, 3]
    for class_id, support in ((CAR, ROAD), (PEDESTRIAN, PAVEMENT)):
        for mask in objects(layout, class_id):
            under = np.array(below_its_feet(layout, mask))
            # A nearer object may hide the ground that one stands on.
            assert np.isin(under, (support, CAR, PEDESTRIAN)).mean() >= 0.8


def test_what_a_text_does_not_say_is_told_by_the_bank(bank: MemoryBank) -> None:
    """In the drawn streets people stand on the pavement, and cars on the road."""
    below: dict[int, list[int]] = {PEDESTRIAN: [], CAR: []}
    for seed in SEEDS:
        for class_id, under in below.items():
            layout = place(f"a {CAMVID.by_id[class_id].name}", bank, seed)
            assert set(np.unique(layout.label_map)) == {SKY, ROAD, PAVEMENT, class_id}
            under += below_its_feet(layout, objects(layout, class_id)[0])
    assert below[PEDESTRIAN].count(PAVEMENT) > 0.85 * len(below[PEDESTRIAN])
    assert below[CAR].count(ROAD) > 0.85 * len(below[CAR])


def test_things_that_fill_photos_are_a_backdrop() -> None:
    """Facades are things; a street alone needs something behind it."""
    label_set = LabelSet.load("street_facades")
    facade, street, car = (label_set.find(name).id for name in ("facade", "street", "car"))
    rows = np.full((60, 80), facade)
    rows[40:] = street
    rows[34:46, 20:40] = car
    bank = MemoryBank({"one": Layout(rows, label_set, np.where(rows == street, 0, rows))})
    layout = layout_from_text("a car on the street", bank, label_set, (80, 60), 0)
    assert set(np.unique(layout.label_map)) == {facade, street, car}
    assert np.nonzero(layout.label_map == facade)[0].max() < np.nonzero(layout.label_map == street)[0].max()


@pytest.mark.parametrize("seed", SEEDS)
def test_in_front_covers_and_stands_lower(bank: MemoryBank, seed: int) -> None:
    layout = place("a pedestrian in front of a car", bank, seed)
    (man,), (car,) = objects(layout, PEDESTRIAN), objects(layout, CAR)
    assert lowest(man) > lowest(car)
    # He hides a part of the car: at the least, they touch.
    assert (ndimage.binary_dilation(man, iterations=2) & car).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_behind_a_fence_the_feet_are_hidden(bank: MemoryBank, seed: int) -> None:
    layout = place("a fence, a tree behind the fence", bank, seed)
    (tree,) = objects(layout, TREE)
    under = below_its_feet(layout, tree)
    assert FENCE in under


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("a pole between a car and a tree", None),
        ("a car right of a pole", (POLE, CAR)),
        ("a tree on the left, a car on the right", (TREE, CAR)),
        ("on the right a pole, a pedestrian left of the pole", (PEDESTRIAN, POLE)),
    ],
)
def test_from_left_to_right(bank: MemoryBank, text: str, order: tuple[int, int] | None, seed: int) -> None:
    layout = place(text, bank, seed)
    if order is None:
        car, pole, tree = (x_of(objects(layout, c)[0]) for c in (CAR, POLE, TREE))
        assert min(car, tree) < pole < max(car, tree)
    else:
        assert x_of(layout.label_map == order[0]) < x_of(layout.label_map == order[1])


@pytest.mark.parametrize("seed", SEEDS)
def test_sides_of_the_backdrop(bank: MemoryBank, seed: int) -> None:
    layout = place("trees on the left, buildings on the right", bank, seed)
    assert x_of(layout.label_map == TREE) < 0.5 * WIDTH < x_of(layout.label_map == BUILDING)


def test_sizes_and_distances(bank: MemoryBank) -> None:
    heights = {
        word: np.mean([np.ptp(np.nonzero(objects(place(f"a {word} car", bank, seed), CAR)[0])[0]) for seed in SEEDS])
        for word in ("small", "big", "far", "near")
    }
    assert heights["small"] < 0.8 * heights["big"]
    assert heights["far"] < 0.8 * heights["near"]


def test_nearer_is_larger(bank: MemoryBank) -> None:
    """Perspective: over many layouts the height of cars goes with their lower edge."""
    cars = [mask for seed in range(30) for mask in objects(place("a car on the road", bank, seed), CAR)]
    feet, heights = [lowest(c) for c in cars], [np.ptp(np.nonzero(c)[0]) for c in cars]
    assert np.corrcoef(feet, heights)[0, 1] > 0.7


def test_excluded_and_added_classes(bank: MemoryBank) -> None:
    for seed in SEEDS:
        assert set(np.unique(place("a car, no pavement", bank, seed).label_map)) == {SKY, ROAD, CAR}
        assert SKY not in place("a car, buildings, no sky", bank, seed).label_map


def test_the_same_seed_gives_the_same_layout(bank: MemoryBank) -> None:
    text = "several cars, a tree, buildings"
    first, again = place(text, bank, 3), place(text, street_bank(), 3)
    assert np.array_equal(first.label_map, again.label_map)
    assert first.instance_map is not None and again.instance_map is not None
    assert np.array_equal(first.instance_map, again.instance_map)
    others = {place(text, bank, seed).label_map.tobytes() for seed in range(6)}
    assert len(others) == 6


def test_the_order_of_the_records_does_not_matter(bank: MemoryBank) -> None:
    records = list(bank.records())
    read = lambda identity: bank.read(identity).mask  # noqa: E731
    forth = PlaceStatistics.of(records, CAMVID, read)
    back = PlaceStatistics.of(records[::-1], CAMVID, read)
    for seed in range(3):
        assert np.array_equal(place("a car, trees", forth, seed).label_map, place("a car, trees", back, seed).label_map)


def test_statistics_without_masks_do(bank: MemoryBank) -> None:
    statistics = PlaceStatistics.of(bank.records(), CAMVID)
    for seed in SEEDS:
        layout = place("a car left of a tree on a road, buildings behind", statistics, seed)
        assert x_of(objects(layout, CAR)[0]) < x_of(objects(layout, TREE)[0])
        assert {SKY, BUILDING, ROAD} <= set(np.unique(layout.label_map))


def test_instances_are_numbered_and_have_one_class(bank: MemoryBank) -> None:
    layout = place("three cars, a tree, a pedestrian", bank, 1)
    assert layout.instance_map is not None
    assert set(np.unique(layout.instance_map)) == {0, 1, 2, 3, 4, 5}
    for number in range(1, 6):
        assert len(np.unique(layout.label_map[layout.instance_map == number])) == 1


@pytest.mark.parametrize("seed", range(4))
def test_on_top_of_another_object(bank: MemoryBank, seed: int) -> None:
    layout = place("a pedestrian on a car on the road", bank, seed)
    (man,), (car,) = objects(layout, PEDESTRIAN), objects(layout, CAR)
    under = below_its_feet(layout, man)
    assert under.count(CAR) >= 0.5 * len(under)
    assert lowest(man) < lowest(car)


@pytest.mark.parametrize("size", [(64, 48), (320, 120), (97, 203)])
def test_any_size(bank: MemoryBank, size: tuple[int, int]) -> None:
    layout = layout_from_text("a car on a road, trees", bank, CAMVID, size, 0)
    assert layout.shape == size[::-1]
    assert np.isin(layout.label_map, CAMVID.ids).all()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("thirty cars", ["unknown word 'thirty'"]),
        ("30 cars", ["'30 cars'", "change the text or the seed"]),
        ("a car left of a tree, a pole left of the car, the tree left of the pole", ["left of"]),
    ],
)
def test_what_cannot_be_is_named(bank: MemoryBank, text: str, parts: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        place(text, bank)
    for part in parts:
        assert part in str(caught.value)


def test_a_class_that_the_bank_lacks_is_named() -> None:
    layouts = {"one": Layout(np.repeat([[SKY], [ROAD]], 20, axis=0).repeat(30, axis=1), CAMVID)}
    with pytest.raises(InputError, match=r"no segment of class 'car'.*it has sky, road"):
        layout_from_text("a car", MemoryBank(layouts), CAMVID, (30, 40))


def test_too_small(bank: MemoryBank) -> None:
    with pytest.raises(InputError, match="8x8"):
        layout_from_text("a car", bank, CAMVID, (8, 8))


def test_real_streets(shared: Path) -> None:
    folder = SceneFolder.open(shared / "data" / "camvid")
    files = list(folder.iterate("train"))[::12]
    bank = MemoryBank({f.stem: folder.layout(f) for f in files})
    for seed in range(4):
        layout = layout_from_text(
            "a car left of a tree on a road, buildings behind", bank, folder.label_set, (480, 360), seed
        )
        (car,), (tree,) = objects(layout, CAR), objects(layout, TREE)
        assert x_of(car) < x_of(tree)
        assert car.mean() > 0.0005 and tree.mean() > 0.0005 and (layout.label_map == BUILDING).mean() > 0.02
