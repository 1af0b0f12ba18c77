"""Batches of layouts for the methods that make whole pictures, and which pixels of a layout are one object."""

from __future__ import annotations

from typing import Final, NamedTuple

import torch
from torch import Tensor

from scenebrush.errors import LabelError

IDS_PER_CLASS: Final = 2**32
"""More than any instance map counts; an object's id is class * this + instance."""


class LayoutBatch(NamedTuple):
    """A batch of photos with their layouts.

    `image` (B, 3, H, W) in [-1, 1]; `label_map` class indices (B, H, W) or (B, 1, H, W), 255 = unlabelled;
    `instance_map` integers of the same shape, 0 = no instance, or None where there are none.
    """

    image: Tensor
    label_map: Tensor
    instance_map: Tensor | None = None

    def to(self, device: torch.device | str) -> LayoutBatch:
        """Returns the batch on a device."""
        instances = None if self.instance_map is None else self.instance_map.to(device)
        return LayoutBatch(self.image.to(device), self.label_map.to(device), instances)


def object_map(label_map: Tensor, instance_map: Tensor | None = None) -> Tensor:
    """Returns which object every pixel belongs to, int64 (B, 1, H, W): one id per (class, instance).

    In a layout all stuff has instance 0: without the class, no boundary would run between sky and road. Cityscapes'
    own instance ids, which hold the class, come out as the same parts. `class_of` and `instance_of` take an id apart.

    Args:
        label_map: integer class indices, (B, H, W) or (B, 1, H, W).
        instance_map: integer, the same size, 0 = no instance; None = every class is one object.

    Raises:
        LabelError: maps of two sizes, or a negative instance id.
    """
    labels = _with_channel(label_map)
    if instance_map is None:
        return labels * IDS_PER_CLASS
    instances = _with_channel(instance_map)
    check_object_ids(instances)
    if instances.shape != labels.shape:
        raise LabelError(
            f"instance map is {tuple(instances.shape)}, label map {tuple(labels.shape)}; give two maps of one size"
        )
    return labels * IDS_PER_CLASS + instances


def class_of(ids: Tensor) -> Tensor:
    """Returns the class index of each id of an `object_map`."""
    return ids // IDS_PER_CLASS


def instance_of(ids: Tensor) -> Tensor:
    """Returns the instance id of each id of an `object_map`; 0 = none."""
    return ids % IDS_PER_CLASS


def whole_classes(objects: Tensor) -> Tensor:
    """Returns an `object_map` in which each class is one object."""
    return class_of(objects) * IDS_PER_CLASS


def check_object_ids(objects: Tensor) -> None:
    """Raises `LabelError` for a negative id, which is what 16 signed bits make of Cityscapes' 33,000."""
    if objects.numel() and int(lowest := objects.long().min()) < 0:
        raise LabelError(
            f"instance map holds id {int(lowest)}; expected 0 or more: read 16-bit maps as unsigned, ids from 32768 on"
            " wrap otherwise"
        )


def _with_channel(label_map: Tensor) -> Tensor:
    return (label_map if label_map.ndim == 4 else label_map[:, None]).long()
