"""scenebrush data check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scenebrush.cli.console import say, say_json
from scenebrush.cli.data_flags import FolderArguments, counted
from scenebrush.data.check import CheckReport, check_folder
from scenebrush.errors import InputError


@dataclass(kw_only=True)
class Arguments(FolderArguments):
    """Find every bad file of a scene folder: what is wrong, in how many pixels, and how to mend it.

    Exits with 2 if a scene cannot be used.

    Example: scenebrush data check camvid
    """


def run(arguments: Arguments, argv: Sequence[str]) -> None:
    """Prints every finding, then a line that sums up."""
    with counted("checking") as report_progress:
        report = check_folder(arguments.folder, max_megapixels=arguments.max_megapixels, report=report_progress)
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
