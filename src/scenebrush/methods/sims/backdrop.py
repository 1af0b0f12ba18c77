"""The backdrop of a layout: sky, ground and what stands between them, taken from one photo of the bank."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from scenebrush.methods.sims.place_statistics import Place, PlaceStatistics
from scenebrush.methods.sims.vocabulary import listed
from scenebrush.methods.sims.wording import Wish

UNKNOWN = -1
BEST_SHARE = 0.08
"""The backdrop is drawn among this share of the photos that fit best (at least `BEST_LEAST`)."""
BEST_LEAST = 8

SPECK = 0.002
"""Components of a smaller share of the picture are what remains between things; they are not taken over."""


@dataclass(frozen=True, eq=False)
class Backdrop:
    """What is there before any object.

    Args:
        label_map: int32 (H, W), classes of the backdrop only; every pixel has one.
        donor: the photo of the bank that it is of.
        mirrored: whether left and right are exchanged.
    """

    label_map: np.ndarray
    donor: str
    mirrored: bool


def named(label_set_names: dict[str, int], role: str) -> list[int]:
    """Returns the ids of the classes that `words.json` lists under a role ("above", "behind", "below")."""
    return [class_id for name, class_id in label_set_names.items() if name in listed(role)]


def setting(statistics: PlaceStatistics, wanted: set[int], excluded: frozenset[int]) -> list[int]:
    """Returns the classes that a picture of the wanted ones has although nobody names them: sky, ground, walls.

    These are the classes that `words.json` lists as above, behind or below and that more than half of the photos
    show, counted among the photos which show most of the wanted classes. Where there is no ground among them, the
    most frequent one comes in, and where there is nothing but ground, the most frequent of the others.
    """
    ids = {c.name: c.id for c in statistics.label_set.classes if c.id in statistics.backdrop_classes}
    hits = {donor: len(wanted & shares.keys()) for donor, shares in statistics.shares.items()}
    most = max(hits.values())
    photos = [statistics.shares[donor] for donor, count in hits.items() if count == most]
    usual = {c: sum(c in shares for shares in photos) / len(photos) for c in ids.values()}
    allowed = {role: [c for c in named(ids, role) if c not in excluded] for role in ("above", "behind", "below")}
    found = [c for classes in allowed.values() for c in classes if usual[c] > 0.5]
    ground = allowed["below"]
    if ground and not wanted.union(found).intersection(ground):
        best = max(ground, key=lambda c: usual[c])
        found += [best] if usual[best] > 0 else []
    upright = [c for c in ids.values() if c not in named(ids, "below")]
    if not wanted.union(found).intersection(upright):
        rest = [c for c in upright if c not in excluded and usual[c] > 0]
        found += [max(rest, key=lambda c: usual[c])] if rest else []
    return found


def backdrops(
    statistics: PlaceStatistics,
    wish: Wish,
    stuff: list[int],
    size: tuple[int, int],
    rng: np.random.Generator,
) -> Iterator[Backdrop]:
    """Yields backdrops, the likely ones first: first a random order of the best photos, then the others, best first.

    A photo fits well if it shows the classes that are wanted, in about the amount that is usual, and little else. What
    it shows besides (things, other stuff) is filled from its neighbours, ground below the horizon and other classes
    above it.

    Args:
        statistics: of the bank.
        wish: what the text asks for; "left" and "right" of stuff decide whether a photo is mirrored.
        stuff: ids of the classes that the backdrop may hold.
        size: (width, height) in pixels.
        rng: draws the order.
    """
    required = {wish.items[i].class_id for i in range(len(wish.items))} & set(stuff)
    scores = {donor: _score(statistics, donor, stuff, required) for donor in statistics.donors}
    ranked = sorted(scores, key=lambda donor: (-scores[donor], donor))
    best = max(BEST_LEAST, round(BEST_SHARE * len(ranked)))
    first = [ranked[i] for i in rng.permutation(min(best, len(ranked)))]
    for donor in first + ranked[best:]:
        mirrored = bool(rng.integers(2))
        for flip in (mirrored, not mirrored):
            label_map = _drawn(statistics, donor, stuff, size, rng)
            if label_map is not None:
                yield Backdrop(label_map[:, ::-1] if flip else label_map, donor, flip)


def _score(statistics: PlaceStatistics, donor: str, stuff: list[int], required: set[int]) -> float:
    shares = statistics.shares[donor]
    things = statistics.label_set.of_kind("thing")  # worse than other stuff: they stand on the ground and hide it
    score = -sum((4 if c in things else 1) * share for c, share in shares.items() if c not in stuff)
    for class_id in stuff:
        usual = max(statistics.typical_share(class_id), 1e-3)
        score += (2.0 if class_id in required else 0.5) * min(shares.get(class_id, 0.0) / usual, 1.0)
    return score


def _drawn(
    statistics: PlaceStatistics, donor: str, stuff: list[int], size: tuple[int, int], rng: np.random.Generator
) -> np.ndarray | None:
    """The donor's stuff, with every other pixel filled; None: it shows none of it."""
    width, height = size
    label_map = np.full((height, width), UNKNOWN, np.int32)
    wanted = [p for p in statistics.donors[donor] if p.class_id in stuff]
    if not wanted:
        return None
    # Made-up shapes overlap: what is above comes first, what is below last, as one paints a landscape.
    ids = {c.name: c.id for c in statistics.label_set.classes}
    layer = dict.fromkeys(named(ids, "above"), 0) | dict.fromkeys(named(ids, "below"), 2)
    for place in sorted(wanted, key=lambda p: (layer.get(p.class_id, 1), -p.share, p.id)):
        paint(label_map, place.class_id, statistics, place)
    label_map = filled(label_map, named(ids, "above"), named(ids, "below"), rng)
    return filled(without_specks(label_map), named(ids, "above"), named(ids, "below"), rng)


