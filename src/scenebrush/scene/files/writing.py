"""Writing files whole or not at all: beside the place, then renamed."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from scenebrush.errors import InputError


def write_whole(path: str | Path, write: Callable[[BinaryIO], None]) -> Path:
    """Calls `write` with a new file beside `path`, then renames it to `path`; returns `path`.

    Whoever looks at `path` sees the old file or the whole new one, never a part; after a fault the old one stays.

    Raises:
        InputError: the folder is missing or may not be written to, or the disk is full.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with beside.open("xb") as file:
            write(file)
        beside.replace(path)
    except OSError as error:
        if not path.parent.is_dir():
            raise InputError(f"{path} cannot be written: the folder {path.parent} does not exist; make it") from error
        raise InputError(f"{path} cannot be written ({error}); choose another place") from error
    finally:
        beside.unlink(missing_ok=True)
    return path


def write_text(path: str | Path, text: str) -> Path:
    """Writes a text file (UTF-8) whole or not at all; returns its path."""

    def save(file: BinaryIO) -> None:
        file.write(text.encode())

    return write_whole(path, save)
