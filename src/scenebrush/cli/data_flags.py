"""Flags that the data verbs share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

from scenebrush.cli.console import progress
from scenebrush.scene import MAX_MEGAPIXELS


@dataclass(kw_only=True)
class DataArguments:
    """What every verb on data takes."""

    max_megapixels: Annotated[float, arg(metavar="N")] = MAX_MEGAPIXELS
    """Larger pictures are errors."""
    json: Annotated[bool, FlagCreatePairsOff] = False
    """Print JSON for a program to read."""


@dataclass(kw_only=True)
class FolderArguments(DataArguments):
    """What every verb on a scene folder takes."""

    folder: Annotated[Positional[Path], arg(metavar="FOLDER")]
    """The scene folder: classes.json, <split>/images, <split>/labels."""


@contextmanager
def counted(description: str) -> Iterator[Callable[[int, int], None]]:
    """Gives a function that is told (done, in all) and moves a progress bar."""
    with progress(description) as share:
        yield lambda done, total: share(done / max(1, total))
