"""Recoding maps: a data set's own values onto the ids of a label set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from scenebrush.data.check_files import Finding, size_of
from scenebrush.data.convert.protocol import BadSource, Settings
from scenebrush.scene.files import open_picture, value_counts
from scenebrush.scene.label_set import LabelSet

Color = tuple[int, int, int]
_SHOWN = 20
"""So many wrong values of one file are listed."""


def read_values(path: Path, settings: Settings, *, palette_is_colors: bool = False) -> np.ndarray:
    """Returns a map's values: int32 (H, W), or uint8 (H, W, 3) of a colour picture.

    A palette picture has the values of its indices, or with `palette_is_colors` of its colours.

    Raises:
        BadSource: a JPEG, which blurs values.
        InputError: a file that cannot be read.
    """
    with open_picture(path, settings.max_megapixels) as image:
        if image.format in ("JPEG", "MPO"):
            raise BadSource([Finding(path, "mode", "is a JPEG, which blurs ids", "take the PNG", "JPEG")])
        if image.mode in ("RGB", "RGBA", "RGBX") or (palette_is_colors and image.mode == "P"):
            return np.asarray(image.convert("RGB"))
        if image.mode in ("LA", "PA", "CMYK", "F"):
            raise BadSource([_mode(path, image.mode)])
        return np.asarray(image).astype(np.int32)


def read_ids(path: Path, settings: Settings) -> np.ndarray:
    """Returns a one-channel map's values, int32 (H, W); a colour picture raises `BadSource`."""
    values = read_values(path, settings)
    if values.ndim != 2:
        raise BadSource([_mode(path, "RGB")])
    return values


def recode(
    path: Path, values: np.ndarray, table: Mapping[int, int], label_set: LabelSet, settings: Settings
) -> np.ndarray:
    """Returns a map with every value looked up in `table`, int32 (H, W).

    Raises:
        BadSource: values that the table has not, each with its pixels, unless they may become unlabelled.
    """
    counts = value_counts(values)
    wrong = {value: pixels for value, pixels in counts.items() if value not in table}
    void = label_set.ignore_id if settings.unknown_as_void else None
    if wrong and void is None:
        raise BadSource(_unknown_ids(path, wrong, table))
    lowest = min(counts)
    lookup = np.full(max(counts) - lowest + 1, 0 if void is None else void, np.int32)
    for value in counts:
        lookup[value - lowest] = table.get(value, lookup[value - lowest])
    ids: np.ndarray = lookup[values - lowest]
    return ids


def recode_colors(
    path: Path, rgb: np.ndarray, table: Mapping[Color, int], label_set: LabelSet, settings: Settings
) -> np.ndarray:
    """Returns the ids of a colour map's colours, int32 (H, W); raises as `recode` does."""
    codes = rgb.astype(np.int32) @ np.array([1 << 16, 1 << 8, 1], np.int32)
    lookup = np.full(1 << 24, -1, np.int32)  # ten times faster than sorting the pixels
    for (r, g, b), id_ in table.items():
        lookup[(r << 16) | (g << 8) | b] = id_
    ids: np.ndarray = lookup[codes]
    unknown = ids < 0
    if unknown.any():
        if not settings.unknown_as_void or label_set.ignore_id is None:
            wrong, counts = np.unique(codes[unknown], return_counts=True)
            colors = [(c >> 16, (c >> 8) & 255, c & 255) for c in wrong.tolist()]
            raise BadSource(_unknown_colors(path, dict(zip(colors, counts.tolist(), strict=True))))
        ids[unknown] = label_set.ignore_id
    return ids


def settle_instances(numbers: np.ndarray, label_map: np.ndarray, label_set: LabelSet) -> np.ndarray:
    """Returns instances that agree with the labels, int32 (H, W), 0 = none, 1..N.

    Data sets whose instances were drawn apart from their labels disagree along edges: every instance keeps the
    pixels of the class that most of it lies on, and is dropped where that is no thing.
    """
    width = max(label_set.ids) + 1
    pairs, inverse, counts = np.unique(
        numbers.astype(np.int64) * width + label_map, return_inverse=True, return_counts=True
    )
    order = np.lexsort((counts, pairs // width))  # the last of each number is its largest part
    last = np.append(np.diff(pairs[order] // width) > 0, True)
    chosen = np.zeros(len(pairs), bool)
    chosen[order[last]] = True
    chosen &= (pairs // width > 0) & np.isin(pairs % width, label_set.of_kind("thing"))
    renumbered = np.where(chosen, np.cumsum(chosen), 0).astype(np.int32)
    settled: np.ndarray = renumbered[inverse].reshape(numbers.shape)
    return settled


def nearest(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns a map scaled to (H, W) with nearest neighbour; itself where it has that size."""
    if values.shape == size:
        return values
    rows, columns = (
        ((np.arange(new) + 0.5) * old / new).astype(int) for new, old in zip(size, values.shape, strict=True)
    )
    scaled: np.ndarray = values[rows[:, None], columns]
    return scaled


def scale_photo(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns a photo, uint8 (H, W, 3), scaled to `size` (H, W) with Lanczos."""
    return np.asarray(Image.fromarray(pixels).resize(size[::-1], Image.Resampling.LANCZOS))


def check_size(path: Path, found: tuple[int, ...], size: tuple[int, int]) -> None:
    """Raises `BadSource` where a map is not of its photo's size (H, W)."""
    if found != size:
        message = f"is {size_of(found)}, its photo {size_of(size)}"
        raise BadSource([Finding(path, "sizes differ", message, "take the map that belongs to the photo")])


def _mode(path: Path, mode: str) -> Finding:
    return Finding(path, "mode", f"is {mode}; a map of ids has one channel", "take the grey or palette PNG", mode)


def _unknown_ids(path: Path, wrong: dict[int, int], table: Mapping[int, int]) -> list[Finding]:
    expected = f"the data set has {len(table)} values from {min(table)} to {max(table)}"
    mend = "mend the map, or make unknown values unlabelled (--unknown-as-void)"
    ordered = sorted(wrong.items(), key=lambda item: -item[1])[:_SHOWN]
    return [
        Finding(path, "unknown id", f"id {v} in {_pixels(n)}{_more(wrong)}; {expected}", mend, v, n) for v, n in ordered
    ]


def _unknown_colors(path: Path, wrong: dict[Color, int]) -> list[Finding]:
    mend = "mend the map, or make unknown colours unlabelled (--unknown-as-void)"
    ordered = sorted(wrong.items(), key=lambda item: -item[1])[:_SHOWN]
    return [
        Finding(path, "unknown colour", f"colour {c} in {_pixels(n)}{_more(wrong)} is no class's", mend, c, n)
        for c, n in ordered
    ]


def _pixels(count: int) -> str:
    return f"{count} pixel{'s' if count != 1 else ''}"


def _more(wrong: Mapping[int, int] | Mapping[Color, int]) -> str:
    return f" ({len(wrong)} such values, {_SHOWN} listed)" if len(wrong) > _SHOWN else ""
