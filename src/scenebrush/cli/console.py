"""What verbs print: progress for people, JSON for programs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def progress(description: str) -> Iterator[Callable[[float], None]]:
    """Gives a function that is told the share done, 0 to 1; it draws a bar where stderr is a terminal, else nothing."""
    if not stderr_is_terminal():
        yield lambda share: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(description, total=1.0)
        yield lambda share: bar.update(task, completed=share)


def stderr_is_terminal() -> bool:
    """Returns whether somebody watches; where not, no bar is drawn."""
    return sys.stderr.isatty()


def say(text: str) -> None:
    """Prints one line for people."""
    print(text)


def warn(text: str) -> None:
    """Prints one line beside the results: what a result should be read with."""
    print(text, file=sys.stderr)


def say_json(data: Any) -> None:
    """Prints one JSON document for programs."""
    print(json.dumps(data, indent=2, ensure_ascii=False))


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Returns rows of text in columns, numbers to the right."""
    cells = [list(headings), *map(list, rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(headings))]
    numeric = [all(re.fullmatch(r"[\d.,%]*", row[column]) for row in rows) for column in range(len(headings))]
    return "\n".join(
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in cells
    )
