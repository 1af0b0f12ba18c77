"""COCO's objects: `annotations/instances_<split>.json`, of which only places are held, as it is too large."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from skimage import draw

from scenebrush.data.convert.protocol import Places
from scenebrush.errors import InputError

_LIST = '"annotations"'


def find_objects(path: Path) -> dict[int, Places]:
    """Returns where each picture's objects stand in the file: {picture: ((first byte, last byte), ...)}.

    Raises:
        InputError: it is no list of objects.
    """
    found: dict[int, list[tuple[int, int]]] = defaultdict(list)
    decoder = json.JSONDecoder()
    try:
        text = path.read_bytes().decode("latin-1")  # so that places in the text are places in the file
        place = _skip(text, text.index("[", text.index(_LIST)) + 1)
        while text[place] != "]":
            entry, end = decoder.raw_decode(text, place)
            found[int(entry["image_id"])].append((place, end))
            place = _skip(text, end)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise InputError(f"{path} is no list of COCO's objects ({error!r}); load it again") from error
    return {picture: tuple(places) for picture, places in found.items()}


def object_map(path: Path, places: Places, label_map: np.ndarray) -> np.ndarray:
    """Returns the objects of one picture, int32 (H, W), 0 = none, 1..N, small ones over large ones.

    Args:
        path: `instances_<split>.json`.
        places: where its objects stand in it.
        label_map: int (H, W), COCO-Stuff's ids: an object keeps the pixels that are of its class.

    Crowds are no single objects and get no number.
    """
    objects = [o for o in _read(path, places) if not o.get("iscrowd") and isinstance(o["segmentation"], list)]
    numbers = np.zeros(label_map.shape, np.int32)
    classes = [-1]
    for number, entry in enumerate(sorted(objects, key=lambda o: -float(o["area"])), start=1):
        classes.append(int(entry["category_id"]) - 1)
        for flat in entry["segmentation"]:
            xy = np.array(flat[: len(flat) // 2 * 2], float).reshape(-1, 2) - 0.5  # COCO's pixel k goes from k to k + 1
            inside = draw.polygon(xy[:, 1], xy[:, 0], label_map.shape)  # type: ignore[no-untyped-call]
            numbers[inside] = number
    agreed = np.where(np.array(classes)[numbers] == label_map, numbers, 0)
    left = np.flatnonzero(np.bincount(agreed.ravel(), minlength=len(classes))[1:]) + 1
    renumbered = np.zeros(len(classes), np.int32)
    renumbered[left] = np.arange(1, len(left) + 1)
    objects_here: np.ndarray = renumbered[agreed]
    return objects_here


def _read(path: Path, places: Places) -> list[dict[str, Any]]:
    found = []
    with path.open("rb") as file:
        for first, last in places:
            file.seek(first)
            found.append(json.loads(file.read(last - first)))
    return found


def _skip(text: str, place: int) -> int:
    while text[place] in " \t\r\n,":
        place += 1
    return place
