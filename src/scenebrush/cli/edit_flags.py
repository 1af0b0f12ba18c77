"""The short forms of operations on the command line, and the order in which they were given.

Each becomes one entry of an edit script, so that `--erase 12,30` and `{"op": "erase", "at": [12, 30]}` are one thing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from scenebrush.cli.parsing import given_flags
from scenebrush.errors import InputError
from scenebrush.scene.files import MAX_MEGAPIXELS
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.script import ScriptedEdit, parse_script

Entry = dict[str, Any]
POINT = r"(-?\d+),(-?\d+)"


def in_order(argv: Sequence[str], values: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Returns (flag, value) of every repeatable flag in the order of the command line.

    The parser gives the values of each flag in order, but not the order of different flags; argv has it.

    Args:
        argv: the verb's arguments as given.
        values: flag, such as `"--erase"` -> its values.
    """
    left = {flag: list(given) for flag, given in values.items()}
    return [(flag, left[flag].pop(0)) for flag in given_flags(argv) if flag in left]


def erase(text: str) -> Entry:
    """X,Y."""
    return {"op": "erase", "at": _point(_match("--erase", "X,Y", POINT, text))}


def erase_class(text: str) -> Entry:
    """CLASS."""
    return {"op": "erase", "class": text}


def add(text: str) -> Entry:
    """CLASS:MASK[@X,Y]; without a point the mask lies as it is on the photo."""
    found = _match("--add", "CLASS:MASK@X,Y", rf"([^:]+):(.+?)(?:@{POINT})?", text)
    entry: Entry = {"op": "add", "class": found[1], "mask": found[2]}
    return entry if found[3] is None else entry | {"at": [int(found[3]), int(found[4])]}


def move(text: str) -> Entry:
    """X,Y:DX,DY[:SCALE]."""
    found = _match("--move", "X,Y:DX,DY or X,Y:DX,DY:SCALE", rf"{POINT}:{POINT}(?::([\d.]+))?", text)
    entry: Entry = {"op": "move", "at": _point(found), "by": [int(found[3]), int(found[4])]}
    return entry if found[5] is None else entry | {"scale": _number("--move", found[5])}


def relabel(text: str) -> Entry:
    """X,Y:CLASS."""
    found = _match("--relabel", "X,Y:CLASS", rf"{POINT}:(.+)", text)
    return {"op": "relabel", "at": _point(found), "to": found[3]}


FLAGS: dict[str, Callable[[str], Entry]] = {
    "--erase": erase,
    "--erase-class": erase_class,
    "--add": add,
    "--move": move,
    "--relabel": relabel,
}
"""Flag -> what makes a script entry of its value."""


def edit_of_flag(
    flag: str, value: str, label_set: LabelSet, *, max_megapixels: float | None = MAX_MEGAPIXELS
) -> ScriptedEdit:
    """Returns the edit of one flag and its value; its errors name the flag. Larger masks are refused."""
    entry = FLAGS[flag](value)
    try:
        (edit,) = parse_script([entry], label_set, name=flag, max_megapixels=max_megapixels)
    except InputError as error:
        raise type(error)(str(error).replace("edits[0]: ", "").replace("edits[0].", "")) from error
    return replace(edit, place=flag)


def _match(flag: str, form: str, pattern: str, text: str) -> re.Match[str]:
    found = re.fullmatch(pattern, text)
    if found is None:
        raise InputError(f"{flag} {text!r} is not of the form {form} (whole pixels, no spaces)")
    return found


def _point(found: re.Match[str]) -> list[int]:
    return [int(found[1]), int(found[2])]


def _number(flag: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"{flag}: scale {text!r} is no number; write for instance 1.5") from None