def paint(label_map: np.ndarray, class_id: int, statistics: PlaceStatistics, place: Place) -> None:
    """Paints a segment where it stands in its photo, stretched to the size of the map."""
    height, width = label_map.shape
    left, top = round(place.x0 * width), round(place.y0 * height)
    right, bottom = max(left + 1, round(place.x1 * width)), max(top + 1, round(place.y1 * height))
    mask = statistics.shape(place, (right - left, bottom - top))
    part = label_map[top:bottom, left:right]
    part[mask[: part.shape[0], : part.shape[1]]] = class_id


def filled(label_map: np.ndarray, above: list[int], below: list[int], rng: np.random.Generator) -> np.ndarray:
    """Returns a map whose unknown pixels have the class of the nearest known pixel: no ground above the horizon (the
    upper edge of the ground, gently waved), no sky below it."""
    known = label_map != UNKNOWN
    if known.all():
        return label_map
    height, width = label_map.shape
    ground = np.isin(label_map, below)
    rows = np.nonzero(ground)[0]
    horizon = float(np.percentile(rows, 1)) if rows.size else height
    if ground.any() and not ground.all():
        ground &= np.arange(height)[:, None] >= horizon - 0.01 * height  # a speck of road above it is a mistake
        known &= ground | ~np.isin(label_map, below)
    wave = np.interp(np.arange(width), np.linspace(0, width, 12), rng.normal(0, 0.006 * height, 12))
    over = np.arange(height)[:, None] < horizon + wave[None, :]
    upper = _nearest(label_map, known & ~ground, known)
    lower = _nearest(label_map, known & ~np.isin(label_map, above), known)
    return np.where(known, label_map, np.where(over, upper, lower)).astype(np.int32)


def without_specks(label_map: np.ndarray) -> np.ndarray:
    """Returns a map whose components of fewer than `SPECK` of all pixels are unknown, the largest one excepted."""
    cleaned = label_map.copy()
    for class_id in np.unique(label_map):
        components, _ = ndimage.label(label_map == class_id)
        sizes = np.bincount(components.ravel())
        small = sizes < SPECK * label_map.size
        small[0] = False
        if len(sizes) > 1:
            small[1 + int(np.argmax(sizes[1:]))] = False
        cleaned[small[components]] = UNKNOWN
    return cleaned


def _nearest(label_map: np.ndarray, sources: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """The class of the nearest source for every pixel, of the nearest of `otherwise` where there is no source."""
    sources = sources if sources.any() else otherwise
    indices = ndimage.distance_transform_edt(~sources, return_distances=False, return_indices=True)
    nearest: np.ndarray = label_map[tuple(indices)]
    return nearest
