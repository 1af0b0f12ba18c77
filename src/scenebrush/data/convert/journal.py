"""What was converted already: one line a scene, so that a stopped conversion goes on where it was."""

from __future__ import annotations

import json
import sys
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal, Self

from scenebrush.errors import InputError

NAME = "conversion.jsonl"
State = Literal["new", "done", "source changed", "settings changed", "damaged"]


@dataclass(frozen=True)
class Stamp:
    """What a file is known by: its path below a root, bytes, time of change in ns, and checksum (0: not taken)."""

    path: str
    size: int
    time: int
    crc: int = 0

    @classmethod
    def of(cls, path: Path, root: Path, *, content: bool = False) -> Self:
        """Returns a file's stamp; with `content` its bytes are read for the checksum."""
        found = path.stat()
        name = path.relative_to(root).as_posix()
        return cls(name, found.st_size, found.st_mtime_ns, _crc(path) if content else 0)

    def holds(self, root: Path) -> bool:
        """Returns whether the file is as it was; it is read only where its time has changed."""
        path = root / self.path
        try:
            found = path.stat()
            return found.st_size == self.size and (found.st_mtime_ns == self.time or _crc(path) == self.crc)
        except OSError:
            return False


@dataclass(frozen=True)
class Entry:
    """A scene that was converted.

    Args:
        scene: `<split>/<stem>`.
        settings: the fingerprint of the settings.
        sources: what it was made of.
        files: what was written; nothing where it was left out.
        left_out: why, where it was.
    """

    scene: str
    settings: str
    sources: tuple[Stamp, ...]
    files: tuple[Stamp, ...]
    left_out: str = ""


class Journal:
    """The file `conversion.jsonl` of a scene folder; a conversion holds it alone.

    Raises:
        InputError: the folder holds scenes of another origin, or another conversion is at work in it.
    """

    def __init__(self, folder: Path, format: str) -> None:
        self.path, self.folder = folder / NAME, folder
        if not self.path.is_file() and any(folder.glob("*/images/*")):
            raise InputError(f"{folder} holds scenes that no conversion has made; choose another folder")
        self._file: IO[str] = self.path.open("a", encoding="utf-8")
        try:
            _hold(self._file, folder)
            self.entries = self._read(format)
        except InputError:
            self._file.close()
            raise
        if self._file.tell() == 0:
            self._write({"converted_from": format})
        elif not self.path.read_bytes().endswith(b"\n"):  # killed in the middle of a line
            self._file.write("\n")
        _sweep(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def state(self, scene: str, settings: str, sources: Sequence[Stamp]) -> State:
        """Returns whether a scene has to be converted, and why."""
        entry = self.entries.get(scene)
        if entry is None:
            return "new"
        if entry.sources != tuple(sources):
            return "source changed"
        if entry.settings != settings:
            return "settings changed"
        return "done" if all(stamp.holds(self.folder) for stamp in entry.files) else "damaged"

    def add(self, entry: Entry) -> None:
        """Writes a scene down, and removes what an earlier conversion of it has written under other names."""
        earlier = self.entries.get(entry.scene)
        if earlier is not None:
            for name in {stamp.path for stamp in earlier.files} - {stamp.path for stamp in entry.files}:
                (self.folder / name).unlink(missing_ok=True)
        self.entries[entry.scene] = entry
        self._write(asdict(entry))

    def _write(self, data: dict[str, Any]) -> None:
        self._file.write(json.dumps(data, ensure_ascii=False) + "\n")
        self._file.flush()

    def _read(self, format: str) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.is_file() else []
        for line in lines:
            try:
                data = json.loads(line)
                if "converted_from" in data:
                    self._check_format(data["converted_from"], format)
                    continue
                entry = Entry(
                    data["scene"], data["settings"], _stamps(data["sources"]), _stamps(data["files"]), data["left_out"]
                )
            except (ValueError, KeyError, TypeError):
                continue  # cut short by a kill: that scene is made again
            entries[entry.scene] = entry
        return entries

    def _check_format(self, found: str, format: str) -> None:
        if found != format:
            raise InputError(f"{self.folder} was converted from {found}, not {format}; choose another folder")


def _stamps(data: Iterable[dict[str, Any]]) -> tuple[Stamp, ...]:
    return tuple(Stamp(**stamp) for stamp in data)


def _crc(path: Path) -> int:
    crc = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            crc = zlib.crc32(block, crc)
    return crc


def _hold(file: IO[str], folder: Path) -> None:
    """Locks the journal until it is closed or the process ends, where the system has such locks."""
    if sys.platform == "win32":
        return
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise InputError(f"another conversion is at work in {folder}; wait for it or choose another folder") from error


def _sweep(folder: Path) -> None:
    """Removes what a killed conversion has half written."""
    for path in folder.glob("*/*/.*.part"):
        path.unlink(missing_ok=True)
