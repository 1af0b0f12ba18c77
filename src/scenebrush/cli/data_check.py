"""scenebrush data check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

from scenebrush.cli.console import progress, say, say_json
from scenebrush.data.check import CheckReport, check_folder
from scenebrush.errors import InputError
from scenebrush.scene import MAX_MEGAPIXELS


@dataclass
class Arguments:
    """Find every bad file of a scene folder: what is wrong, in how many pixels, and how to mend it.

    Exits with 2 if a scene cannot be used.

    Example: scenebrush data check camvid
    """

    folder: Annotated[Positional[Path], arg(metavar="FOLDER")]
    """The scene folder: classes.json, <split>/images, <split>/labels."""
    max_megapixels: Annotated[float, arg(metavar="N")] = MAX_MEGAPIXELS
    """Larger pictures are errors."""
    json: Annotated[bool, FlagCreatePairsOff] = False
    """Print JSON for a program to read."""


def run(arguments: Arguments, argv: Sequence[str]) -> None:
    """Prints every finding, then a line that sums up."""
    with progress("checking") as share:
        report = check_folder(
            arguments.folder,
            max_megapixels=arguments.max_megapixels,
            report=lambda done, total: share(done / total),
        )
    if arguments.json:
        say_json(report.to_json())
    else:
        for finding in report.findings:
            say(f"{finding.severity}: {finding}")
    if not report.ok:
        raise InputError(f"{report.path}: {len(report.errors)} faults keep scenes from being used; mend what is listed")
    if not arguments.json:
        say(_summary(report))


def _summary(report: CheckReport) -> str:
    scenes = ", ".join(f"{count} {split}" for split, count in report.scenes.items())
    warnings = len(report.warnings)
    return f"{report.path}: {sum(report.scenes.values())} scenes ({scenes}) can be used; {warnings} warnings"
