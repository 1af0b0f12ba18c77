"""Checking single files of a scene folder."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from scenebrush.errors import ScenebrushError
from scenebrush.scene.files import (
    is_cityscapes,
    mixed_instances,
    open_picture,
    read_instance_map,
    unknown_colors,
    unknown_ids,
    value_counts,
)
from scenebrush.scene.files.maps import UNLABELLED, Color, meant_by_color, palette_of, read_label_map
from scenebrush.scene.label_set import LabelSet

_ONE_CHANNEL = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L", "I;16N")
_ORIENTATION = 0x0112
PALETTE = "unknown palette colour"
"""The kind of finding that `check_folder` sums up over all maps."""


@dataclass(frozen=True)
class Finding:
    """One fault.

    Args:
        file: where, relative to the scene folder.
        kind: a short name, the same for all faults of the kind ("unknown id", "sizes differ", ...).
        message: what was found, in words.
        mend: what to do about it.
        value: the id, colour or number found, where there is one.
        pixels: how many pixels it concerns, where that can be said.
        severity: "error": the scene cannot be used; "warning": it can, but look.
    """

    file: Path
    kind: str
    message: str
    mend: str
    value: Any = None
    pixels: int | None = None
    severity: Literal["error", "warning"] = "error"

    def warning(self) -> Finding:
        """Returns it as a warning."""
        return replace(self, severity="warning")

    def relative_to(self, root: Path) -> Finding:
        """Returns it with the file's path relative to `root`."""
        return replace(self, file=self.file.relative_to(root)) if self.file.is_relative_to(root) else self

    def to_json(self) -> dict[str, Any]:
        """Returns it as JSON data."""
        return {**asdict(self), "file": str(self.file)}

    def __str__(self) -> str:
        return f"{self.file}: {self.message}; {self.mend}"


def check_photo(path: Path, max_megapixels: float | None) -> Generator[Finding, None, tuple[int, int] | None]:
    """Yields what is wrong with a photo; returns its upright size (H, W), or None if it cannot be read."""
    try:
        with open_picture(path, max_megapixels) as image:
            mode, size = image.mode, (image.height, image.width)
            turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
    except ScenebrushError as error:
        yield finding_of(path, error)
        return None
    if mode == "F":
        yield Finding(path, "mode", "holds floating-point pixels", "save it with 8 or 16 bits a channel", mode)
        return None
    if mode != "RGB":
        yield Finding(
            path, "mode", f"is {mode}, not RGB", "nothing, if that is meant: it is read as RGB", mode
        ).warning()
    return size[::-1] if turned else size


def check_labels(
    path: Path, label_set: LabelSet, max_megapixels: float | None
) -> Generator[Finding, None, np.ndarray | None]:
    """Yields what is wrong with a label map; returns it, int32 (H, W), or None if it cannot be used."""
    try:
        with open_picture(path, max_megapixels) as image:
            lossy, mode = image.format in ("JPEG", "MPO"), image.mode
            values, palette = _contents(image), palette_of(image)
            colors = np.asarray(image.convert("RGB")) if values is None else None
    except ScenebrushError as error:
        yield finding_of(path, error)
        return None
    if lossy:
        yield Finding(path, "mode", "is a JPEG, which blurs ids", "save label maps as PNG", "JPEG")
        return None
    if values is not None:
        counts = value_counts(values)
        by_color = meant_by_color(counts, palette, label_set)
        yield from _check_palette(path, counts, palette, label_set, by_color)
        if by_color:
            return read_label_map(path, label_set, max_megapixels=max_megapixels)
        return (yield from _check_ids(path, values, label_set))
    if colors is None or mode not in ("RGB", "RGBA"):
        yield Finding(path, "mode", f"is {mode}; a label map has one channel", "save it as grey or palette PNG", mode)
        return None
    return (yield from _check_colors(path, colors, label_set, max_megapixels))


def check_instances(
    path: Path, label_map: np.ndarray | None, label_set: LabelSet, max_megapixels: float | None
) -> Generator[Finding, None, None]:
    """Yields what is wrong with an instance map; without a label map only whether it can be read."""
    try:
        with open_picture(path, max_megapixels) as image:
            mode = image.mode
            numbers = _contents(image)
    except ScenebrushError as error:
        yield finding_of(path, error)
        return
    if numbers is None:
        yield Finding(path, "mode", f"is {mode}; an instance map has one channel", "save it as 16-bit grey PNG", mode)
        return
    yield from _check_limits(path, numbers, mode)
    if label_map is None:
        return
    if numbers.shape != label_map.shape:
        message = f"is {size_of(numbers.shape)}, its label map {size_of(label_map.shape)}"
        yield Finding(path, "sizes differ", message, "scale it with nearest neighbour", size_of(numbers.shape))
    elif is_cityscapes(numbers, label_map, label_set):
        try:
            read_instance_map(path, label_map, label_set, convention="cityscapes", max_megapixels=max_megapixels)
        except ScenebrushError as error:
            yield replace(finding_of(path, error), kind="instance of two classes")
    else:
        yield from _check_mixed(path, numbers, label_map, label_set)


