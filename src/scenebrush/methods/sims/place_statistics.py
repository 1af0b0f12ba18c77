"""Where the classes of a memory bank are seen, and how large: what a text's wish is placed by."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, Self

import numpy as np
from PIL import Image

from scenebrush.errors import InputError
from scenebrush.methods.sims.made_up import made_up
from scenebrush.scene.label_set import LabelSet

LEAST_HEIGHT = 0.05
"""Objects lower than this share of the picture are no models for new ones."""

BACKDROP_SHARE = 0.3
"""Things that usually fill more of a photo than this (facades) belong to the backdrop."""
SUPPORTS_SEEN = 60
"""So many objects of a class tell what it stands on."""


class SegmentRecord(Protocol):
    """What a bank says of a segment without reading its pixels."""

    @property
    def id(self) -> int: ...
    @property
    def class_id(self) -> int: ...
    @property
    def donor(self) -> str: ...
    @property
    def box(self) -> tuple[int, int, int, int]: ...
    @property
    def photo_size(self) -> tuple[int, int]: ...
    @property
    def area(self) -> int: ...


class StoredSegment(Protocol):
    """A segment as a bank gives it; `mask` is bool (h, w) over its box, at any resolution."""

    @property
    def mask(self) -> np.ndarray: ...


class SegmentBank(Protocol):
    """A memory bank."""

    def records(self) -> Iterable[SegmentRecord]: ...
    def read(self, segment_id: int, /) -> StoredSegment: ...


@dataclass(frozen=True)
class Place:
    """Where one segment of the bank stands in its photo; positions are shares of the photo's width and height.

    Args:
        id: the segment in the bank.
        class_id: its class.
        donor: its photo.
        x0: its left edge.
        y0: its upper edge.
        x1: its right edge.
        y1: its lower edge.
        aspect: width / height of its box in pixels.
        share: of all segments' pixels of its photo.
    """

    id: int
    class_id: int
    donor: str
    x0: float
    y0: float
    x1: float
    y1: float
    aspect: float
    share: float

    @property
    def height(self) -> float:
        return self.y1 - self.y0


@dataclass(frozen=True)
class PlaceStatistics:
    """The places of all segments of a bank.

    Args:
        label_set: the classes.
        donors: photo -> its segments.
        mask_of: reads the bool mask of a segment by its id; None: shapes are made up (`shape`).
    """

    label_set: LabelSet
    donors: dict[str, tuple[Place, ...]]
    mask_of: Callable[[int], np.ndarray] | None = None
    _masks: dict[int, np.ndarray] = field(default_factory=dict, repr=False, compare=False)
    _lines: dict[int, tuple[float, float]] = field(default_factory=dict, repr=False, compare=False)
    _wholeness: dict[int, float] = field(default_factory=dict, repr=False, compare=False)
    _supports: dict[int, dict[int, float]] = field(default_factory=dict, repr=False, compare=False)
    _models: dict[int, tuple[Place, ...]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(
        cls,
        records: Iterable[SegmentRecord],
        label_set: LabelSet,
        mask_of: Callable[[int], np.ndarray] | None = None,
    ) -> Self:
        """Returns the statistics of a bank's records.

        Args:
            records: of any number of photos.
            label_set: theirs.
            mask_of: reads a segment's mask, bool (h, w) over its box; None: shapes are made up.

        Raises:
            InputError: there are no records.
        """
        of_donor: dict[str, list[SegmentRecord]] = {}
        for record in records:
            of_donor.setdefault(record.donor, []).append(record)
        if not of_donor:
            raise InputError("the memory bank holds no segment to place by; build it with 'scenebrush bank build'")
        donors = {}
        for donor in sorted(of_donor):  # whatever order the bank gives them in, a seed means the same layout
            total = sum(record.area for record in of_donor[donor])
            donors[donor] = tuple(_place(record, total) for record in sorted(of_donor[donor], key=lambda r: r.id))
        return cls(label_set, donors, mask_of)

    @classmethod
    def of_bank(cls, bank: SegmentBank, label_set: LabelSet) -> Self:
        """Returns the statistics of a bank, with its masks; raises what `of` raises."""
        return cls.of(bank.records(), label_set, lambda segment_id: bank.read(segment_id).mask)

    @cached_property
    def places(self) -> dict[int, tuple[Place, ...]]:
        """Class id -> its segments."""
        found: dict[int, list[Place]] = {}
        for places in self.donors.values():
            for place in places:
                found.setdefault(place.class_id, []).append(place)
        return {class_id: tuple(places) for class_id, places in found.items()}

    @cached_property
    def shares(self) -> dict[str, dict[int, float]]:
        """Photo -> class id -> share of its pixels."""
        found: dict[str, dict[int, float]] = {}
        for donor, places in self.donors.items():
            found[donor] = {}
            for place in places:
                found[donor][place.class_id] = found[donor].get(place.class_id, 0.0) + place.share
        return found

    @cached_property
    def backdrop_classes(self) -> frozenset[int]:
        """Ids of the classes that a backdrop may hold: stuff, and things that usually fill much of a photo."""
        stuff = self.label_set.of_kind("stuff")
        large = [c for c in self.label_set.of_kind("thing") if self.typical_share(c) > BACKDROP_SHARE]
        return frozenset((*stuff, *large))

    def typical_share(self, class_id: int) -> float:
        """Returns the median share of a photo's pixels among the photos that show a class; 0: none does."""
        found = [shares[class_id] for shares in self.shares.values() if class_id in shares]
        return float(np.median(found)) if found else 0.0

    def models(self, class_id: int) -> tuple[Place, ...]:
        """Returns the segments of a class that are models for new objects: whole, single and of a usual size.

        Left out are those that the picture's edge cuts, very low ones, those much wider or slimmer than most of the
        class (two cars in one segment, half a car behind a tree), and those whose height is far from what `height_at`
        says for their lower edge. Where a rule would leave nothing, it is not applied.
        """
        if class_id not in self._models:
            self._models[class_id] = self._choose_models(class_id)
        return self._models[class_id]

    def _choose_models(self, class_id: int) -> tuple[Place, ...]:
        kept = self.places.get(class_id, ())
        kept = _some(kept, lambda p: p.x0 > 0.004 and p.x1 < 0.996 and p.y1 < 0.996)
        kept = _some(kept, lambda p: p.height >= LEAST_HEIGHT)
        if class_id in self.label_set.of_kind("stuff"):  # a tree: not a scrap of a crown, nor a whole row
            return _some(kept, lambda p: p.height >= 4 * LEAST_HEIGHT and 0.3 <= p.aspect <= 1.3)
        if len(kept) >= 8:
            slim, wide = np.percentile([p.aspect for p in kept], (30, 80))
            kept = _some(kept, lambda p: slim <= p.aspect <= wide)
            level, slope = _line(kept)
            kept = _some(kept, lambda p: 0.6 <= p.height / max(level + slope * p.y1, 0.01) <= 1.6)
        return kept

    def height_at(self, class_id: int, foot: float) -> float:
        """Returns how high objects of a class are that stand at a lower edge (perspective: a line through `models`)."""
        if class_id not in self._lines:
            self._lines[class_id] = _line(self.models(class_id))
        level, slope = self._lines[class_id]
        return float(max(level + slope * foot, 0.5 * LEAST_HEIGHT))

    def supports(self, class_id: int) -> dict[int, float]:
        """Returns class of the backdrop -> in which share of the bank's objects of a class it is just below them.

        At most `SUPPORTS_SEEN` of the class's `models` are looked at, evenly spread; those below which no stuff begins
        (another thing, void) do not count.
        """
        if class_id not in self._supports:
            models = self.models(class_id)
            step = max(1, len(models) // SUPPORTS_SEEN)
            below = [self._below(place) for place in models[::step][:SUPPORTS_SEEN]]
            told = [c for c in below if c is not None]
            self._supports[class_id] = {c: told.count(c) / len(told) for c in sorted(set(told))}
        return self._supports[class_id]

    def _below(self, place: Place) -> int | None:
        """The class of stuff just below the middle of an object's lower edge; None: none."""
        x, y = (place.x0 + place.x1) / 2, min(place.y1 + 0.01, 0.999)
        stuff = self.label_set.of_kind("stuff")
        around = [p for p in self.donors[place.donor] if p.class_id in stuff and p.class_id != place.class_id]
        for other in sorted(around, key=lambda p: p.share):
            if other.x0 <= x < other.x1 and other.y0 <= y < other.y1:
                mask = self._mask(other)
                row = int((y - other.y0) / (other.y1 - other.y0) * mask.shape[0])
                column = int((x - other.x0) / (other.x1 - other.x0) * mask.shape[1])
                if mask[min(row, mask.shape[0] - 1), min(column, mask.shape[1] - 1)]:
                    return other.class_id
        return None

    def wholeness(self, place: Place) -> float:
        """Returns how likely a silhouette is a whole object, 0 to 2.

        It is the symmetry (IoU with the mirror image; what others hide in the photo has bites, and these break it),
        and for things the share of the box that is filled, for stuff how much slimmer it is at its foot (trunks).
        """
        if place.id not in self._wholeness:
            mask = self._mask(place)
            mirrored = mask[:, ::-1]
            symmetry = float(np.mean(mask[mask | mirrored] == mirrored[mask | mirrored])) if mask.any() else 0.0
            widths: np.ndarray = mask.sum(axis=1)
            slim = 1 - float(np.mean(widths[-max(1, len(widths) // 8) :])) / max(int(np.max(widths)), 1)
            stuff = place.class_id in self.label_set.of_kind("stuff")
            self._wholeness[place.id] = symmetry + (slim if stuff else float(mask.mean()))
        return self._wholeness[place.id]

    def _mask(self, place: Place) -> np.ndarray:
        """The silhouette at the resolution that the bank has it in."""
        if place.id not in self._masks:
            read = self.mask_of
            mask = self._made_up(place, (48, 48)) if read is None else read(place.id)
            self._masks[place.id] = np.asarray(mask, bool)
        return self._masks[place.id]

    def _made_up(self, place: Place, size: tuple[int, int]) -> np.ndarray:
        key = f"{place.donor}/{place.id}"
        whole_width = place.x1 - place.x0 >= 0.98
        return made_up(self.label_set.by_id[place.class_id], key, size, whole_width=whole_width)

    def shape(self, place: Place, size: tuple[int, int]) -> np.ndarray:
        """Returns the silhouette of a segment, bool (height, width): the bank's, else one made up from its kind.

        Args:
            place: whose.
            size: (width, height) in pixels.
        """
        width, height = size
        if self.mask_of is None:
            return self._made_up(place, size)
        mask = self._mask(place)
        if mask.shape == (height, width):
            return mask
        smooth = np.asarray(Image.fromarray(mask.astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)) >= 128
        return smooth if smooth.any() else np.ones((height, width), bool)


def _place(record: SegmentRecord, total: int) -> Place:
    x0, y0, x1, y1 = record.box
    width, height = record.photo_size
    aspect = (x1 - x0) / max(y1 - y0, 1)
    share = record.area / max(total, 1)
    return Place(
        record.id, record.class_id, record.donor, x0 / width, y0 / height, x1 / width, y1 / height, aspect, share
    )


def _some(places: tuple[Place, ...], rule: Callable[[Place], bool]) -> tuple[Place, ...]:
    return tuple(p for p in places if rule(p)) or places


def _line(places: tuple[Place, ...]) -> tuple[float, float]:
    """Height against lower edge, (level, slope); the slope is never negative: what is nearer is not smaller."""
    feet, heights = np.array([p.y1 for p in places]), np.array([p.height for p in places])
    if len(places) < 3 or np.ptp(feet) < 0.02:
        return float(np.median(heights)), 0.0
    slope, level = np.polyfit(feet, heights, 1)
    return (float(level), float(slope)) if slope > 0 else (float(np.median(heights)), 0.0)
