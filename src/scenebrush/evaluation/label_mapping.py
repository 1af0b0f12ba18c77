"""Mapping files: what a segmenter takes and gives, and which of its words stand for which of our classes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from scenebrush.errors import InputError, nearest_name
from scenebrush.scene.label_set import LabelSet

FORMAT_PAGE = "docs/formats.md, 'Segmenter and mapping'"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class InputFormat(_Part):
    """What the network takes: one RGB picture.

    Args:
        width, height: in pixels.
        resize: `stretch` = to that size whatever the shape; `letterbox` = shape kept, at the top left, the
            rest grey.
        layout: order of the axes.
        dtype: `uint8` takes 0-255; `float32` takes (value / 255 - mean) / std.
        mean, std: per channel, R, G, B.
    """

    width: int = Field(gt=0)
    height: int = Field(gt=0)
    resize: Literal["stretch", "letterbox"] = "stretch"
    layout: Literal["NHWC", "NCHW"] = "NHWC"
    dtype: Literal["uint8", "float32"] = "uint8"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def inside(self, size: tuple[int, int]) -> tuple[int, int]:
        """Returns the height and width that a picture of this (height, width) takes in the input."""
        if self.resize == "stretch":
            return self.height, self.width
        scale = min(self.height / size[0], self.width / size[1])
        return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))

    def array(self, picture: np.ndarray) -> np.ndarray:
        """Returns the network's input, (1, H, W, 3) or (1, 3, H, W), of a picture uint8 (H, W, 3) of its size."""
        values = picture[None]
        if self.dtype == "float32":
            mean, std = np.array(self.mean, np.float32), np.array(self.std, np.float32)
            values = ((values / np.float32(255) - mean) / std).astype(np.float32)
        return np.ascontiguousarray(values if self.layout == "NHWC" else values.transpose(0, 3, 1, 2))


class OutputFormat(_Part):
    """What the network gives: class numbers (1, H, W), or scores, whose largest is the class.

    Args:
        index: which of the network's outputs.
        kind: `classes` or `scores`.
        layout: of scores.
    """

    index: int = Field(default=0, ge=0)
    kind: Literal["classes", "scores"] = "classes"
    layout: Literal["NHWC", "NCHW"] = "NCHW"

    def classes(self, output: np.ndarray) -> np.ndarray:
        """Returns class numbers, int64 (h, w), of the network's output for one picture."""
        if self.kind == "scores" and output.ndim == 4 and len(output) == 1:
            return np.asarray(output[0].argmax(axis=0 if self.layout == "NCHW" else 2))
        numbers = np.squeeze(output)
        if self.kind == "scores" or numbers.ndim != 2:
            wanted = "(1, C, H, W) or (1, H, W, C)" if self.kind == "scores" else "(1, H, W)"
            raise InputError(f"the segmenter's output has shape {output.shape}; {self.kind} have {wanted}")
        return numbers.astype(np.int64)


class SegmenterMapping(_Part):
    """A mapping file.

    Args:
        name: the segmenter's name, as reports print it.
        classes: its words, in the order of its class numbers.
        label_sets: label set -> our class name -> its words for it. A class of ours that is not named
            cannot be told and is left out of every figure; classes with equal words count as one.
    """

    name: str
    input: InputFormat
    output: OutputFormat = OutputFormat()
    classes: tuple[str, ...] = Field(min_length=1)
    label_sets: dict[str, dict[str, tuple[str, ...]]] = Field(min_length=1)

    @model_validator(mode="after")
    def _words_are_known(self) -> Self:
        for set_name, words_of in self.label_sets.items():
            owners: dict[str, frozenset[str]] = {}
            for own, words in words_of.items():
                place = f"label_sets.{set_name}.{own}"
                if not words:
                    raise ValueError(f"{place} is empty; leave out a class that the segmenter cannot tell")
                for word in words:
                    if word not in self.classes:
                        hint = nearest_name(word, self.classes)
                        raise ValueError(f"{place}: the segmenter has no class {word!r}{hint}")
                    if owners.setdefault(word, frozenset(words)) != frozenset(words):
                        raise ValueError(f"{place}: {word!r} stands for two classes; give both the same list of words")
        return self

    @classmethod
    def read(cls, path: Path) -> Self:
        """Returns the mapping in a JSON file; `InputError` names the file and what is wrong in it."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except OSError as error:
            raise InputError(f"{path} does not exist; write the segmenter's mapping there ({FORMAT_PAGE})") from error
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            wrong = first["msg"].removeprefix("Value error, ").replace("\n", " ")
            raise InputError(f"{path}: {place + ': ' if place else ''}{wrong}; see {FORMAT_PAGE}") from error

    def words_for(self, label_set: LabelSet, source: str) -> dict[int, tuple[str, ...]]:
        """Returns our class id -> the segmenter's words, for every class of `label_set` that it can tell.

        The entry of the label set's own name counts; without one, the largest entry whose classes all occur in
        it: a data set that uses Cityscapes' class names under a name of its own needs no entry.

        Raises:
            InputError: no entry fits; `source` is the file that the message names.
        """
        ids = {c.name: c.id for c in label_set.classes}
        entry = self.label_sets.get(label_set.name)
        if entry is None:
            fitting = [words for words in self.label_sets.values() if words.keys() <= ids.keys()]
            if not fitting:
                raise InputError(
                    f"{source} has no mapping for label set {label_set.name!r}, only for {', '.join(self.label_sets)};"
                    f' add "{label_set.name}": {{"{label_set.classes[0].name}": ["<segmenter class>", ...], ...}} to'
                    f" its label_sets ({FORMAT_PAGE})"
                )
            entry = max(fitting, key=len)
        unknown = [name for name in entry if name not in ids]
        if unknown:
            hint = nearest_name(unknown[0], ids)
            raise InputError(
                f"{source} maps {unknown[0]!r}, which is no class of label set {label_set.name!r}{hint}; it has"
                f" {', '.join(ids)}"
            )
        return {ids[name]: words for name, words in sorted(entry.items(), key=lambda item: ids[item[0]])}


def tables(
    words: dict[int, tuple[str, ...]], classes: tuple[str, ...], label_set: LabelSet
) -> tuple[np.ndarray, np.ndarray]:
    """Returns two int32 tables of ids of ours: by segmenter class, and by our own id; -1 = none.

    Args:
        words: our id -> the segmenter's words, from `SegmenterMapping.words_for`; ids with equal words
            become the first of them.
        classes: the segmenter's words in order.
        label_set: ours; void and unlabelled have no place in the second table.
    """
    reading = np.full(len(classes), -1, np.int32)
    comparable = np.full(max(*label_set.ids, 255) + 1, -1, np.int32)
    first: dict[frozenset[str], int] = {}
    for own, own_words in words.items():
        if own == label_set.ignore_id:
            continue
        comparable[own] = first.setdefault(frozenset(own_words), own)
        for word in own_words:
            reading[classes.index(word)] = comparable[own]
    return reading, comparable
