"""scenebrush bank stats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import FlagCreatePairsOff, Positional, arg

from scenebrush.cli.console import say, say_json, table
from scenebrush.errors import InputError
from scenebrush.methods.sims.bank import Bank


@dataclass
class Arguments:
    """Count what a memory bank holds, and name what is damaged. Exits with 2 where something is.

    Example: scenebrush bank stats camvid-bank --check
    """

    bank: Annotated[Positional[Path], arg(metavar="BANK")]
    """The bank's folder."""
    check: Annotated[FlagCreatePairsOff[bool], arg()] = False
    """Read everything, and compare its checksums."""
    json: Annotated[bool, FlagCreatePairsOff] = False
    """Print JSON for a program to read."""


def run(arguments: Arguments, argv: Sequence[str]) -> None:
    """Prints a table of the classes."""
    with Bank.open(arguments.bank) as bank:
        damage = bank.check(pixels=arguments.check)
        names = {class_id: bank.label_set.by_id[class_id].name for class_id in bank.classes()}
        rows = [(names[one], bank.count(one), bank.bytes_of(one)) for one in bank.classes()]
        donors, size = len(bank.donors()), bank.size_in_bytes()
        if arguments.json:
            say_json(
                {
                    "bank": str(arguments.bank),
                    "label_set": bank.label_set.name,
                    "match_size": bank.match_size,
                    "segments": len(bank),
                    "donors": donors,
                    "bytes": size,
                    "classes": {name: {"segments": count, "bytes": own} for name, count, own in rows},
                    "damage": damage,
                }
            )
        else:
            height, width = bank.match_size
            say(
                f"{len(bank):,} segments of {donors} photos, {size / 1e6:.1f} MB, classes of {bank.label_set.name},"
                f" compared at {width}x{height}"
            )
            say(table(["class", "segments", "MB"], [[name, f"{n:,}", f"{own / 1e6:.1f}"] for name, n, own in rows]))
            for line in damage:
                say(f"damaged: {line}")
    if damage:
        raise InputError(
            f"{arguments.bank} is damaged in {len(damage)} place{'s' * (len(damage) > 1)}; the rest of it is served"
        )
