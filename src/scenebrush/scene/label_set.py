"""Label sets: the classes of a world."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Literal, Self, get_args

import numpy as np

from scenebrush.errors import LabelError, nearest_name

Kind = Literal["thing", "stuff", "void"]


@dataclass(frozen=True)
class LabelClass:
    """One class: its id in label maps, name, display colour (R, G, B) and kind."""

    id: int
    name: str
    color: tuple[int, int, int]
    kind: Kind


@dataclass(frozen=True)
class LabelSet:
    """The classes of a world; `ignore_id` is the id that means unlabelled (None: there is none)."""

    name: str
    classes: tuple[LabelClass, ...]
    ignore_id: int | None = None

    @classmethod
    def load(cls, name_or_path: str | Path) -> Self:
        """Returns a shipped label set by name, or one from a JSON file or a scene folder's `classes.json`."""
        path = Path(name_or_path)
        if path.suffix == ".json":
            return cls._parse(path.read_bytes() if path.is_file() else _missing(path), str(path))
        shipped = resources.files("scenebrush.scene") / "label_sets" / f"{name_or_path}.json"
        if not shipped.is_file():
            names = shipped_label_sets()
            raise LabelError(
                f"unknown label set {str(name_or_path)!r}{nearest_name(str(name_or_path), names)};"
                f" shipped are {', '.join(names)}, or give a .json file"
            )
        return cls._parse(shipped.read_bytes(), str(name_or_path))

    @classmethod
    def _parse(cls, text: bytes, source: str) -> Self:
        try:
            data = json.loads(text)
            classes = tuple(
                LabelClass(int(c["id"]), str(c["name"]), tuple(c["color"]), c["kind"]) for c in data["classes"]
            )
            found = cls(str(data["name"]), classes, data.get("ignore_id"))
        except (KeyError, TypeError, ValueError) as error:
            raise LabelError(
                f"{source} is no label set ({error}); expected"
                ' {"name", "ignore_id", "classes": [{"id", "name", "color", "kind"}]}'
            ) from error
        fault = found._fault()
        if fault:
            raise LabelError(f"{source}: {fault}")
        return found

    def _fault(self) -> str:
        """What is wrong with the classes, and how to mend it; empty if nothing is."""
        if not self.classes:
            return "it has no classes; list at least one"
        for c in self.classes:
            if c.kind not in get_args(Kind):
                return f"class {c.name!r} has kind {c.kind!r}; give one of {', '.join(get_args(Kind))}"
            if len(c.color) != 3 or not all(isinstance(v, int) and 0 <= v <= 255 for v in c.color):
                return f"class {c.name!r} has colour {c.color}; give [red, green, blue], 0 to 255 each"
            if not 0 <= c.id < 65536:
                return f"class {c.name!r} has id {c.id}; ids go from 0 to 65535"
            if self.ids.count(c.id) > 1:
                return f"id {c.id} occurs {self.ids.count(c.id)} times; give every class its own"
            if [d.name for d in self.classes].count(c.name) > 1:
                return f"class {c.name!r} occurs more than once; give every class its own name"
        if self.ignore_id is not None and self.ignore_id not in self.ids:
            return (
                f"ignore_id is {self.ignore_id!r}, which is no class's id; give that of the unlabelled class, or null"
            )
        return ""

    def to_json(self) -> str:
        """Returns the text of a label set file, which `load` reads."""
        data = {"name": self.name, "ignore_id": self.ignore_id, "classes": [asdict(c) for c in self.classes]}
        return json.dumps(data, indent=1) + "\n"

    @cached_property
    def ids(self) -> tuple[int, ...]:
        """The class ids, in the order of `classes`."""
        return tuple(c.id for c in self.classes)

    @cached_property
    def by_id(self) -> dict[int, LabelClass]:
        return {c.id: c for c in self.classes}

    def find(self, name_or_id: str | int) -> LabelClass:
        """Returns a class by name or id; a wrong one raises `LabelError` with the nearest name."""
        for c in self.classes:
            if name_or_id in (c.name, c.id):
                return c
        names = [c.name for c in self.classes]
        hint = nearest_name(str(name_or_id), names)
        raise LabelError(f"label set {self.name!r} has no class {name_or_id!r}{hint}; it has {', '.join(names)}")

    def of_kind(self, *kinds: Kind) -> tuple[int, ...]:
        """Returns the ids of all classes of these kinds."""
        return tuple(c.id for c in self.classes if c.kind in kinds)

    def is_kind(self, label_map: np.ndarray, *kinds: Kind) -> np.ndarray:
        """Returns a bool array: where `label_map` holds a class of one of these kinds."""
        return np.isin(label_map, self.of_kind(*kinds))

    def colors(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """Returns the display colours, uint8 (..., 3), of the ids (unknown ones are black)."""
        size = max(max(self.ids), int(np.max(ids, initial=0))) + 1
        table = np.zeros((size, 3), np.uint8)
        for c in self.classes:
            table[c.id] = c.color
        colors: np.ndarray = table[np.asarray(ids)]
        return colors


def shipped_label_sets() -> list[str]:
    """Returns the names of the label sets that come with the package."""
    folder = resources.files("scenebrush.scene") / "label_sets"
    return sorted(f.name.removesuffix(".json") for f in folder.iterdir() if f.name.endswith(".json"))


def _missing(path: Path) -> bytes:
    raise LabelError(f"{path} does not exist; give a shipped label set ({', '.join(shipped_label_sets())}) or a file")
