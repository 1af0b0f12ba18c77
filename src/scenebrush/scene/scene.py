"""Scenes: a photo and its layout."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np

from scenebrush.errors import InputError
from scenebrush.scene import operations
from scenebrush.scene.edit import Edit
from scenebrush.scene.files import MAX_MEGAPIXELS, PhotoFile, read_instance_map, read_label_map, read_photo
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.operations.cutting import without_labels


@dataclass(frozen=True, eq=False)
class Scene:
    """A photo, uint8 (H, W, 3) RGB, and its layout of the same size.

    `file` is what `open` read: the metadata that saving an edited photo keeps.
    """

    photo: np.ndarray
    layout: Layout
    file: PhotoFile | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.photo.ndim != 3 or self.photo.shape[2] != 3 or self.photo.dtype != np.uint8:
            raise InputError(f"a photo is uint8 (H, W, 3); this one is {self.photo.dtype} {self.photo.shape}")
        if self.photo.shape[:2] != self.layout.shape:
            raise InputError(
                f"photo {self.photo.shape[1]}x{self.photo.shape[0]} and label map"
                f" {self.layout.shape[1]}x{self.layout.shape[0]} differ in size; scale the map with nearest neighbour"
            )

    @classmethod
    def open(
        cls,
        photo: str | Path | PhotoFile,
        labels: str | Path,
        label_set: str | Path | LabelSet,
        instances: str | Path | None = None,
        *,
        max_megapixels: float | None = MAX_MEGAPIXELS,
    ) -> Self:
        """Returns the scene of a photo and its maps on disk.

        Args:
            photo: a picture file, or one that `read_photo` has read (which keeps its metadata for saving).
            labels: the label map, same size.
            label_set: a `LabelSet`, the name of a shipped one, or its file.
            instances: the instance map, same size, plain or of Cityscapes.
            max_megapixels: the largest picture to accept; None = no limit.

        Raises:
            InputError: a file that cannot be read or is too large, or sizes that differ.
            LabelError: ids, colours or instances that do not fit.
        """
        classes = label_set if isinstance(label_set, LabelSet) else LabelSet.load(label_set)
        opened = photo if isinstance(photo, PhotoFile) else read_photo(photo, max_megapixels=max_megapixels)
        label_map = read_label_map(labels, classes, max_megapixels=max_megapixels)
        _check_same_size(str(opened.path or "the photo"), opened.pixels.shape[:2], labels, label_map.shape)
        instance_map = None
        if instances is not None:
            instance_map = read_instance_map(instances, label_map, classes, max_megapixels=max_megapixels)
        return cls(opened.pixels, Layout(label_map, classes, instance_map), opened)

    @classmethod
    def without_labels(cls, photo: str | Path | PhotoFile, *, max_megapixels: float | None = MAX_MEGAPIXELS) -> Self:
        """Returns the scene of a photo that has no label map: of what it shows nothing is known.

        Objects can be copied out of it (`Segment.in_box`); other arguments and errors as of `open`.
        """
        opened = photo if isinstance(photo, PhotoFile) else read_photo(photo, max_megapixels=max_megapixels)
        height, width = opened.pixels.shape[:2]
        return cls(opened.pixels, without_labels((height, width)), opened)

    add = operations.add
    erase = operations.erase
    move = operations.move
    paint = operations.paint
    relabel = operations.relabel
    resize = operations.resize

    def apply(self, edit: Edit, photo: np.ndarray) -> Scene:
        """Returns the scene after an edit: its layout, and the photo that a method made of it, uint8 (H, W, 3).

        Raises:
            InputError: a photo of another size or type.
        """
        return Scene(photo, edit.layout)


def _check_same_size(photo: str, size: tuple[int, ...], labels: str | Path, map_size: tuple[int, ...]) -> None:
    if size == map_size:
        return
    turned = size == map_size[::-1]
    mend = "turn the map as the photo's EXIF orientation says" if turned else "scale the map with nearest neighbour"
    raise InputError(f"{photo} is {size[1]}x{size[0]} but {labels} is {map_size[1]}x{map_size[0]}; {mend}")
