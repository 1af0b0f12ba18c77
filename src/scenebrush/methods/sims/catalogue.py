"""The catalogue of a bank: what is where, in SQLite."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from scenebrush.errors import InputError, LabelError
from scenebrush.methods.sims.segments import Box
from scenebrush.methods.sims.shards import Lengths
from scenebrush.scene.label_set import LabelClass, LabelSet

FORMAT = 1
FILE = "catalogue.sqlite"

_TABLES = """
CREATE TABLE donors (id INTEGER PRIMARY KEY, name TEXT, digest TEXT UNIQUE, width INTEGER, height INTEGER);
CREATE TABLE segments (id INTEGER PRIMARY KEY, class_id INTEGER, ordinal INTEGER, donor INTEGER,
  x0 INTEGER, y0 INTEGER, x1 INTEGER, y1 INTEGER, instance INTEGER,
  mx0 INTEGER, my0 INTEGER, mx1 INTEGER, my1 INTEGER, cx0 INTEGER, cy0 INTEGER, cx1 INTEGER, cy1 INTEGER,
  area INTEGER, color_at INTEGER, color_length INTEGER, color_crc INTEGER,
  run_at INTEGER, mask_runs INTEGER, context_runs INTEGER, shape_crc INTEGER);
CREATE UNIQUE INDEX place ON segments (class_id, ordinal);
CREATE TABLE shards (class_id INTEGER PRIMARY KEY, count INTEGER, color INTEGER, runs INTEGER);
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT);
"""
_COLUMNS = """segments.id, class_id, name, x0, y0, x1, y1, width, height, mx0, my0, mx1, my1, cx0, cy0, cx1, cy1,
  area, instance, ordinal, color_at, color_length, color_crc, run_at, mask_runs, context_runs, shape_crc"""
_FROM = f"SELECT {_COLUMNS} FROM segments JOIN donors ON donors.id = segments.donor"
_MOST_IN_ONE = 500


@dataclass(frozen=True)
class Place:
    """Where the parts of a segment lie in its class's shards, and their CRC-32."""

    ordinal: int
    color_at: int
    color_length: int
    color_crc: int
    run_at: int
    mask_runs: int
    context_runs: int
    shape_crc: int


@dataclass(frozen=True)
class SegmentRecord:
    """What the catalogue holds of a segment.

    Args:
        id: its number in the bank, from 1; older ones have lower numbers.
        class_id: its class.
        donor: the scene that it was cut from, `split/stem`.
        box: (x0, y0, x1, y1) in the donor's photo.
        photo_size: (W, H) of that photo.
        match_box: the box of its mask at match resolution.
        context_box: the enlarged box there.
        area: pixels of its mask at match resolution.
        instance: its number in the donor's instance map; 0 = a connected component.
        place: where its parts lie.
    """

    id: int
    class_id: int
    donor: str
    box: Box
    photo_size: tuple[int, int]
    match_box: Box
    context_box: Box
    area: int
    instance: int
    place: Place = field(repr=False)


