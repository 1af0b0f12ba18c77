"""scenebrush bank build."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, UseAppendAction, arg

from scenebrush.cli.console import say, say_json
from scenebrush.cli.data_flags import DataArguments, counted
from scenebrush.data.toy.folder import write_toy_folder
from scenebrush.errors import InputError
from scenebrush.methods.sims.bank import build_bank

_TOY_SIZE = 480, 360


@dataclass(kw_only=True)
class Arguments(DataArguments):
    """Cut the photos of a scene folder into segments, and keep them in a memory bank.

    A stopped build goes on where it was; a second one puts in what is new, of this folder or another with the same
    classes. The bank holds the photos' own pixels: mind their licence.

    Without photos at hand, --toy 60 puts in 60 made-up streets, in camvid's classes.

    Example: scenebrush bank build camvid -o camvid-bank
    """

    folder: Annotated[Positional[Path | None], arg(metavar="FOLDER")] = None
    """The scene folder."""
    toy: Annotated[int | None, arg(metavar="N")] = None
    """Put in N streets of the toy world instead."""
    out: Annotated[Path, arg(aliases=("-o",), metavar="BANK")]
    """The bank's folder."""
    split: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="S")] = ()
    """A split to put in; may be given several times. Without: train."""
    workers: Annotated[int | None, arg(metavar="N")] = None
    """How many processes cut. Without: as many as there are cores."""


def run(arguments: Arguments, argv: Sequence[str]) -> None:
    """Builds, and says what has been put in."""
    with scenes(arguments) as folder, counted("cutting") as report_progress:
        report = build_bank(
            folder,
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


@contextmanager
def scenes(arguments: Arguments) -> Iterator[Path]:
    """Gives the scene folder asked for, that of the toy world for as long as it is needed."""
    if (arguments.folder is None) == (arguments.toy is None):
        raise InputError("give one of FOLDER, a scene folder, and --toy N, so many made-up streets")
    if arguments.folder is not None:
        yield arguments.folder
        return
    if arguments.split:
        raise InputError(f"--split {arguments.split[0]}: made-up streets have no splits; leave it out")
    assert arguments.toy is not None
    with tempfile.TemporaryDirectory() as made:
        yield write_toy_folder(made, arguments.toy, size=_TOY_SIZE)
