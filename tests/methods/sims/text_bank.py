"""A little bank of drawn streets, in memory: what the tests of text to layout place from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from scenebrush.methods.sims.segments import Segment, segments_of
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout

CAMVID = LabelSet.load("camvid")
SKY, BUILDING, POLE, ROAD, PAVEMENT, TREE, SIGN, FENCE, CAR, PEDESTRIAN, BICYCLIST, VOID = CAMVID.ids
WIDTH, HEIGHT = 160, 120


@dataclass(frozen=True)
class Record:
    id: int
    class_id: int
    donor: str
    box: tuple[int, int, int, int]
    photo_size: tuple[int, int]
    area: int
    instance: int


@dataclass(frozen=True)
class Stored:
    record: Record
    mask: np.ndarray


class MemoryBank:
    """What `Bank` offers, for layouts at hand."""

    def __init__(self, layouts: dict[str, Layout]) -> None:
        self.stored: dict[int, Stored] = {}
        for donor, layout in layouts.items():
            height, width = layout.shape
            for segment in segments_of(layout, least_area=8):
                self._add(donor, segment, (width, height))

    def _add(self, donor: str, segment: Segment, size: tuple[int, int]) -> None:
        number = len(self.stored)
        record = Record(number, segment.class_id, donor, segment.box, size, segment.area, segment.instance)
        self.stored[number] = Stored(record, segment.mask)

    def records(self) -> Iterator[Record]:
        return (stored.record for stored in self.stored.values())

    def read(self, identity: int) -> Stored:
        return self.stored[identity]


def street(seed: int) -> Layout:
    """A street with houses on one side, trees on the other, cars and cyclists on the road, people on the pavement;
    whatever stands nearer is larger."""
    rng = np.random.default_rng(seed)
    horizon = int(rng.integers(52, 60))
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    labels = np.full((HEIGHT, WIDTH), SKY, np.int32)
    numbers = np.zeros_like(labels)
    labels[(rows > 20 + columns // 5 + rng.integers(0, 8)) & (rows < horizon)] = BUILDING
    crown = np.hypot(columns - rng.integers(115, 140), (rows - 35) * 1.2) < rng.integers(14, 22)
    labels[crown & (rows < horizon)] = TREE
    labels[(rows >= horizon - 6) & (rows < horizon) & (columns > 130)] = FENCE
    labels[rows >= horizon] = PAVEMENT
    half = 14 + (rows - horizon) * 1.1
    labels[(rows >= horizon) & (np.abs(columns - 80) < half)] = ROAD
    count = 0

    def put(class_id: int, x: float, foot: int, tall: float, wide: float) -> None:
        nonlocal count
        inside = (np.abs(columns - x) * 2 / wide) ** 4 + np.clip((foot - rows) / tall * 2 - 1, 0, None) ** 2 <= 1
        inside &= (rows < foot) & (rows >= foot - tall)
        count += 1
        labels[inside], numbers[inside] = class_id, count

    for foot in sorted(rng.integers(horizon + 8, HEIGHT - 8, 3)):
        near = foot - horizon
        put(CAR, 80 + rng.uniform(-0.5, 0.5) * near, foot, 0.6 * near + 3, 1.0 * near + 5)
    foot = int(rng.integers(horizon + 6, horizon + 30))
    near = foot - horizon
    side = rng.choice([-1, 1])
    put(PEDESTRIAN, 80 + side * (14 + 1.1 * near + 10), foot, 0.7 * near + 6, 0.3 * near + 3)
    put(POLE, 80 - side * (14 + 1.1 * near + 12), foot, 40, 3)
    put(BICYCLIST, 80 - side * 8, foot + 6, 0.7 * near + 8, 0.3 * near + 4)
    x = int(rng.integers(20, 140))
    put(SIGN, x, horizon - 8, 8, 7)
    # Single trees, as there are in a park: whole, from foot to crown.
    x = int(rng.choice([20, 60]))
    trunk = (np.abs(columns - x) < 2) & (rows > 30) & (rows < horizon + 2)
    labels[trunk | (np.hypot(columns - x, rows - 34) < 11)] = TREE
    return Layout(labels, CAMVID, np.where(np.isin(labels, CAMVID.of_kind("thing")), numbers, 0))


def street_bank(count: int = 16) -> MemoryBank:
    return MemoryBank({f"street{i:02d}": street(i) for i in range(count)})
