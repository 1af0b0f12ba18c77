"""Proposals for where one object may stand: a silhouette of the bank, its foot line and its place from side to side."""

from __future__ import annotations

import numpy as np

from scenebrush.methods.sims.place_statistics import Place, PlaceStatistics
from scenebrush.methods.sims.relating import CLOSE, Region
from scenebrush.methods.sims.vocabulary import listed
from scenebrush.methods.sims.wording import Wish

SIZES = {"tiny": (0.0, 0.2), "small": (0.0, 0.4), "big": (0.6, 1.0), "huge": (0.85, 1.0)}
"""Which quantiles of the heights of a class a size word means."""
DISTANCES = {"far": (0.0, 0.4), "near": (0.6, 1.0), "background": (0.0, 0.4), "foreground": (0.6, 1.0)}
"""Which quantiles of the lower edges of a class a word means."""

DRAWN = 4
"""Of so many silhouettes drawn, the most whole one is taken."""
LEAST_OVER = 0.4
"""The least share of an object that is seen over what the text sets it behind."""
USUAL_SUPPORT = 0.2
"""A class stands on what is below this share of its objects in the bank."""


class Proposer:
    """Draws masks for the objects of a wish upon a backdrop.

    Args:
        wish: what is wanted.
        statistics: of the bank.
        base: the backdrop's label map, int32 (H, W).
        backdrop_items: which items of the wish the backdrop holds.
        rng: draws.
    """

    def __init__(
        self,
        wish: Wish,
        statistics: PlaceStatistics,
        base: np.ndarray,
        backdrop_items: list[int],
        rng: np.random.Generator,
    ) -> None:
        self.wish, self.statistics, self.base, self.rng = wish, statistics, base, rng
        self.backdrop_items = backdrop_items
        names = {c.id: c.name for c in statistics.label_set.classes}
        self.present = [int(c) for c in np.unique(base)]
        self.ground = [c for c in self.present if names[c] in listed("below")]
        self.pools = {i: self._pool(i) for i in range(len(wish.items))}
        self.supports = {i: self._supports(i) for i in range(len(wish.items))}

    def _pool(self, index: int) -> tuple[Place, ...]:
        """The silhouettes that fit an item's size and distance words."""
        item = self.wish.items[index]
        pool = self.statistics.models(item.class_id)
        words = {item.size} | {r.kind for r in self.wish.relations if r.subject == index}
        for word in sorted(words & SIZES.keys()):
            pool = _quantiles(pool, [p.height for p in pool], *SIZES[word])
        for word in sorted(words & DISTANCES.keys()):
            pool = _quantiles(pool, [p.y1 for p in pool], *DISTANCES[word])
        return pool

    def propose(self, index: int, regions: dict[int, list[Region]], haste: float) -> np.ndarray | None:
        """Returns a mask, bool (H, W), for one more object of an item; None: this draw came to nothing.

        Args:
            index: the item.
            regions: of the items that stand already, and of the backdrop's classes.
            haste: 0 to 1, how many draws have failed: the foot line may then leave the model's, the size follows it.
        """
        height, width = self.base.shape
        pool = self.pools[index]
        drawn = [pool[i] for i in self.rng.integers(len(pool), size=DRAWN)]
        place = max(drawn, key=self.statistics.wholeness)
        foot = self._foot(index, place, regions, haste)
        scale = self.statistics.height_at(place.class_id, foot) / self.statistics.height_at(place.class_id, place.y1)
        tall = max(4, round(place.height * scale * height))
        wide = max(2, round(tall * place.aspect))
        if wide >= width or tall >= height:
            return None
        low, high = self._range(index, regions)
        x = round(self.rng.uniform(low, high) * width - wide / 2)
        x = min(max(x, 0), width - wide)
        bottom = min(round(foot * height), height)
        shape = self.statistics.shape(place, (wide, tall))
        if bool(self.rng.integers(2)):
            shape = shape[:, ::-1]
        if self._must_be_grounded(index):
            lowest = np.nonzero(shape[-1])[0] if shape[-1].any() else np.arange(wide)
            bottom = self._grounded(index, bottom, tall, x + lowest)
        if bottom < tall // 2 or bottom > height:
            return None
        mask = np.zeros((height, width), bool)
        top = max(0, bottom - tall)
        mask[top:bottom, x : x + wide] = shape[tall - (bottom - top) :]
        if not mask.any() or not self._stands(index, mask, haste):
            return None
        hiding = self._hiding(index)
        return mask & ~np.isin(self.base, hiding) if hiding else mask

    def _foot(self, index: int, place: Place, regions: dict[int, list[Region]], haste: float) -> float:
        """The lower edge, as a share of the height: the model's, or what a relation to an object asks for."""
        for relation in self.wish.relations:
            if index not in (relation.subject, *relation.objects) or not relation.objects:
                continue
            partners = relation.objects if relation.subject == index else (relation.subject,)
            others = [region for i in partners for region in regions.get(i, []) if region.is_object]
            if not others:
                continue
            other = others[int(self.rng.integers(len(others)))]
            kind = relation.kind
            if relation.subject != index:
                kind = {"in_front_of": "behind", "behind": "in_front_of", "above": "below", "below": "above"}.get(
                    kind, kind
                )
            if kind == "beside":
                return float(np.clip(place.y1, other.foot - 0.1, other.foot + 0.1))
            if kind == "in_front_of":
                return float(np.clip(place.y1, other.foot + 0.02, 0.99))
            if kind == "behind":
                return float(min(place.y1, other.foot - 0.02))
            if kind == "above":
                return float(self.rng.uniform(other.box[1] * 0.5, other.box[1]))
            if kind == "on" and relation.subject == index:
                top, bottom = other.box[1], other.box[3]
                return float(top + self.rng.uniform(0.05, 0.5) * (bottom - top))
        return float(np.clip(place.y1 + self.rng.normal(0, 0.08) * haste, 0.05, 0.99))

    def _range(self, index: int, regions: dict[int, list[Region]]) -> tuple[float, float]:
        """From where to where, as shares of the width, the object's centre may lie."""
        low, high = 0.03, 0.97
        for relation in self.wish.relations:
            if relation.subject == index:
                others = [region for i in relation.objects for region in regions.get(i, [])]
                kind = relation.kind
            elif index in relation.objects:
                others = regions.get(relation.subject, [])
                kind = {"left_of": "right_of", "right_of": "left_of", "on": ""}.get(relation.kind, relation.kind)
            else:
                continue
            wanted = _wanted_range(kind, others)
            low, high = max(low, wanted[0]), min(high, wanted[1])
        return (low, high) if low < high else (0.03, 0.97)

    def _must_be_grounded(self, index: int) -> bool:
        """Trees and the like have their trunks hidden in most photos: their foot is set to the ground's upper edge."""
        item = self.wish.items[index]
        return item.class_id in self.statistics.label_set.of_kind("stuff") and bool(self.ground)

    def _grounded(self, index: int, bottom: int, tall: int, columns: np.ndarray) -> int:
        """The foot's row, moved down to the ground where it is above it; behind a building, so that it tops that."""
        hiding = self._hiding(index)
        if hiding:
            covered = np.isin(self.base[:, columns], hiding)
            if not covered.any():
                return bottom
            return int(np.argmax(covered.any(axis=1))) + round(self.rng.uniform(0.1, 0.5) * tall)
        ground = np.isin(self.base[:, columns], self.supports[index])
        if not ground.any():
            return bottom
        edge = int(np.median(np.where(ground.any(axis=0), np.argmax(ground, axis=0), self.base.shape[0])))
        lowered = min(edge + max(2, round(0.01 * len(self.base))), len(self.base))
        return max(bottom, lowered)

    def _stands(self, index: int, mask: np.ndarray, haste: float) -> bool:
        """Whether the object's feet are where its class has them: on one of its usual supports that are here."""
        region = Region(mask, is_object=True)
        if any(r.subject == index and r.kind == "on" for r in self.wish.relations):
            return True  # told by the relation itself
        hiding = self._hiding(index)
        if hiding:  # the feet are hidden, a good part of the rest is not
            hidden = np.isin(self.base, hiding) & mask
            if np.count_nonzero(hidden) > (1 - LEAST_OVER) * np.count_nonzero(mask):
                return False
        allowed = hiding or self.supports[index]
        if haste > 0.5 and not hiding and set(allowed) & set(self.ground):
            allowed = [*allowed, *self.ground]  # a man in front of a car may have to leave the pavement
        if not allowed:
            return True
        rows, columns = region.foot_pixels
        if hiding and not self._must_be_grounded(index):  # a car behind a fence: no part of it may hang in the air
            columns = np.nonzero(mask.any(axis=0))[0]
            rows = np.full(columns.shape, rows[0])
        below = self.base[rows, columns].tolist()
        return sum(class_id in allowed for class_id in below) >= 0.75 * len(below)

    def _hiding(self, index: int) -> list[int]:
        """The classes of the backdrop that an item is said to be behind, and which therefore hide its feet."""
        behind = [i for r in self.wish.relations if r.subject == index and r.kind == "behind" for i in r.objects]
        return [self.wish.items[i].class_id for i in behind if i in self.backdrop_items]

    def _supports(self, index: int) -> list[int]:
        """What an item that says no "on" may stand on: what its class stands on in the bank, else any ground."""
        class_id = self.wish.items[index].class_id
        usual = self.statistics.supports(class_id)
        here = [c for c in self.present if usual.get(c, 0.0) >= USUAL_SUPPORT]
        if self._must_be_grounded(index):  # a trunk: on the ground that trees are seen over, rather not on the road
            most = max((usual.get(c, 0.0) for c in self.ground), default=0.0)
            return [c for c in self.ground if usual.get(c, 0.0) >= 0.5 * most]
        return here or self.ground


