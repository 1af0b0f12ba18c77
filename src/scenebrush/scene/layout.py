"""Layouts: a label map, with or without an instance map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scenebrush.errors import LabelError
from scenebrush.scene.label_set import LabelSet


@dataclass(frozen=True, eq=False)
class Layout:
    """What is where.

    Args:
        label_map: int32 (H, W), class ids of `label_set` (its `ignore_id` = unlabelled); read-only.
        label_set: the classes.
        instance_map: int32 (H, W), 0 = no instance, 1..N = one object each (an instance has one class),
            or None where objects are to be found as connected components; read-only.
    """

    label_map: np.ndarray
    label_set: LabelSet
    instance_map: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.label_map.ndim != 2:
            raise LabelError(f"a label map has shape (H, W); this one has {self.label_map.shape}")
        object.__setattr__(self, "label_map", _frozen(self.label_map))
        if self.instance_map is not None:
            if self.instance_map.shape != self.label_map.shape:
                raise LabelError(
                    f"instance map {self.instance_map.shape} and label map {self.label_map.shape} differ in size (H, W)"
                )
            object.__setattr__(self, "instance_map", _frozen(self.instance_map))

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.label_map.shape[0], self.label_map.shape[1]


def _frozen(array: np.ndarray) -> np.ndarray:
    copy = np.array(array, dtype=np.int32)
    copy.flags.writeable = False
    return copy
