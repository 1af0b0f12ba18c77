"""scenebrush demo."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, arg

from scenebrush.cli.console import progress, say, say_json
from scenebrush.demo import CAPTIONS, make_demo


@dataclass
class Arguments:
    """Edit a real photograph: erase a tree, add a pavilion, widen an island.

    Writes the photo before and after each edit with its maps, before-after.png, and sheet.png with all of them.

    Example: scenebrush demo --out pictures
    """

    out: Annotated[Path, arg(metavar="DIR", aliases=("-o",))] = Path("scenebrush-demo")
    """The folder to write to; it is made if it is not there."""
    model: Annotated[str, arg(metavar="MODEL")] = "canvas"
    """Who makes the pixels."""
    json: Annotated[bool, FlagCreatePairsOff] = False
    """Print JSON for a program to read."""


def run(arguments: Arguments, argv: Sequence[str]) -> None:
    """Makes the pictures and says where they are."""
    started = time.perf_counter()
    with progress("editing") as report:
        written = make_demo(arguments.out, arguments.model, lambda done, total: report(done / total))
    seconds = round(time.perf_counter() - started, 1)
    if arguments.json:
        say_json({"written": [str(path) for path in written], "edits": len(CAPTIONS), "seconds": seconds})
        return
    say(f"{len(CAPTIONS)} edits in {seconds} s; look at {arguments.out / 'sheet.png'}")
