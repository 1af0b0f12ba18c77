"""What a method promises, and what a model folder says about itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from scenebrush.errors import ModelError
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.object_keys import ObjectKey
from scenebrush.scene.scene import Scene


@runtime_checkable
class Editor(Protocol):
    """A method, with its weights if it has any, that renders edits."""

    name: str

    def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
        """Returns the photo after the edit, uint8 (H, W, 3) RGB, bit-identical to `scene.photo` outside `edit.hole`.

        The same scene, edit and seed give the same picture.
        """
        ...


@dataclass(frozen=True, eq=False)
class Style:
    """In which look a picture is to be made: a photo's, and of single classes one of the model's own.

    Args:
        photo: uint8 (h, w, 3) RGB, whose look it is to have; None = no photo.
        layout: of the photo, same size, where it is known: some methods take a look per object.
        visible: bool (h, w), which pixels of the photo count; None = all.
        classes: class name -> number of one of the class's styles, from 0; goes before the photo.
    """

    photo: np.ndarray | None = None
    layout: Layout | None = None
    visible: np.ndarray | None = None
    classes: Mapping[str, int] = field(default_factory=dict)


@runtime_checkable
class Synthesizer(Protocol):
    """A method, with its weights, that makes whole pictures from layouts; no photo is needed."""

    name: str

    def synthesize(self, layout: Layout, *, seed: int = 0, style: Style | None = None) -> np.ndarray:
        """Returns the picture of a layout of any size, uint8 (H, W, 3) RGB.

        The same layout, seed and style give the same picture. Seed 0 may leave what is open to the method.

        Raises:
            ModelError: the layout has other classes than the model.
            InputError: a style that the method, or this model, does not have.
        """
        ...

    def varies(self, style: Style | None = None) -> bool:
        """Returns whether two seeds may give two pictures in this style."""
        ...


Look = int | tuple[float, ...]
"""How an object looks: the number of one of its class's styles, from 0, or features of its own, such as a photo's."""


@dataclass(frozen=True, eq=False)
class Drawing:
    """A picture that an `ObjectSynthesizer` drew.

    Args:
        picture: uint8 (H, W, 3) RGB.
        layout: what it shows.
        looks: of its objects.
        boxes: (x, y, width, height) of each part that was drawn for it; the rest is that of the drawing before.
        memory: what the method has to know to draw parts of it again; None = it can only be drawn whole. Drawings
            that are made of one another share it, until one is drawn whole; it may be large.
    """

    picture: np.ndarray
    layout: Layout
    looks: Mapping[ObjectKey, Look]
    boxes: tuple[tuple[int, int, int, int], ...] = ()
    memory: object = field(default=None, repr=False)


@runtime_checkable
class ObjectSynthesizer(Synthesizer, Protocol):
    """A synthesizer that gives every object a look of its own and can draw a part of its picture again."""

    @property
    def has_looks(self) -> bool:
        """Whether objects have looks at all; without, a layout has one picture."""
        ...

    def num_styles(self, class_name: str) -> int:
        """Returns how many styles a class has, perhaps 0; `LabelError` for a class that the model does not know."""
        ...

    def looks(self, layout: Layout, *, seed: int = 0, style: Style | None = None) -> dict[ObjectKey, Look]:
        """Returns the look of every object of a layout that `synthesize` draws with this seed and style.

        Raises:
            ModelError: the layout has other classes than the model.
            InputError: a style that this model does not have.
        """
        ...

    def draw(self, layout: Layout, looks: Mapping[ObjectKey, Look]) -> Drawing:
        """Returns the picture of a layout; an object without a look gets the most frequent style of its class.

        Raises:
            ModelError: the layout has other classes than the model.
            InputError: a look that this model does not have, or one of an object that is not there.
        """
        ...

    def redraw(self, drawing: Drawing, layout: Layout, looks: Mapping[ObjectKey, Look]) -> Drawing:
        """Returns the picture of another layout of the same size, drawn only where it differs, and around there.

        Elsewhere it is `drawing`'s, bit for bit. Where most of the picture changes, all of it is drawn.
        """
        ...


@runtime_checkable
class SegmentSynthesizer(Synthesizer, Protocol):
    """A synthesizer that makes its pictures of the segments of a memory bank."""

    def use_bank(self, bank: str | Path) -> None:
        """Takes segments from the bank in this folder from now on.

        Raises:
            InputError: it is no bank.
            ModelError: it has other classes than the model.
        """
        ...

    def lacks(self, layout: Layout) -> tuple[str, ...]:
        """Returns the names of a layout's classes that the bank has no segment of: they are left to the network."""
        ...

    def layout_from_text(self, text: str, size: tuple[int, int], *, seed: int = 0) -> Layout:
        """Returns a layout of (width, height) of what a short text names; `InputError` for one that is not understood.

        "a car left of a tree on a road, buildings behind"; see docs/text_to_layout.md.
        """
        ...

    def synthesize_openly(
        self, layout: Layout, *, seed: int = 0, style: Style | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns what `synthesize` does, and a sheet, uint8 (h, w, 3): segments found, their order, the canvas."""
        ...


@runtime_checkable
class PhotoSynthesizer(Synthesizer, Protocol):
    """A synthesizer that has learned one photo, and draws layouts in its look and of its classes.

    With `nearest_class`, what shows a class that the photo lacks is drawn as the nearest class that it has.
    """

    nearest_class: bool

    @property
    def label_set(self) -> LabelSet:
        """The classes of the photo's layout."""
        ...

    def read_layout(self, path: str | Path, *, max_megapixels: float | None = None) -> Layout:
        """Returns the layout in a file, read as the photo's own was: class ids, a drawing in its colours, or lines.

        Raises:
            InputError: a file that cannot be read, or that shows something else.
        """
        ...

    def notes(self, layout: Layout) -> tuple[str, ...]:
        """Returns what whoever asks for this layout should know, one line each; raises what `synthesize` would."""
        ...


@runtime_checkable
class Segmenter(Protocol):
    """A method, with its weights, that makes label maps of photos."""

    name: str

    @property
    def label_set(self) -> LabelSet:
        """The classes of its maps."""
        ...

    def segment(self, photo: np.ndarray) -> np.ndarray:
        """Returns the label map, int (H, W) of ids of `label_set`, of a photo uint8 (H, W, 3) RGB of any size.

        The same photo gives the same map.
        """
        ...


@dataclass(frozen=True)
class Adaptation:
    """What came of adapting a model to one photo.

    Args:
        model: the adapted model, or the original one where adapting did not help.
        before: error of the original model on held-out holes of this photo (lower is better).
        after: the same of the adapted model.
        kept: whether `model` is the adapted one.
        margin: how much lower `after` had to be for that: the noise of the comparison.
        measure: what the error is, in a few words; empty = nobody says.
        steps: batches that were learned from.
    """

    model: Editor
    before: float
    after: float
    kept: bool
    margin: float = 0.0
    measure: str = ""
    steps: int = 0


@runtime_checkable
class Adaptable(Protocol):
    """A method that can learn from the one photo that is about to be edited (`--adapt`)."""

    def adapt(
        self,
        scene: Scene,
        edits: Sequence[Edit] = (),
        *,
        seconds: float,
        seed: int = 0,
        report: Callable[[float], None] | None = None,
    ) -> Adaptation:
        """Learns from the photo and its label map for `seconds`; `report` is told the share done, 0 to 1.

        `edits` are those that are to come: what they ask for, and where, is learned first. Edits of this object
        itself are the same afterwards; the result is `Adaptation.model`.
        """
        ...


@dataclass(frozen=True)
class ModelCard:
    """The facts of a model folder's `config.json` that hold for every method.

    Args:
        name: what `--model` takes: the folder's name, or the name of a method that needs no weights.
        method: the folder in `scenebrush.methods` that reads it.
        label_set: name of the label set it was trained on, or None where any will do.
        path: the model folder, or None for a method without weights.
        summary: one line for people: the config's, else the first sentence of the card, README.md.
        classes: (id, name) of the classes of that label set; empty where the config only names it.
    """

    name: str
    method: str
    label_set: str | None = None
    path: Path | None = None
    summary: str = ""
    classes: tuple[tuple[int, str], ...] = ()

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Returns the facts of a model folder; one that does not hold together raises `ModelError`."""
        config = read_config(folder)
        label_set = config.get("label_set")
        classes: tuple[tuple[int, str], ...] = ()
        if isinstance(label_set, dict):
            classes = tuple((c.get("id"), c.get("name")) for c in label_set.get("classes", ()))
            label_set = label_set.get("name")
        summary = str(config.get("summary") or _first_sentence(folder / "README.md"))
        return cls(folder.name, str(config["method"]), label_set, folder, summary, classes)

    def fits(self, label_set: LabelSet) -> bool:
        """Returns whether the model knows the classes of this label set, whatever that is called."""
        if self.classes:
            return self.classes == tuple((c.id, c.name) for c in label_set.classes)
        return self.label_set is None or self.label_set == label_set.name


def _first_sentence(card: Path) -> str:
    """Returns the first sentence below the title of a model card; nothing where there is none."""
    if not card.is_file():
        return ""
    text = re.sub(r"\A(?:#.*\n|\s*\n)*", "", card.read_text(encoding="utf-8"))
    paragraph = text.partition("\n\n")[0]
    prose = not paragraph.startswith(("|", "-", "#", "`", "!"))
    return re.split(r"(?<=\.)\s", " ".join(paragraph.split()))[0] if prose else ""


def read_config(folder: Path) -> dict[str, Any]:
    """Returns the content of a model folder's `config.json`; it names at least its `method`."""
    path = folder / "config.json"
    if not path.is_file():
        raise ModelError(
            f"{folder} is no model folder: it has no config.json; give a folder written by scenebrush train or fit"
        )
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelError(f"{path} is no JSON ({error}); take the file from the model's source again") from error
    if not isinstance(config, dict) or not isinstance(config.get("method"), str):
        raise ModelError(f'{path} names no method; expected {{"method": "sesame", ...}}')
    return config
