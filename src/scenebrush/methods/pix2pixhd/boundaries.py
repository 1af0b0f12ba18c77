"""Which pixels are one object, and where objects meet (paper section 3.3)."""

from __future__ import annotations

from torch import Tensor

from scenebrush.errors import LabelError
from scenebrush.layers.semantics import boundary_map

IDS_PER_CLASS = 2**32
"""More than any instance map counts; an object's id is class * this + instance."""


def object_map(label_map: Tensor, instance_map: Tensor | None = None) -> Tensor:
    """Returns which object every pixel belongs to, int64 (B, 1, H, W): one id per (class, instance).

    In a layout all stuff shares instance 0; without the class, sky and road would be one object and have no boundary.
    Cityscapes' own ids, which hold the class, come out as the same partition. `class_of` and `instance_of` take an
    id apart.

    Args:
        label_map: integer class indices, (B, H, W) or (B, 1, H, W).
        instance_map: integer, the same shape, 0 = no instance; None = every class is one object.
    """
    labels = _channel(label_map)
    if instance_map is None:
        return labels * IDS_PER_CLASS
    instances = _channel(instance_map)
    check_object_ids(instances)
    if instances.shape != labels.shape:
        raise LabelError(
            f"instance map is {tuple(instances.shape)}, label map {tuple(labels.shape)}; expected maps of one picture"
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


def instance_boundaries(objects: Tensor) -> Tensor:
    """Returns float (B, 1, H, W): 1 where a pixel's object differs from any of its 4 neighbours', else 0.

    Both sides of a boundary are set. `objects` is integer (B, 1, H, W): an `object_map`, or an instance map whose ids
    hold the class.
    """
    check_object_ids(objects)
    return boundary_map(objects.long())


def check_object_ids(objects: Tensor) -> None:
    """Raises `LabelError` for a negative id, which is what 16 signed bits make of Cityscapes' 33,000."""
    if objects.numel() and int(lowest := objects.long().min()) < 0:
        raise LabelError(
            f"instance map holds id {int(lowest)}; expected 0 or more: read 16-bit maps as unsigned, ids from 32768 on"
            " wrap otherwise"
        )


def _channel(plane: Tensor) -> Tensor:
    return (plane[:, None] if plane.ndim == 3 else plane).long()
