"""The photo that is learned, with its layout, as it is learned."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self, get_args

import numpy as np
from PIL import Image

from scenebrush.errors import InputError, ModelError
from scenebrush.scene.files import (
    read_label_map,
    read_photo,
    read_raw_map,
    value_counts,
    write_instance_map,
    write_label_map,
    write_photo,
    write_text,
)
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout

LayoutKind = Literal["labels", "drawing", "edges"]
"""What the layout was made from: class ids, a drawing in colours, or the lines of the photo."""

LEAST_SIDE = 64
"""Pixels: a photo with a shorter side shows too little to learn from."""

LARGEST_SIDE = 640
"""Pixels: the longer side that a photo is learned at where nobody says another."""


@dataclass(frozen=True, eq=False)
class Source:
    """The photo that is learned, perhaps made smaller, and its layout.

    Args:
        photo: uint8 (H, W, 3) RGB.
        layout: of the same size.
        kind: what the layout was made from, and later layouts may be made from.

    Raises:
        InputError: photo and layout differ in size.
    """

    photo: np.ndarray
    layout: Layout
    kind: LayoutKind = "labels"

    def __post_init__(self) -> None:
        if self.photo.shape[:2] != self.layout.shape:
            raise InputError(
                f"photo {self.photo.shape[1]}x{self.photo.shape[0]} and label map"
                f" {self.layout.shape[1]}x{self.layout.shape[0]} differ in size; scale the map with nearest neighbour"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.layout.shape

    @property
    def class_ids(self) -> tuple[int, ...]:
        """The ids that the photo shows, ascending."""
        return tuple(value_counts(self.layout.label_map))

    def at_most(self, longer_side: int) -> Source:
        """Returns the source with its longer side made so long at most; the photo is averaged, the maps are picked."""
        photo = photo_at_most(self.photo, longer_side)
        size = (photo.shape[1], photo.shape[0])
        if photo.shape == self.photo.shape:
            return self
        return Source(photo, resized_layout(self.layout, size, lines=self.kind == "edges"), self.kind)

    def check_learnable(self) -> None:
        """Raises `InputError` for a photo that is too small to learn, or with nothing to tell apart in it."""
        height, width = self.shape
        if min(height, width) < LEAST_SIDE:
            raise InputError(
                f"the photo is {width}x{height} as it is to be learned; at least {LEAST_SIDE} pixels a side are needed:"
                " give a larger photo, or a larger --size"
            )
        if len(self.class_ids) < 2:
            label_set = self.layout.label_set
            only = self.class_ids[0]
            name = label_set.by_id[only].name if only in label_set.by_id else str(only)
            raise InputError(
                f"the label map holds one class only, {name!r}, in all {height * width} pixels: there is nothing to"
                " tell apart; give a map of at least two classes"
            )

    def save(self, folder: Path) -> None:
        """Writes photo.png, labels.png, instances.png where there are instances, and classes.json, into a folder."""
        write_photo(folder / "photo.png", self.photo)
        write_label_map(folder / "labels.png", self.layout.label_map, self.layout.label_set)
        if self.layout.instance_map is not None:
            write_instance_map(folder / "instances.png", self.layout.instance_map)
        write_text(folder / "classes.json", self.layout.label_set.to_json())

    @classmethod
    def load(cls, folder: Path, label_set: LabelSet, kind: str = "labels") -> Self:
        """Returns the source of a model folder; a file that is missing or broken is a `ModelError`."""
        again = "take the model folder from its source again, or fit the photo again"
        for name in ("photo.png", "labels.png"):
            if not (folder / name).is_file():
                raise ModelError(f"{folder / name} is missing, which the fit learned; {again}")
        if kind not in get_args(LayoutKind):
            raise ModelError(f"{folder / 'config.json'}: layout {kind!r} is none of {', '.join(get_args(LayoutKind))}")
        try:
            photo = read_photo(folder / "photo.png").pixels
            labels = read_label_map(folder / "labels.png", label_set)
            instances = read_raw_map(folder / "instances.png") if (folder / "instances.png").is_file() else None
            return cls(photo, Layout(labels, label_set, instances), kind)  # type: ignore[arg-type]
        except InputError as error:
            raise ModelError(f"{folder} does not hold what the fit learned ({error}); {again}") from error


def photo_at_most(photo: np.ndarray, longer_side: int) -> np.ndarray:
    """Returns a photo, uint8 (H, W, 3), its longer side made so long at most."""
    height, width = photo.shape[:2]
    factor = longer_side / max(height, width)
    if factor >= 1:
        return photo
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    return np.asarray(Image.fromarray(np.ascontiguousarray(photo)).resize(size, Image.Resampling.LANCZOS))


def resized_layout(layout: Layout, size: tuple[int, int], *, lines: bool = False) -> Layout:
    """Returns a layout at (width, height), each pixel picked; with `lines` a rare class is not lost in thin lines."""
    if (layout.shape[1], layout.shape[0]) == size:
        return layout
    labels = _picked(layout.label_map, size)
    if lines:
        counts = value_counts(layout.label_map)
        rare = min(counts, key=lambda value: counts[value])
        share = Image.fromarray((layout.label_map == rare).astype(np.float32)).resize(size, Image.Resampling.BOX)
        common = max(counts, key=lambda value: counts[value])
        labels = np.where(np.asarray(share) > 0.25, rare, common)
    instances = None if layout.instance_map is None else _picked(layout.instance_map, size)
    return Layout(labels, layout.label_set, instances)


def _picked(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    width, height = size
    rows = ((np.arange(height) + 0.5) * plane.shape[0] / height).astype(np.int64)
    columns = ((np.arange(width) + 0.5) * plane.shape[1] / width).astype(np.int64)
    picked: np.ndarray = plane[rows[:, None], columns]
    return picked
