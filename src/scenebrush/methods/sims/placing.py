"""A short text becomes a layout: a backdrop of the bank, and objects with silhouettes of the bank upon it."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from scenebrush.errors import InputError
from scenebrush.methods.sims.backdrop import Backdrop, backdrops, setting
from scenebrush.methods.sims.place_statistics import PlaceStatistics, SegmentBank
from scenebrush.methods.sims.proposing import Proposer
from scenebrush.methods.sims.relating import Region, holds
from scenebrush.methods.sims.vocabulary import listed
from scenebrush.methods.sims.wording import PLACES, Relation, Wish, read_wish
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout

BACKDROPS, RESTARTS, TRIES = 8, 3, 60
"""How many backdrops are tried, how often all objects are placed anew on each, how often each object is."""
LEAST_SHARE = 0.003
"""The least share of the picture that a named class of the backdrop has."""
LEAST_OBJECT = 0.0003
"""The least share of the picture in which an object is seen."""
LEAST_VISIBLE, LEAST_VISIBLE_BEHIND = 0.8, 0.35
"""The share of an object that nothing hides; the second where the text itself sets something before it."""


@dataclass(eq=False)
class Placed:
    """One object on its place; `item` is its number in the wish, `mask` bool (H, W)."""

    item: int
    class_id: int
    mask: np.ndarray
    region: Region = field(init=False)

    def __post_init__(self) -> None:
        self.region = Region(self.mask, is_object=True)


def layout_from_text(
    text: str,
    bank: SegmentBank | PlaceStatistics,
    label_set: LabelSet,
    size: tuple[int, int],
    seed: int = 0,
) -> Layout:
    """Returns a layout of what a text names, with an instance map: 1..N, one number for each object placed.

    Same text, bank, size and seed: same layout. No language model: `read_wish` says what a text may be.

    Args:
        text: such as "a car left of a tree on a road, buildings behind".
        bank: a memory bank, or its statistics (with no masks: shapes are made up).
        label_set: the bank's.
        size: (width, height) in pixels.
        seed: draws the photo of the bank that the backdrop is of, the silhouettes and where they stand.

    Raises:
        InputError: the text cannot be read, a class has no segment in the bank, or no arrangement was found in which
            everything holds; the message says what does not.
    """
    statistics = bank if isinstance(bank, PlaceStatistics) else PlaceStatistics.of_bank(bank, label_set)
    width, height = size
    if width < 16 or height < 16:
        raise InputError(f"a layout of {width}x{height} pixels is too small to place anything in; 16x16 is the least")
    wish = read_wish(text, label_set)
    return _Arrangement(wish, statistics, size, seed).find()


class _Arrangement:
    """The search for a layout in which all that the wish says holds."""

    def __init__(self, wish: Wish, statistics: PlaceStatistics, size: tuple[int, int], seed: int) -> None:
        self.wish, self.statistics, self.size = wish, statistics, size
        self.rng = np.random.default_rng(seed)
        self.label_set = statistics.label_set
        for item in wish.items:
            if not statistics.places.get(item.class_id):
                held = ", ".join(c.name for c in self.label_set.classes if statistics.places.get(c.id))
                name = self.label_set.by_id[item.class_id].name
                raise InputError(f"the bank has no segment of class {name!r} ({item.words!r}); it has {held}")
        self.backdrop_items = [i for i in range(len(wish.items)) if self._is_backdrop(i)]
        self.object_items = _objects_first(wish, self.backdrop_items)
        self.resting = {r.subject for r in wish.relations if r.kind == "on" and r.objects[0] in self.object_items}
        self.failures: dict[str, int] = {}

    def _is_backdrop(self, index: int) -> bool:
        item = self.wish.items[index]
        label_class = self.label_set.by_id[item.class_id]
        if label_class.kind == "stuff" and label_class.name in listed("countable"):
            return item.count is None
        return item.class_id in self.statistics.backdrop_classes

    def find(self) -> Layout:
        wanted = {self.wish.items[i].class_id for i in self.backdrop_items}
        every = {item.class_id for item in self.wish.items}
        stuff = sorted(wanted | set(setting(self.statistics, every, self.wish.excluded)))
        candidates = backdrops(self.statistics, self.wish, stuff, self.size, self.rng)
        for backdrop in islice(candidates, BACKDROPS):
            if not self._backdrop_fits(backdrop):
                continue
            for _ in range(RESTARTS):
                objects = self._objects(backdrop.label_map)
                if objects is not None:
                    layout = self._painted(backdrop.label_map, objects)
                    if layout is not None:
                        return layout
        if not self.failures:
            raise InputError("the bank has no photo to take a backdrop from; name other classes")
        worst = max(self.failures, key=lambda reason: self.failures[reason])
        raise InputError(f"no arrangement found in which the text holds: {worst}; change the text or the seed")

    def _fail(self, reason: str) -> None:
        self.failures[reason] = self.failures.get(reason, 0) + 1

    def _backdrop_fits(self, backdrop: Backdrop) -> bool:
        """Whether every class named is there, and what is said among classes of the backdrop holds."""
        regions: dict[int, list[Region]] = {}
        for index in self.backdrop_items:
            mask = backdrop.label_map == self.wish.items[index].class_id
            if mask.mean() < LEAST_SHARE:
                self._fail(f"no photo of the bank shows {self.wish.items[index].words!r} with the rest")
                return False
            regions[index] = [Region(mask, is_object=False)]
        return self._all_hold([r for r in self.wish.relations if _known(r, regions)], regions)

    def _all_hold(self, relations: list[Relation], regions: dict[int, list[Region]]) -> bool:
        for relation in relations:
            others = [region for i in relation.objects for region in regions[i]]
            if not all(holds(relation.kind, region, others) for region in regions[relation.subject]):
                self._fail(f"{self.wish.describe(relation)!r} does not")
                return False
        return True

    def _objects(self, base: np.ndarray) -> list[Placed] | None:
        """Places all objects one after the other; None: one found no place."""
        proposer = Proposer(self.wish, self.statistics, base, self.backdrop_items, self.rng)
        placed: list[Placed] = []
        regions: dict[int, list[Region]] = {
            i: [Region(base == self.wish.items[i].class_id, is_object=False)] for i in self.backdrop_items
        }
        for index in self.object_items:
            item = self.wish.items[index]
            for _ in range(item.count or int(self.rng.integers(2, 5))):
                one = self._object(proposer, index, regions, placed)
                if one is None:
                    return None
                placed.append(one)
                regions.setdefault(index, []).append(one.region)
        return placed

    def _object(
        self, proposer: Proposer, index: int, regions: dict[int, list[Region]], placed: list[Placed]
    ) -> Placed | None:
        """Places one more object of an item beside those `placed`; None: no draw fits."""
        relations = [r for r in self.wish.relations if index in (r.subject, *r.objects)]
        for attempt in range(TRIES):
            mask = proposer.propose(index, regions, attempt / TRIES)
            if mask is None:
                continue
            one = Placed(index, self.wish.items[index].class_id, mask)
            now = {**regions, index: [*regions.get(index, []), one.region]}
            if self._crowded(one, placed):
                self._fail(f"{self.wish.items[index].words!r} finds no room")
                continue
            if self._all_hold([r for r in relations if _known(r, now) and self._complete(r, now)], now):
                return one
        self._fail(f"{self.wish.items[index].words!r} finds no place")
        return None

    def _complete(self, relation: Relation, regions: dict[int, list[Region]]) -> bool:
        """ "Between two trees" can be told when both stand."""
        if relation.kind != "between" or len(relation.objects) > 1:
            return True
        wanted = self.wish.items[relation.objects[0]].count or 2
        return len(regions[relation.objects[0]]) >= wanted

    def _crowded(self, one: Placed, placed: list[Placed]) -> bool:
        for other in placed:
            front, rear = (one, other) if self._depth(one) >= self._depth(other) else (other, one)
            hidden = np.count_nonzero(front.mask & rear.mask) / np.count_nonzero(rear.mask)
            if hidden > 1 - self._least_visible(rear.item):
                return True
        return False

    def _depth(self, one: Placed) -> tuple[bool, float]:
        """What is painted later has more: what rests on another object, else what stands lower."""
        return one.item in self.resting, one.region.foot

    def _least_visible(self, item: int) -> float:
        meant = any(
            (r.kind == "behind" and r.subject == item) or (r.kind in ("in_front_of", "on") and item in r.objects)
            for r in self.wish.relations
        )
        return LEAST_VISIBLE_BEHIND if meant else LEAST_VISIBLE

    def _painted(self, base: np.ndarray, objects: list[Placed]) -> Layout | None:
        """Paints the objects from far to near; None: too little of one is left, or something said no longer holds."""
        label_map, numbers = base.copy(), np.zeros(base.shape, np.int32)
        order = sorted(range(len(objects)), key=lambda i: (self._depth(objects[i]), i))
        for i in order:
            label_map[objects[i].mask] = objects[i].class_id
            numbers[objects[i].mask] = i + 1
        regions: dict[int, list[Region]] = {}
        for i, one in enumerate(objects):
            seen = numbers == i + 1
            if seen.mean() < LEAST_OBJECT or np.count_nonzero(seen) < self._least_visible(one.item) * np.count_nonzero(
                one.mask
            ):
                self._fail(f"{self.wish.items[one.item].words!r} is hidden")
                return None
            regions.setdefault(one.item, []).append(Region(seen, is_object=True))
        for index in self.backdrop_items:
            seen = (label_map == self.wish.items[index].class_id) & (numbers == 0)
            if seen.mean() < LEAST_SHARE:
                self._fail(f"{self.wish.items[index].words!r} is hidden")
                return None
            regions[index] = [Region(seen, is_object=False)]
        # "on" was told on the backdrop: what a nearer object hides of the ground is still the ground.
        still = [r for r in self.wish.relations if r.kind not in PLACES | {"on", "in_front_of", "behind"}]
        if not self._all_hold(still, regions):
            return None
        return Layout(label_map, self.label_set, numbers)


def _known(relation: Relation, regions: dict[int, list[Region]]) -> bool:
    return all(i in regions for i in (relation.subject, *relation.objects))


def _objects_first(wish: Wish, backdrop_items: list[int]) -> list[int]:
    """The items to place, in the text's order, but each after those that it is set left of, on, behind, ..."""
    order: list[int] = []
    entered: set[int] = set(backdrop_items)

    def enter(index: int) -> None:
        if index in entered:
            return
        entered.add(index)  # before its objects: a circle ends here
        for relation in wish.relations:
            if relation.subject == index:
                for other in relation.objects:
                    enter(other)
        order.append(index)

    for index in range(len(wish.items)):
        enter(index)
    return order
