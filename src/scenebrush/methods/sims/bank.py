"""The memory bank: segments of photos, kept on disk and found by what they look like in a layout."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from PIL import Image

from scenebrush.errors import InputError, ModelError
from scenebrush.methods.sims.building import BuildReport, build_bank
from scenebrush.methods.sims.catalogue import Catalogue, SegmentRecord
from scenebrush.methods.sims.invariant import GridSearcher
from scenebrush.methods.sims.matching import LEAST_AREA, MATCH_SIZE, NO_CLASS, Query, labels_of, queries_of, query_of
from scenebrush.methods.sims.retrieval import Searcher
from scenebrush.methods.sims.shards import RUN, Shard
from scenebrush.methods.sims.writing import bank_bytes, shape_crc
from scenebrush.scene.label_set import LabelSet

__all__ = [
    "LEAST_AREA",
    "MATCH_SIZE",
    "Bank",
    "BuildReport",
    "Match",
    "Query",
    "SegmentRecord",
    "StoredSegment",
    "build_bank",
    "queries_of",
    "query_of",
]


@dataclass(frozen=True, eq=False)
class StoredSegment:
    """A segment with its pixels.

    Args:
        record: what the catalogue holds of it.
        color: uint8 (h, w, 3) RGB, the donor's photo within `record.box`; 0 where the mask is not.
        mask: bool (h, w).
    """

    record: SegmentRecord
    color: np.ndarray
    mask: np.ndarray


@dataclass(frozen=True)
class Match:
    """A segment that was found.

    Args:
        record: which.
        score: mask_iou + context_iou, 0 to 2; mask_iou alone where contexts did not count.
        mask_iou, context_iou: 0 to 1; context_iou is 0 where contexts did not count.
    """

    record: SegmentRecord
    score: float
    mask_iou: float
    context_iou: float


class Bank:
    """A memory bank, for reading. `open` is the way in.

    It shows what was recorded when it was opened, while another process adds to it; `refresh` shows what has come.
    What is damaged is named in `damage` and passed over. Threads may share it.

    Args:
        path: its folder.
        catalogue: its catalogue.
    """

    def __init__(self, path: Path, catalogue: Catalogue) -> None:
        self.path, self._catalogue = path, catalogue
        self.label_set: LabelSet = catalogue.label_set
        self.match_size: tuple[int, int] = catalogue.match_size
        self.damage: list[str] = []
        """What was found to be damaged so far, a line each."""
        self.refresh()

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Returns the bank in a folder, in constant time; `InputError` if there is none."""
        return cls(Path(path), Catalogue.open(Path(path)))

    def refresh(self) -> None:
        """Shows what has been added since."""
        self._lengths = self._catalogue.lengths()
        self._shards = dict[int, Shard]()
        self._usable = dict[int, int]()
        self._searchers = dict[int, Searcher]()
        self._grids = dict[int, GridSearcher]()
        self._sound, self._damaged = set[int](), dict[int, set[int]]()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the catalogue."""
        self._catalogue.close()

    def __len__(self) -> int:
        return sum(lengths.count for lengths in self._lengths.values())

    def count(self, class_id: int) -> int:
        """Returns how many segments of a class there are."""
        return self._lengths[class_id].count if class_id in self._lengths else 0

    def classes(self) -> list[int]:
        """Returns the ids of the classes that there are segments of, in the label set's order."""
        return [class_id for class_id in self.label_set.ids if self.count(class_id)]

    def donors(self) -> list[str]:
        """Returns the names, `split/stem`, of all scenes, in the order in which they came."""
        return [name for _, name, _ in self._catalogue.donors()]

    def bytes_of(self, class_id: int) -> int:
        """Returns how much room a class takes on the disk, without its rows in the catalogue."""
        return sum(self._lengths[class_id].in_bytes(self.label_set).values()) if self.count(class_id) else 0

    def size_in_bytes(self) -> int:
        """Returns how much room the bank takes on the disk."""
        return bank_bytes(self.path)

    def records(self, class_id: int | None = None) -> Iterator[SegmentRecord]:
        """Yields what the catalogue holds of all segments, or of a class, by class and id."""
        for one in self.classes() if class_id is None else [class_id]:
            yield from self._catalogue.records(one, self.count(one))

    def of_donor(self, name: str) -> list[SegmentRecord]:
        """Returns what the catalogue holds of the segments of a scene, `split/stem`, by id; empty if there is none."""
        return [r for r in self._catalogue.of_donor(name) if r.place.ordinal < self.count(r.class_id)]

    def record(self, identity: int) -> SegmentRecord:
        """Returns what the catalogue holds of a segment; `InputError` if there is none of this id."""
        record = self._catalogue.by_id([identity]).get(identity)
        if record is None or record.place.ordinal >= self.count(record.class_id):
            raise InputError(f"{self.path} has no segment {identity}; it has {len(self)}")
        return record

    def read(self, identity: int) -> StoredSegment:
        """Returns a segment with its pixels; `InputError` where they are damaged, or it has none."""
        record = self.record(identity)
        if not record.place.color_length:
            raise InputError(f"segment {identity} of {self.path} has no colour; build the bank with photos")
        data = self._color(record)
        if not self._is_sound(record):
            raise InputError(f"segment {identity} of {self.path} is damaged ({self.damage[-1]}); use another one")
        with Image.open(io.BytesIO(data)) as image:
            pixels = np.asarray(image)
        return StoredSegment(record, np.ascontiguousarray(pixels[..., :3]), pixels[..., 3] > 0)

    def shape(self, identity: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns a segment at match resolution.

        Returns:
            its mask, bool (h, w) within `match_box`, and its context, int32 class ids (h, w) within `context_box`,
            -1 where nothing is labelled.
        """
        record = self.record(identity)
        place, runs = record.place, self._shard(record.class_id).runs
        if not self._is_sound(record):
            raise InputError(f"segment {identity} of {self.path} is damaged ({self.damage[-1]}); use another one")
        own = runs[place.run_at : place.run_at + place.mask_runs + place.context_runs].view("<u2").reshape(-1, 4)
        mask = labels_of(own[: place.mask_runs], record.match_box) != NO_CLASS
        return mask, labels_of(own[place.mask_runs :], record.context_box)

    def find(
        self,
        query: Query,
        k: int = 10,
        *,
        context: bool = True,
        invariant: bool = False,
        exclude_donors: Iterable[str] = frozenset(),
    ) -> list[Match]:
        """Returns the k best segments of the query's class, exactly; best first, equal ones by id.

        Fewer than k where there are fewer; none where the bank has no segment of the class. Each one returned was
        checked (CRC-32 of its shape and its colour), so that it can be read.

        Args:
            query: by `queries_of` or `query_of`, at this bank's `match_size`.
            k: how many.
            context: whether the IoU of contexts counts (paper), or that of masks alone (released code).
            invariant: whether boxes are compared wherever they are and however large (`invariant`).
            exclude_donors: `split/stem` of scenes whose segments are left out.

        Raises:
            InputError: an empty bank, or k < 1.
            ModelError: a query with other classes, or of another match size.
        """
        self._check(query, k)
        class_id = query.shape.class_id
        if not self._usable_of(class_id) or not query.shape.area:
            return []
        donors = self._catalogue.donor_numbers(exclude_donors)
        searcher = self._searcher(class_id)
        while True:
            allowed = searcher.allowed(donors, self._damaged.get(class_id, set()))
            if invariant:
                found = self._grid_searcher(class_id).find(query, k, context=context, allowed=allowed)
            else:
                found = searcher.find(query, k, context=context, allowed=allowed)
            records = self._catalogue.by_place(class_id, found.ordinals.tolist())
            damaged = [record for record in records if not self._is_sound(record)]
            if not damaged:
                break  # else they are known now, and left out
        scores = zip(records, found.totals.tolist(), found.masks.tolist(), found.contexts.tolist(), strict=True)
        return [Match(*one) for one in scores]

    def check(self, *, pixels: bool = True) -> list[str]:
        """Returns `damage` after a look at every file's length and, with `pixels`, at every segment's checksums."""
        for class_id in self.classes():
            usable = self._usable_of(class_id)
            for record in self._catalogue.records(class_id, usable if pixels else 0):
                self._is_sound(record)
        return self.damage

    def _check(self, query: Query, k: int) -> None:
        if k < 1:
            raise InputError(f"k = {k} is no number of segments; give 1 or more")
        if not len(self):
            raise InputError(f"{self.path} is empty; fill it with scenebrush bank build FOLDER -o {self.path}")
        own, others = ([(c.id, c.name) for c in label_set.classes] for label_set in (self.label_set, query.label_set))
        if own != others:
            raise ModelError(
                f"the layout has the classes of {query.label_set.name!r}, {self.path} those of"
                f" {self.label_set.name!r}; give a layout with these, or another bank"
            )
        if query.match_size != self.match_size:
            raise ModelError(
                f"the query is at match size {query.match_size}, {self.path} at {self.match_size};"
                " make it with queries_of(layout, bank.match_size)"
            )

    def _shard(self, class_id: int) -> Shard:
        if class_id not in self._shards:
            shard = Shard(self.path, self.label_set.by_id[class_id], self.label_set, self._lengths[class_id])
            self._shards[class_id] = shard
            self.damage += [line for line in shard.damage if line not in self.damage]
        return self._shards[class_id]

    def _usable_of(self, class_id: int) -> int:
        """Returns how many segments of a class have all their parts there; the first ones, where files are cut off."""
        if not self.count(class_id):
            return 0
        if class_id not in self._usable:
            shard, usable = self._shard(class_id), self.count(class_id)
            if shard.damage:
                usable = min(len(shard.boxes), len(shard.cells), len(shard.grids))
                color, runs = shard.available["segments"], shard.available["shapes"] // RUN.itemsize
                beyond = self._catalogue.first_beyond(class_id, color=color, runs=runs)
                usable = usable if beyond is None else min(usable, beyond)
            self._usable[class_id] = usable
        return self._usable[class_id]

    def _searcher(self, class_id: int) -> Searcher:
        if class_id not in self._searchers:
            self._searchers[class_id] = Searcher(self._shard(class_id), self._usable_of(class_id))
        return self._searchers[class_id]

    def _grid_searcher(self, class_id: int) -> GridSearcher:
        if class_id not in self._grids:
            self._grids[class_id] = GridSearcher(self._shard(class_id), self._usable_of(class_id))
        return self._grids[class_id]

    def _color(self, record: SegmentRecord) -> bytes:
        place = record.place
        data: bytes = (
            self._shard(record.class_id).colours[place.color_at : place.color_at + place.color_length].tobytes()
        )
        return data

    def _is_sound(self, record: SegmentRecord) -> bool:
        """Returns whether a segment is as it was written; a damaged one is named, and not found again."""
        if record.id in self._sound:
            return True
        place, shard = record.place, self._shard(record.class_id)
        if place.ordinal >= self._usable_of(record.class_id):
            return False
        runs = shard.runs[place.run_at : place.run_at + place.mask_runs + place.context_runs]
        fixed = [part[place.ordinal].tobytes() for part in (shard.boxes, shard.cells, shard.grids)]
        wrong = []
        if shape_crc(runs.tobytes(), *fixed) != place.shape_crc:
            wrong.append(f"{shard.paths['shapes']} or its index in {shard.paths['boxes'].parent}")
        if zlib.crc32(self._color(record)) != place.color_crc:
            wrong.append(str(shard.paths["segments"]))
        if not wrong:
            self._sound.add(record.id)
            return True
        self._damaged.setdefault(record.class_id, set()).add(place.ordinal)
        line = f"{' and '.join(wrong)}: segment {record.id} of {record.donor} is damaged and skipped"
        if line not in self.damage:
            self.damage.append(line)
        return False