def finding_of(path: Path, error: ScenebrushError) -> Finding:
    """Returns the finding that says what a reader's error says."""
    text = str(error).removeprefix(str(path)).lstrip(": ")
    message, _, mend = text.rpartition("; ")
    kind = "too large" if "megapixels" in text else "unreadable"
    return Finding(path, kind, message or text, mend if message else "mend or remove it")


def size_of(shape: tuple[int, ...]) -> str:
    """Returns "WxH" of an array's shape (H, W)."""
    return f"{shape[1]}x{shape[0]}"


def _contents(image: Image.Image) -> np.ndarray | None:
    """A map's integers, int32 (H, W), or None if it is a colour picture."""
    return np.asarray(image).astype(np.int32) if image.mode in _ONE_CHANNEL else None


def _check_ids(path: Path, values: np.ndarray, label_set: LabelSet) -> Generator[Finding, None, np.ndarray | None]:
    wrong = unknown_ids(values, label_set)
    if label_set.ignore_id is not None:
        wrong.pop(UNLABELLED, None)
    ids = f"label set {label_set.name!r} has {len(label_set.ids)} ids from {min(label_set.ids)} to {max(label_set.ids)}"
    for value, pixels in wrong.items():
        if value == UNLABELLED:  # the label set has no unlabelled id, or 255 would be read as that
            message = f"id 255 in {pixels} pixels, unlabelled or -1 in 8 bits; {ids}, and none for unlabelled"
            mend = "give classes.json an ignore_id, or label them"
            yield Finding(path, "unknown id", message, mend, value, pixels)
        elif value > 32767 or value < 0:
            message = f"id {value} in {pixels} pixels is {value - 65536} wrapped to 16 bits"
            yield Finding(path, "16-bit wrap", message, "write unlabelled as the set's own id", value, pixels)
        else:
            yield Finding(
                path, "unknown id", f"id {value} in {pixels} pixels; {ids}", "map or remove it", value, pixels
            )
    if wrong:
        return None
    if label_set.ignore_id is not None:
        values = np.where(values == UNLABELLED, np.int32(label_set.ignore_id), values)
    if (values == label_set.ignore_id).all():
        message = "holds nothing but unlabelled pixels"
        yield Finding(path, "empty map", message, "label it or remove the scene", None, values.size).warning()
    return values


def _check_colors(
    path: Path, colors: np.ndarray, label_set: LabelSet, max_megapixels: float | None
) -> Generator[Finding, None, np.ndarray | None]:
    wrong = unknown_colors(colors, label_set)
    for color, pixels in list(wrong.items())[:20]:
        message = f"colour {color} in {pixels} pixels is no class of {label_set.name!r}"
        more = f" ({len(wrong)} such colours)" if len(wrong) > 20 else ""
        yield Finding(path, "unknown colour", message + more, "save ids as grey or palette PNG", color, pixels)
    return None if wrong else read_label_map(path, label_set, max_megapixels=max_megapixels)


def _check_palette(
    path: Path, counts: dict[int, int], palette: list[Color], label_set: LabelSet, by_color: bool
) -> Generator[Finding, None, None]:
    """A palette in which an id has the colour of another class was made for other ids, or is a colour map."""
    class_of = {c.color: c for c in reversed(label_set.classes)}
    for value, pixels in counts.items():
        own = label_set.by_id.get(value)
        color = palette[value] if value < len(palette) else None
        meant = class_of.get(color) if color is not None else None
        if color is not None and meant is None and color != (value, value, value):  # a grey ramp says nothing
            name = own.name if own is not None else "no class"
            message = f"id {value} ({name}) has the palette colour {color}, which is no class's"
            mend = "check whether its ids are those of another label set; scenebrush writes the set's own colours"
            yield Finding(path, PALETTE, message, mend, [value, *color], pixels).warning()
        if meant is not None and own is not None and own.color != meant.color:
            message = f"id {value} ({own.name}) has the palette colour {meant.color} of {meant.name!r} ({meant.id})"
            mend = "check whether its ids are those of another label set"
            if by_color:
                mend = "its colours count; save it as grey PNG if its ids were meant"
            yield Finding(path, "palette colour", message, mend, value, pixels).warning()


def _check_limits(path: Path, numbers: np.ndarray, mode: str) -> Generator[Finding, None, None]:
    """The largest number of a narrow type, where it is the largest found, smells of clipping or wrapping."""
    highest = int(numbers.max(initial=0))
    if highest in (32767, 65535) or (highest == 255 and mode in ("L", "P")):
        pixels = int(np.count_nonzero(numbers == highest))
        message = f"its largest number is {highest} ({pixels} pixels), the most that its type holds"
        mend = "check whether larger numbers were cut off or wrapped; write 16-bit PNG"
        yield Finding(path, "16-bit wrap", message, mend, highest, pixels).warning()


def _check_mixed(
    path: Path, numbers: np.ndarray, label_map: np.ndarray, label_set: LabelSet
) -> Generator[Finding, None, None]:
    for number, classes in mixed_instances(numbers, label_map).items():
        ordered = sorted(classes.items(), key=lambda item: -item[1])
        names = " and ".join(f"{label_set.by_id[c].name} in {n} pixels" for c, n in ordered)
        pixels = sum(n for _, n in ordered[1:])
        mend = "give every object one number and one class"
        yield Finding(path, "instance of two classes", f"instance {number} lies on {names}", mend, number, pixels)
