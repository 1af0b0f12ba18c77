"""Label maps and instance maps on disk."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image

from scenebrush.errors import EditError, InputError, LabelError
from scenebrush.scene.files.opening import MAX_MEGAPIXELS, open_picture
from scenebrush.scene.files.writing import write_whole
from scenebrush.scene.label_set import LabelSet

Color = tuple[int, int, int]

UNLABELLED = 255
"""Read as the label set's own unlabelled id wherever the set has one and no class 255."""


def read_label_map(
    path: str | Path, label_set: LabelSet, *, max_megapixels: float | None = MAX_MEGAPIXELS
) -> np.ndarray:
    """Returns a label map, int32 (H, W), with ids of `label_set` only.

    8- and 16-bit grey PNGs and palette PNGs hold the ids; the colours of an RGB picture are looked up in the label
    set, and so are those of a palette that `meant_by_color`.

    Raises:
        LabelError: a JPEG, ids outside the set, or colours that are not the set's.
        InputError: missing, no picture, truncated, or larger than the limit.
    """
    with open_picture(path, max_megapixels) as image:
        if image.format in ("JPEG", "MPO"):
            raise LabelError(f"{path} is a JPEG, which blurs ids; save label maps as PNG")
        if image.mode in ("RGB", "RGBA", "RGBX"):
            return _from_colors(path, np.asarray(image.convert("RGB")), label_set)
        ids = _integers(path, image, "label map")
        if meant_by_color(value_counts(ids), palette_of(image), label_set):
            return _from_colors(path, np.asarray(image.convert("RGB")), label_set)
    ids = _unlabelled(ids, label_set)
    wrong = unknown_ids(ids, label_set)
    if wrong:
        raise LabelError(f"{path} holds {describe_counts(wrong, 'id')}; {_ids_of(label_set)}")
    return ids


def palette_of(image: Image.Image) -> list[Color]:
    """Returns the colours of a palette picture by index, else nothing."""
    flat = (image.getpalette("RGB") or []) if image.mode == "P" else []
    return list(zip(flat[0::3], flat[1::3], flat[2::3], strict=True))


def meant_by_color(indices: Collection[int], palette: Sequence[Color], label_set: LabelSet) -> bool:
    """Returns whether a palette map that holds these indices says its classes by its colours, not by its indices.

    So does a colour map that a program saved with 256 colours: all of its colours are the set's, but not in the set's
    order. One colour alone says nothing: the first grey is the black of many sets.
    """
    if not palette:
        return False
    if label_set.ignore_id is not None and UNLABELLED not in label_set.by_id:
        indices = set(indices) - {UNLABELLED}
    shown = {index: palette[index] if index < len(palette) else (0, 0, 0) for index in indices}
    known = {c.color for c in label_set.classes}
    if not known.issuperset(shown.values()):
        return False
    own = {index: label_set.by_id[index].color for index in shown if index in label_set.by_id}
    return len(own) < len(shown) or (own != shown and len(set(shown.values())) > 1)


def read_raw_map(path: str | Path, *, max_megapixels: float | None = MAX_MEGAPIXELS) -> np.ndarray:
    """Returns the integers of a one-channel picture, int32 (H, W), unchecked (palette: its indices)."""
    with open_picture(path, max_megapixels) as image:
        return _integers(path, image, "map")


def read_mask(path: str | Path, *, max_megapixels: float | None = MAX_MEGAPIXELS) -> np.ndarray:
    """Returns a mask, bool (H, W): what is brighter than half of the brightest, or more opaque where opacity varies.

    Raises:
        EditError: nothing is marked.
        InputError: missing, no picture, truncated, or larger than the limit.
    """
    with open_picture(path, max_megapixels) as image:
        if image.mode in ("1", "L", "P") or image.mode.startswith("I"):
            values = np.asarray(image).astype(np.int64)
        else:
            opacity = np.asarray(image.convert("RGBA"))[:, :, 3]
            values = opacity if opacity.min() < opacity.max() else np.asarray(image.convert("L"))
    highest = int(values.max(initial=0))
    if highest <= 0:
        raise EditError(f"mask {path} is empty; mark what is meant in white on black")
    mask: np.ndarray = values > highest / 2
    return mask


def write_label_map(path: str | Path, label_map: np.ndarray, label_set: LabelSet) -> Path:
    """Writes a label map as PNG, whole or not at all: a palette PNG in the set's colours, 16-bit grey if ids pass 255.

    Raises:
        LabelError: ids outside the set.
    """
    wrong = unknown_ids(label_map, label_set)
    if wrong:
        raise LabelError(f"{path}: the map to write holds {describe_counts(wrong, 'id')}; {_ids_of(label_set)}")
    if label_map.max(initial=0) > 255:
        return _write_png(path, Image.fromarray(label_map.astype(np.uint16)))
    image = Image.fromarray(label_map.astype(np.uint8))
    image.putpalette(label_set.colors(np.arange(256)).tobytes())
    return _write_png(path, image)


