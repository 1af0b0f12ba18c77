"""tyro, with errors of one line."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import tyro

from scenebrush.errors import InputError, nearest_name

ArgumentsT = TypeVar("ArgumentsT")


def parse(arguments: type[ArgumentsT], verb: str, argv: Sequence[str]) -> ArgumentsT | None:
    """Returns the verb's arguments, or None after printing its `--help`; a mistake raises `InputError`."""
    if {"-h", "--help"} & set(argv):
        with contextlib.suppress(SystemExit):
            tyro.cli(arguments, prog=f"scenebrush {verb}", args=["--help"])
        return None
    check_flags(argv, flags(arguments), verb)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed), contextlib.redirect_stdout(printed):
            return tyro.cli(arguments, prog=f"scenebrush {verb}", args=list(argv))
    except SystemExit:
        raise InputError(f"{one_line(printed.getvalue())}; see scenebrush {verb} --help") from None


def flags(arguments: Any) -> list[str]:
    """Returns the long flags of an arguments class: `["--labels", "--erase-class", ...]`."""
    assert is_dataclass(arguments)
    return [f"--{field.name.rstrip('_').replace('_', '-')}" for field in fields(arguments)]


def check_flags(argv: Sequence[str], known: Sequence[str], verb: str) -> None:
    """Raises `InputError` with the nearest name for the first flag that the verb has not."""
    for flag in given_flags(argv):
        if flag not in known:
            raise InputError(f"unknown flag {flag!r}{nearest_name(flag, known)}; see scenebrush {verb} --help")


def given_flags(argv: Sequence[str]) -> Iterator[str]:
    """Yields the long flags on a command line in their order, spelt with hyphens, without their values."""
    for token in argv:
        if token.startswith("--") and len(token) > 2:
            yield token.split("=", 1)[0].replace("_", "-")


def one_line(box: str) -> str:
    """Returns the message of the box that tyro prints (title, rule, message, rule, help), on one line."""
    sections = [" ".join(re.sub(r"[│╭╮╰╯─]", " ", part).split()) for part in re.split(r"[─-]{5,}", box)]
    title, message = (sections + ["", ""])[:2]
    if title.startswith("Required"):
        # "Missing from scenebrush edit: -o OUT, --out OUT Where to write. (required) PHOTO The photo. (required)"
        options = message.partition(": ")[2].split("(required)")[:-1]
        return "missing " + ", ".join(_option_name(option.strip()) for option in options)
    # "Error parsing --scale: no type matching {None}|FLOAT could be instantiated from ['big']. Got errors: ..."
    found = re.match(
        r"Error parsing (\S+):.* (could not convert .* float|invalid literal for int.*): ('.*?')$", message
    )
    if found is not None:
        return f"{found[1]} {found[3]} is no {'number' if 'float' in found[2] else 'whole number'}"
    return (message or title).rstrip(".")


def _option_name(option: str) -> str:
    """Returns `"--out"` of `"-o OUT, --out OUT Where to write."`, and `"PHOTO"` of `"PHOTO The photo."`."""
    found = re.match(r"(?:-\w \S+, )?(\S+)", option)
    return found[1] if found else option
