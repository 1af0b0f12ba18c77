"""scenebrush data stats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

from scenebrush.cli.console import progress, say, say_json, table
from scenebrush.data.stats import folder_stats
from scenebrush.scene import MAX_MEGAPIXELS


@dataclass
class Arguments:
    """Count the classes and objects of a scene folder.

    Example: scenebrush data stats camvid
    """

    folder: Annotated[Positional[Path], arg(metavar="FOLDER")]
    """The scene folder: classes.json, <split>/images, <split>/labels."""
    max_megapixels: Annotated[float, arg(metavar="N")] = MAX_MEGAPIXELS
    """The largest picture to open."""
    json: Annotated[bool, FlagCreatePairsOff] = False
    """Print JSON for a program to read."""


def run(arguments: Arguments, argv: Sequence[str]) -> None:
    """Prints a table of the splits and one of the classes."""
    with progress("counting") as share:
        stats = folder_stats(
            arguments.folder,
            max_megapixels=arguments.max_megapixels,
            report=lambda done, total: share(done / total),
        )
    if arguments.json:
        say_json(stats.to_json())
        return
    say(table(*stats.split_rows()))
    say("")
    say(table(*stats.class_rows()))
