"""Instance maps: plain numbers per picture, or the class*1000 + n of Cityscapes."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from scenebrush.errors import LabelError
from scenebrush.scene.files.maps import read_raw_map
from scenebrush.scene.files.opening import MAX_MEGAPIXELS
from scenebrush.scene.label_set import LabelSet

Convention = Literal["auto", "plain", "cityscapes"]


def read_instance_map(
    path: str | Path,
    label_map: np.ndarray,
    label_set: LabelSet,
    *,
    convention: Convention = "auto",
    max_megapixels: float | None = MAX_MEGAPIXELS,
) -> np.ndarray:
    """Returns an instance map, int32 (H, W), 0 = none, that agrees with `label_map`.

    Args:
        path: an 8- or 16-bit PNG.
        label_map: int32 (H, W), the labels of the same picture.
        label_set: their classes.
        convention: "plain" (0 = none, 1..N), "cityscapes" (class id where there are no instances, class*1000 + n
            for objects; they come back as 1..N), or "auto": cityscapes where the numbers agree with the label map.
        max_megapixels: the size limit.

    Raises:
        LabelError: not the label map's size, or an instance with more than one class.
        InputError: missing, no picture, truncated, or larger than the limit.
    """
    raw = read_raw_map(path, max_megapixels=max_megapixels)
    if raw.shape != label_map.shape:
        raise LabelError(
            f"{path} is {raw.shape[1]}x{raw.shape[0]}, its label map {label_map.shape[1]}x{label_map.shape[0]};"
            " scale it with nearest neighbour"
        )
    if convention == "cityscapes" or (convention == "auto" and is_cityscapes(raw, label_map, label_set)):
        return _from_cityscapes(path, raw, label_map, label_set)
    mixed = mixed_instances(raw, label_map)
    if mixed:
        raise LabelError(f"{path}: {_describe_mixed(mixed, label_set)}")
    return raw


def is_cityscapes(raw: np.ndarray, label_map: np.ndarray, label_set: LabelSet) -> bool:
    """Returns whether numbers look like class*1000 + n: most of them name the label of their own pixel.

    Without any object a plain map could look the same by chance; then stuff has to be named too.
    """
    numbered = raw > 0
    named = np.where(raw >= 1000, raw // 1000, raw)
    if not numbered.any() or float(np.mean((named == label_map)[numbered])) <= 0.5:
        return False
    return bool((raw >= 1000).any() or label_set.is_kind(label_map[numbered], "stuff").any())


def mixed_instances(instance_map: np.ndarray, label_map: np.ndarray) -> dict[int, dict[int, int]]:
    """Returns the instances that lie on more than one class: {instance: {class id: pixels}}."""
    inside = instance_map > 0
    width = int(label_map.max(initial=0)) + 1
    codes = instance_map[inside].astype(np.int64) * width + label_map[inside]
    pairs, counts = np.unique(codes, return_counts=True)
    numbers, occurrences = np.unique(pairs // width, return_counts=True)
    mixed: dict[int, dict[int, int]] = {int(n): {} for n in numbers[occurrences > 1]}
    for pair, count in zip(pairs.tolist(), counts.tolist(), strict=True):
        if pair // width in mixed:
            mixed[pair // width][pair % width] = count
    return mixed


def _from_cityscapes(path: str | Path, raw: np.ndarray, label_map: np.ndarray, label_set: LabelSet) -> np.ndarray:
    named = np.where(raw >= 1000, raw // 1000, raw)
    # Only objects are held to it: below 1000 the official tools write groups and stuff, which carry no number.
    wrong = (raw >= 1000) & (named != label_map)
    if wrong.any():
        number = int(np.bincount(raw[wrong]).argmax())
        here = int(np.bincount(label_map[wrong & (raw == number)]).argmax())
        there, name = number // 1000, label_set.by_id[here].name if here in label_set.by_id else str(here)
        raise LabelError(
            f"{path}: instance {number} (class {there}) lies on label {here} ({name}) in"
            f" {int(np.count_nonzero(wrong & (raw == number)))} pixels, {int(wrong.sum())} pixels in all;"
            " take the label map that belongs to it"
        )
    values, inverse = np.unique(np.where(raw >= 1000, raw, 0), return_inverse=True)
    first = 0 if values[0] == 0 else 1  # a picture full of objects has no 0
    return (inverse.reshape(raw.shape) + first).astype(np.int32)


def _describe_mixed(mixed: dict[int, dict[int, int]], label_set: LabelSet) -> str:
    number, classes = next(iter(mixed.items()))
    parts = [
        f"{label_set.by_id[c].name if c in label_set.by_id else c} in {n} pixels"
        for c, n in sorted(classes.items(), key=lambda item: -item[1])
    ]
    more = f" (and {len(mixed) - 1} more instances)" if len(mixed) > 1 else ""
    return f"instance {number} lies on {' and '.join(parts)}{more}; give every object one number and one class"
