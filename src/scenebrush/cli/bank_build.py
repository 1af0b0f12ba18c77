"""scenebrush bank build."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import UseAppendAction, arg

from scenebrush.cli.console import say, say_json
from scenebrush.cli.data_flags import FolderArguments, counted
from scenebrush.methods.sims.bank import build_bank


@dataclass(kw_only=True)
class Arguments(FolderArguments):
    """Cut the photos of a scene folder into segments, and keep them in a memory bank.

    A stopped build goes on where it was; a second one puts in what is new, of this folder or another with the same
    classes. The bank holds the photos' own pixels: mind their licence.

    Example: scenebrush bank build camvid -o camvid-bank
    """

    out: Annotated[Path, arg(aliases=("-o",), metavar="BANK")]
    """The bank's folder."""
    split: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="S")] = ()
    """A split to put in; may be given several times. Without: train."""
    workers: Annotated[int | None, arg(metavar="N")] = None
    """How many processes cut. Without: as many as there are cores."""


def run(arguments: Arguments, argv: Sequence[str]) -> None:
    """Builds, and says what has been put in."""
    with counted("cutting") as report_progress:
        report = build_bank(
            arguments.folder,
            arguments.out,
            splits=tuple(dict.fromkeys(arguments.split)) or ("train",),
            workers=arguments.workers,
            report=report_progress,
            max_megapixels=arguments.max_megapixels,
        )
    if arguments.json:
        say_json({"bank": str(arguments.out), **vars(report)})
        return
    size = f"{arguments.out} has {report.total:,} segments, {report.bytes / 1e6:.1f} MB"
    if not report.photos:
        say(f"nothing new: all {report.known} photos are in the bank; {size}")
        return
    known = f" ({report.known} were there already)" if report.known else ""
    say(f"{report.segments:,} segments of {report.photos} photos{known} in {report.seconds:.1f} s; {size}")
