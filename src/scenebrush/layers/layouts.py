"""Batches of layouts for the methods that make whole pictures, and which pixels of a layout are one object."""

from __future__ import annotations

from typing import Final, NamedTuple

from torch import Tensor

from scenebrush.errors import LabelError

_IDS_PER_CLASS: Final = 2**32  # more than an instance map counts


class LayoutBatch(NamedTuple):
    """A batch of photos with their layouts.

    `image` (B, 3, H, W) in [-1, 1]; `label_map` class indices (B, H, W) or (B, 1, H, W), 255 = unlabelled;
    `instance_map` integers of the same shape, 0 = no instance, or None where there are none.
    """

    image: Tensor
    label_map: Tensor
    instance_map: Tensor | None = None


def object_map(label_map: Tensor, instance_map: Tensor | None = None) -> Tensor:
    """Returns int64 (B, 1, H, W): one id per object, that is per (class, instance); the numbers mean nothing else.

    In a layout all stuff has instance 0: without the class, no boundary would run between sky and road. Cityscapes'
    own instance ids, which hold the class, come out as the same parts. Maps are (B, H, W) or (B, 1, H, W); without
    an instance map every class is one object. `LabelError` where the maps do not fit.
    """
    labels = _with_channel(label_map)
    if instance_map is None:
        return labels
    instances = _with_channel(instance_map)
    if instances.shape != labels.shape:
        raise LabelError(
            f"instance map is {tuple(instances.shape)}, label map {tuple(labels.shape)}; give two maps of one size"
        )
    return labels * _IDS_PER_CLASS + instances


def _with_channel(label_map: Tensor) -> Tensor:
    return (label_map if label_map.ndim == 4 else label_map[:, None]).long()
