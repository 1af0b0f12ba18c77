"""scenebrush data stats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from scenebrush.cli.console import say, say_json, table
from scenebrush.cli.data_flags import FolderArguments, counted
from scenebrush.data.plot import write_stats_plot
from scenebrush.data.stats import folder_stats


@dataclass(kw_only=True)
class Arguments(FolderArguments):
    """Count the classes and objects of a scene folder.

    Example: scenebrush data stats camvid --plot camvid.png
    """

    plot: Annotated[Path | None, arg(metavar="FILE.png")] = None
    """Draw shares, splits, sizes and instances too (needs matplotlib: pip install 'scenebrush[plot]')."""


def run(arguments: Arguments, argv: Sequence[str]) -> None:
    """Prints a table of the splits and one of the classes."""
    with counted("counting") as report_progress:
        stats = folder_stats(arguments.folder, max_megapixels=arguments.max_megapixels, report=report_progress)
    if arguments.plot is not None:
        write_stats_plot(arguments.plot, stats)
    if arguments.json:
        say_json(stats.to_json())
        return
    say(table(*stats.split_rows()))
    say("")
    say(table(*stats.class_rows()))
