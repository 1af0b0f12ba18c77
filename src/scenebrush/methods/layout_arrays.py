"""Layouts as the networks that make whole pictures take them: class indices, padded; and pictures back."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from scenebrush.errors import ModelError
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout

UNLABELLED = 255
"""The class index that means: of no class (`layers.semantics.one_hot_semantics`)."""


class LayoutTensors(NamedTuple):
    """`label_map` class indices int64 (1, H, W), 255 = unlabelled; `instance_map` the same, 0 = none, or None."""

    label_map: Tensor
    instance_map: Tensor | None


def check_label_set(name: str, mine: LabelSet, layout: Layout) -> None:
    """Raises `ModelError` where a layout has other classes than the model `name`, whose label set is `mine`."""
    theirs = layout.label_set
    if [(c.id, c.name) for c in theirs.classes] != [(c.id, c.name) for c in mine.classes]:
        raise ModelError(
            f"model {name!r} knows the classes of {mine.name!r}, not of {theirs.name!r};"
            f" give a label map of {mine.name!r}, or another model"
        )


def class_indices(label_map: np.ndarray, label_set: LabelSet) -> np.ndarray:
    """Returns the indices (order of the label set) of the ids in a label map, int64 (H, W); 255 for an unknown id."""
    beyond = max(label_set.ids) + 1
    table = np.full(beyond + 1, UNLABELLED, np.int64)
    table[list(label_set.ids)] = np.arange(len(label_set.ids))
    indices: np.ndarray = table[np.where((label_map < 0) | (label_map > beyond), beyond, label_map)]
    return indices


def layout_tensors(layout: Layout, divisor: int = 1) -> LayoutTensors:
    """Returns a layout with sides divisible by `divisor`: its last row and column are repeated, nothing is stretched.

    So no boundary is made where there is none. The picture is cropped again (`picture`).
    """
    labels = _padded(class_indices(layout.label_map, layout.label_set), divisor)
    if layout.instance_map is None:
        return LayoutTensors(labels, None)
    return LayoutTensors(labels, _padded(layout.instance_map.astype(np.int64), divisor))


def photo_tensor(photo: np.ndarray, divisor: int = 1) -> Tensor:
    """Returns a photo, uint8 (H, W, 3), as float (1, 3, H', W') in [-1, 1], padded as `layout_tensors` pads."""
    height, width = photo.shape[:2]
    padded = np.pad(photo, ((0, -height % divisor), (0, -width % divisor), (0, 0)), mode="edge")
    return torch.from_numpy(padded).permute(2, 0, 1)[None].float() / 127.5 - 1


def picture(image: Tensor, shape: tuple[int, int]) -> np.ndarray:
    """Returns a network's picture (1, 3, H', W') in [-1, 1] as uint8 (H, W, 3), its first H rows and W columns."""
    pixels = image[0, :, : shape[0], : shape[1]].float().permute(1, 2, 0)
    return np.asarray(((pixels + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).cpu().numpy())


def _padded(plane: np.ndarray, divisor: int) -> Tensor:
    height, width = plane.shape
    return torch.from_numpy(np.pad(plane, ((0, -height % divisor), (0, -width % divisor)), mode="edge"))[None]