class Catalogue:
    """One connection to a catalogue; threads may share it.

    `open` and `create` are the ways in.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path, self._connection = path, connection
        self._lock = threading.Lock()
        meta = dict(connection.execute("SELECT key, value FROM meta"))
        if int(meta["format"]) != FORMAT:
            raise InputError(f"{path} has format {meta['format']}, this scenebrush reads {FORMAT}; build the bank anew")
        self.label_set = _label_set(json.loads(meta["label_set"]))
        height, width = json.loads(meta["match_size"])
        self.match_size: tuple[int, int] = (height, width)
        self.least_area = int(meta["least_area"])

    @classmethod
    def open(cls, bank: Path, *, writing: bool = False) -> Self:
        """Returns the catalogue of a bank; `InputError` if the folder holds none."""
        path = bank / FILE
        if not path.is_file():
            what = "is no memory bank" if bank.exists() else "does not exist"
            raise InputError(f"{bank} {what}; make one with scenebrush bank build FOLDER -o {bank}")
        modes = ["mode=rw"] if writing else ["mode=rw", "mode=ro", "immutable=1"]  # the last: on a read-only disk
        fault: Exception | None = None
        for mode in modes:
            connection = None
            try:
                connection = _connect(f"{path.resolve().as_uri()}?{mode}")
                return cls(path, connection)
            except (sqlite3.Error, KeyError, ValueError, TypeError) as error:
                fault = fault or error
                if connection is not None:
                    connection.close()
        raise InputError(f"{path} cannot be read as a bank's catalogue ({fault}); build the bank anew") from fault

    @classmethod
    def create(cls, bank: Path, label_set: LabelSet, match_size: tuple[int, int], least_area: int) -> Self:
        """Returns the catalogue of a new bank, in one transaction."""
        connection = _connect((bank / FILE).resolve().as_uri() + "?mode=rwc")
        connection.execute("PRAGMA journal_mode=WAL")
        meta = {
            "format": str(FORMAT),
            "label_set": label_set.to_json(),
            "match_size": json.dumps(match_size),
            "least_area": str(least_area),
        }
        connection.execute("BEGIN IMMEDIATE")
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        connection.executemany("INSERT INTO meta VALUES (?, ?)", meta.items())
        connection.execute("COMMIT")
        return cls(bank / FILE, connection)

    @staticmethod
    def is_in(bank: Path) -> bool:
        """Returns whether a whole catalogue is there: one whose creation was cut off is none."""
        path = bank / FILE
        if not path.is_file():
            return False
        connection = _connect(path.resolve().as_uri() + "?mode=rw")
        try:
            return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchall())
        except sqlite3.DatabaseError:
            return True  # something else: opening says what is wrong
        finally:
            connection.close()

    def lengths(self) -> dict[int, Lengths]:
        """Returns {class id: recorded lengths}: one snapshot."""
        rows = self._rows("SELECT class_id, count, color, runs FROM shards ORDER BY class_id")
        return {class_id: Lengths(count, color, runs) for class_id, count, color, runs in rows}

    def donors(self) -> list[tuple[int, str, str]]:
        """Returns (number, `split/stem`, digest) of every donor."""
        return self._rows("SELECT id, name, digest FROM donors ORDER BY id")

    def donor_numbers(self, names: Iterable[str]) -> list[int]:
        """Returns the numbers of all donors of these names."""
        found = list[int]()
        for some in _portions(sorted(names)):
            found += [n for (n,) in self._rows(f"SELECT id FROM donors WHERE name IN ({_marks(some)})", some)]
        return found

    def records(self, class_id: int, count: int) -> Iterator[SegmentRecord]:
        """Yields the first `count` segments of a class, in the order of their ids."""
        for start in range(0, count, _MOST_IN_ONE):
            end = min(count, start + _MOST_IN_ONE)
            rows = self._rows(
                f"{_FROM} WHERE class_id = ? AND ordinal >= ? AND ordinal < ? ORDER BY ordinal", (class_id, start, end)
            )
            yield from map(_record, rows)

    def of_donor(self, name: str) -> list[SegmentRecord]:
        """Returns all segments of the donors of a name, by id."""
        found = list[SegmentRecord]()
        for number in self.donor_numbers([name]):
            found += map(_record, self._rows(f"{_FROM} WHERE donor = ? ORDER BY segments.id", [number]))
        return found

    def by_id(self, ids: Sequence[int]) -> dict[int, SegmentRecord]:
        """Returns {id: segment} of those that there are."""
        found = dict[int, SegmentRecord]()
        for some in _portions(ids):
            rows = self._rows(f"{_FROM} WHERE segments.id IN ({_marks(some)})", some)
            found |= {row[0]: _record(row) for row in rows}
        return found

    def by_place(self, class_id: int, ordinals: Sequence[int]) -> list[SegmentRecord]:
        """Returns the segments of a class at these places, in their order."""
        found = dict[int, SegmentRecord]()
        for some in _portions(ordinals):
            rows = self._rows(f"{_FROM} WHERE class_id = ? AND ordinal IN ({_marks(some)})", [class_id, *some])
            found |= {record.place.ordinal: record for record in map(_record, rows)}
        return [found[ordinal] for ordinal in ordinals]

    def first_beyond(self, class_id: int, *, color: int, runs: int) -> int | None:
        """Returns the first segment of a class that needs more bytes of colour, or runs, than there are."""
        condition = "color_at + color_length > ? OR run_at + mask_runs + context_runs > ?"
        query = f"SELECT MIN(ordinal) FROM segments WHERE class_id = ? AND ({condition})"
        first: int | None = self._rows(query, (class_id, color, runs))[0][0]
        return first

    def last_id(self) -> int:
        """Returns the highest id, 0 where there is none."""
        return int(self._rows("SELECT IFNULL(MAX(id), 0) FROM segments")[0][0])

    def last_donor(self) -> int:
        """Returns the highest number of a donor, 0 where there is none."""
        return int(self._rows("SELECT IFNULL(MAX(id), 0) FROM donors")[0][0])

    def add(
        self, donors: Sequence[Sequence[Any]], segments: Sequence[Sequence[Any]], lengths: dict[int, Lengths]
    ) -> None:
        """Records donors, their segments (rows of the tables) and the new lengths: all or nothing."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                self._connection.executemany("INSERT INTO donors VALUES (?, ?, ?, ?, ?)", donors)
                self._connection.executemany(f"INSERT INTO segments VALUES ({', '.join('?' * 25)})", segments)
                rows = [(class_id, n.count, n.colour, n.runs) for class_id, n in lengths.items()]
                self._connection.executemany("INSERT OR REPLACE INTO shards VALUES (?, ?, ?, ?)", rows)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Closes the connection."""
        with self._lock:
            self._connection.close()

    def _rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._lock:
            return self._connection.execute(query, values).fetchall()


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=30, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection


def _record(row: Sequence[Any]) -> SegmentRecord:
    return SegmentRecord(
        id=row[0],
        class_id=row[1],
        donor=row[2],
        box=(row[3], row[4], row[5], row[6]),
        photo_size=(row[7], row[8]),
        match_box=(row[9], row[10], row[11], row[12]),
        context_box=(row[13], row[14], row[15], row[16]),
        area=row[17],
        instance=row[18],
        place=Place(*row[19:]),
    )


def _portions(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), _MOST_IN_ONE):
        yield values[start : start + _MOST_IN_ONE]


def _marks(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))


def _label_set(data: dict[str, Any]) -> LabelSet:
    try:
        classes = tuple(LabelClass(c["id"], c["name"], tuple(c["color"]), c["kind"]) for c in data["classes"])
        return LabelSet(data["name"], classes, data["ignore_id"])
    except (KeyError, TypeError) as error:
        raise LabelError(f"the bank's label set cannot be read ({error}); build the bank anew") from error
