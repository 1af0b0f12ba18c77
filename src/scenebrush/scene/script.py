"""Edit scripts: several operations in a JSON file, checked before anything is done."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from scenebrush.errors import InputError, ModelError, ScenebrushError, nearest_name
from scenebrush.scene.edit import Edit
from scenebrush.scene.files import MAX_MEGAPIXELS
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.operations.cutting import Cutter
from scenebrush.scene.scene import Scene
from scenebrush.scene.script_sources import Sources
from scenebrush.scene.script_steps import STEPS, Script, Step


@dataclass(frozen=True)
class ScriptedEdit:
    """One edit of a script: call it with a scene to get the `Edit`; its errors name its place in the script.

    `files` are the pictures and maps that it was made of: masks, other photos, their labels.
    """

    place: str
    step: Step
    run: Callable[[Scene], Edit]
    files: tuple[Path, ...] = ()

    def __call__(self, scene: Scene) -> Edit:
        try:
            return self.run(scene)
        except ScenebrushError as error:
            raise type(error)(f"{self.place}: {error}") from error


def read_script(
    path: str | Path,
    label_set: LabelSet,
    *,
    cutter: Cutter | None = None,
    max_megapixels: float | None = MAX_MEGAPIXELS,
) -> list[ScriptedEdit]:
    """Returns the edits of a script, in order; masks and donors are read at once, relative to the script's folder.

    Objects in boxes of other photos are cut out at once too.

    Args:
        path: the JSON file, `{"edits": [{"op": "erase", "at": [x, y]}, ...]}`.
        label_set: the classes of the scenes to be edited.
        cutter: cuts objects out of boxes of other photos; None: a step that asks for that is a mistake.
        max_megapixels: the largest mask or other photo to open; None = no limit.

    Raises:
        InputError: a missing file, broken JSON, or mistakes; every one is named with its place.
        ModelError: the cutter cannot be loaded.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist; give the path of an edit script (JSON)")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f'{path} is no JSON ({error}); write {{"edits": [...]}}') from error
    return parse_script(
        data, label_set, folder=path.parent, name=str(path), cutter=cutter, max_megapixels=max_megapixels
    )


def parse_script(
    data: object,
    label_set: LabelSet,
    *,
    folder: str | Path = ".",
    name: str = "edit script",
    cutter: Cutter | None = None,
    max_megapixels: float | None = MAX_MEGAPIXELS,
) -> list[ScriptedEdit]:
    """Returns the edits of a script given as parsed JSON; see `read_script`.

    Args:
        data: `{"edits": [...]}`.
        label_set: the classes of the scenes to be edited.
        folder: where relative paths in it start.
        name: what errors call it.
        cutter, max_megapixels: as in `read_script`.
    """
    if isinstance(data, list):
        data = {"edits": data}
    try:
        script = Script.model_validate(data)
    except ValidationError as error:
        raise InputError(f"{name}: {'; '.join(_mistake(e, data) for e in error.errors())}") from error
    sources, edits, mistakes = Sources(Path(folder), label_set, cutter, max_megapixels), [], []
    for number, step in enumerate(script.edits):
        place, before = f"edits[{number}]", len(sources.opened)
        try:
            run = step.prepared(sources)
            edits.append(ScriptedEdit(f"{name}: {place}", step, run, tuple(sources.opened[before:])))
        except ModelError as error:  # no mistake of the script's, and every other step would meet it too
            raise ModelError(f"{name}: {place}: {error}") from error
        except ScenebrushError as error:
            mistakes.append(f"{place}: {error}")
    if mistakes:
        raise InputError(f"{name}: {'; '.join(mistakes)}")
    return edits


def _mistake(error: Any, data: object) -> str:
    """One line for one of pydantic's findings: its place, and what is wrong."""
    location = [part for part in error["loc"] if part not in STEPS]  # the union's tag is no place in the file
    place = re.sub(r"^\.", "", "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in location))
    parent, _, last = place.rpartition(".")
    kind, value = error["type"], error.get("input")
    if kind == "union_tag_invalid":
        op = error["ctx"]["tag"]
        return f"{place}: unknown op {op!r}{nearest_name(op, STEPS)}; there are {', '.join(STEPS)}"
    if kind == "union_tag_not_found":
        return f'{place}: has no "op"; give one of {", ".join(STEPS)}'
    if kind == "extra_forbidden":
        fields = _fields(error["loc"])
        return _at(parent, f"unknown field {last!r}{nearest_name(last, fields)}; it takes {', '.join(fields)}")
    if kind == "missing":
        found = f"; {last.partition('[')[0]!r} is {value!r}" if isinstance(value, list) else ""
        return _at(parent, f"{last!r} is missing{found}")
    if kind.startswith("model"):
        return _at(place, 'expected an object, {"op": ...}' if place else 'expected an object, {"edits": [...]}')
    message = str(error["msg"]).removeprefix("Value error, ").replace("tuple", "list")  # JSON has no tuples
    shown = f" (found {value!r})" if isinstance(value, str | int | float | list) and len(repr(value)) < 60 else ""
    return _at(place, f"{message[:1].lower()}{message[1:]}{shown}")


def _at(place: str, message: str) -> str:
    return f"{place}: {message}" if place else message


def _fields(location: tuple[Any, ...]) -> list[str]:
    model = next((STEPS[part] for part in location if part in STEPS), Script)
    return [field.alias or name for name, field in model.model_fields.items()]