def write_instance_map(path: str | Path, instance_map: np.ndarray) -> Path:
    """Writes an instance map as 16-bit PNG (0 = none), whole or not at all.

    Raises:
        LabelError: numbers below 0 or above 65535.
    """
    low, high = int(instance_map.min(initial=0)), int(instance_map.max(initial=0))
    if low < 0 or high > 65535:
        raise LabelError(f"{path}: instances {low} to {high} do not fit 16 bits (0 to 65535); renumber them")
    return _write_png(path, Image.fromarray(instance_map.astype(np.uint16)))


def value_counts(integers: np.ndarray) -> dict[int, int]:
    """Returns {value: pixels} of an integer map, ascending."""
    if integers.size and int(integers.min()) >= 0 and int(integers.max()) < 1 << 16:
        counts = np.bincount(integers.ravel())  # many times faster than sorting
        return {int(v): int(counts[v]) for v in np.flatnonzero(counts)}
    values, numbers = np.unique(integers, return_counts=True)
    return dict(zip(values.tolist(), numbers.tolist(), strict=True))


def unknown_ids(label_map: np.ndarray, label_set: LabelSet) -> dict[int, int]:
    """Returns the ids that the set does not have, with their pixel counts, the most frequent first."""
    wrong = {v: n for v, n in value_counts(label_map).items() if v not in label_set.by_id}
    return dict(sorted(wrong.items(), key=lambda item: -item[1]))


def unknown_colors(rgb: np.ndarray, label_set: LabelSet) -> dict[tuple[int, int, int], int]:
    """Returns the colours, of uint8 (H, W, 3), that no class has, with their pixel counts, most frequent first."""
    codes, counts = np.unique(_codes(rgb), return_counts=True)
    known = {_code(c.color) for c in label_set.classes}
    wrong = {_color(int(v)): int(n) for v, n in zip(codes, counts, strict=True) if int(v) not in known}
    return dict(sorted(wrong.items(), key=lambda item: -item[1]))


def describe_counts(counts: dict[int, int], word: str) -> str:
    """Returns for instance `"id 300 in 17 pixels"`, or `"id 300 in 17 pixels and 4 more ids"`."""
    first, pixels = next(iter(counts.items()))
    more = f" and {len(counts) - 1} more {word}s" if len(counts) > 1 else ""
    return f"{word} {first} in {pixels} pixel{'s' if pixels != 1 else ''}{more}"


def _integers(path: str | Path, image: Image.Image, what: str) -> np.ndarray:
    if image.mode not in ("1", "L", "P", "I", "I;16", "I;16B", "I;16L", "I;16N"):
        raise LabelError(f"{path} is a {image.mode} picture; a {what} has one channel of integers: save it as grey PNG")
    return np.asarray(image).astype(np.int32)


def _unlabelled(ids: np.ndarray, label_set: LabelSet) -> np.ndarray:
    if label_set.ignore_id is None or UNLABELLED in label_set.by_id:
        return ids
    return np.where(ids == UNLABELLED, np.int32(label_set.ignore_id), ids)


def _from_colors(path: str | Path, rgb: np.ndarray, label_set: LabelSet) -> np.ndarray:
    wrong = unknown_colors(rgb, label_set)
    if wrong:
        color, pixels = next(iter(wrong.items()))
        colors = f"{len(wrong)} colours" if len(wrong) > 1 else "a colour"
        raise LabelError(
            f"{path} is a colour picture with {colors} that label set {label_set.name!r} has not"
            f" (first {color} in {pixels} pixels); save class ids as grey or palette PNG"
        )
    # Where classes share a colour the unlabelled one wins, else the first.
    ordered = sorted(label_set.classes, key=lambda c: c.id != label_set.ignore_id)
    ids_of_code: dict[int, int] = {}
    for c in ordered:
        ids_of_code.setdefault(_code(c.color), c.id)
    codes, inverse = np.unique(_codes(rgb), return_inverse=True)
    table = np.array([ids_of_code[int(v)] for v in codes], np.int32)
    return table[inverse].reshape(rgb.shape[:2])


def _codes(rgb: np.ndarray) -> np.ndarray:
    wide = rgb.astype(np.int32)
    return (wide[:, :, 0] << 16) | (wide[:, :, 1] << 8) | wide[:, :, 2]


def _code(color: tuple[int, int, int]) -> int:
    return (color[0] << 16) | (color[1] << 8) | color[2]


def _color(code: int) -> tuple[int, int, int]:
    return code >> 16, (code >> 8) & 255, code & 255


def _ids_of(label_set: LabelSet) -> str:
    ids = sorted(label_set.ids)
    runs: list[str] = []
    start = previous = ids[0]
    for value in [*ids[1:], None]:
        if value is None or value != previous + 1:
            runs.append(str(start) if start == previous else f"{start}-{previous}")
            start = value if value is not None else start
        previous = value if value is not None else previous
    return f"label set {label_set.name!r} has ids {', '.join(runs)}"


def _write_png(path: str | Path, image: Image.Image) -> Path:
    if Path(path).suffix.lower() != ".png":
        raise InputError(f"{path}: maps are written as PNG; end the name in .png")

    def save(file: BinaryIO) -> None:
        image.save(file, format="PNG")

    return write_whole(path, save)
