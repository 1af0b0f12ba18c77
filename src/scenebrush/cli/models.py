"""scenebrush models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from tyro.conf import FlagCreatePairsOff

from scenebrush.cli.console import say, say_json
from scenebrush.methods import list_models


@dataclass
class Arguments:
    """List the models that are here, each with the label set it knows. A model folder's README.md is its card.

    Example: scenebrush models
    """

    json: Annotated[bool, FlagCreatePairsOff] = False
    """Print JSON for a program to read."""


def run(arguments: Arguments, argv: Sequence[str]) -> None:
    """Prints one line per model."""
    cards = list_models()
    if arguments.json:
        say_json(
            [
                {
                    "name": c.name,
                    "method": c.method,
                    "label_set": c.label_set,
                    "summary": c.summary,
                    "path": c.path and str(c.path),
                }
                for c in cards
            ]
        )
        return
    sets = [card.label_set or "any label set" for card in cards]
    wide = max(len(card.name) for card in cards), max(map(len, sets))
    for card, label_set in zip(cards, sets, strict=True):
        say(f"{card.name:<{wide[0]}}  {label_set:<{wide[1]}}  {card.summary}".rstrip())