def _wanted_range(kind: str, others: list[Region]) -> tuple[float, float]:
    """Where, from left to right, the centre of an object should lie."""
    whole = (0.0, 1.0)
    if kind in ("left", "right", "centre"):
        return {"left": (0.0, 0.42), "right": (0.58, 1.0), "centre": (0.35, 0.65)}[kind]
    if not others:
        # Leave room for the one that comes later.
        return {"left_of": (0.0, 0.6), "right_of": (0.4, 1.0)}.get(kind, whole)
    if kind == "left_of":
        return 0.0, min(r.centre[0] for r in others)
    if kind == "right_of":
        return max(r.centre[0] for r in others), 1.0
    if kind == "between":
        return min(r.centre[0] for r in others), max(r.centre[0] for r in others)
    objects = [r for r in others if r.is_object]
    if not objects:
        return whole
    if kind == "beside":
        return min(r.box[0] for r in objects) - CLOSE - 0.1, max(r.box[2] for r in objects) + CLOSE + 0.1
    if kind in ("in_front_of", "behind", "above", "below", "on"):
        return min(r.box[0] for r in objects), max(r.box[2] for r in objects)
    return whole


def _quantiles(pool: tuple[Place, ...], values: list[float], low: float, high: float) -> tuple[Place, ...]:
    bounds = np.quantile(values, (low, high))
    return tuple(p for p, value in zip(pool, values, strict=True) if bounds[0] <= value <= bounds[1]) or pool
