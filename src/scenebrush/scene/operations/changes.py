"""Changes of a layout that keep label and instance maps in step."""

from __future__ import annotations

import numpy as np

from scenebrush.scene.layout import Layout
from scenebrush.scene.objects import new_instance


def put(layout: Layout, region: np.ndarray, class_id: int, instance: int | None = None) -> Layout:
    """Returns the layout with a region of one class.

    Args:
        layout: before.
        region: bool (H, W).
        class_id: the class.
        instance: the object that the region belongs to; None = a new one if the class is a thing, else none.
    """
    label_map = np.where(region, np.int32(class_id), layout.label_map)
    if layout.instance_map is None:
        return Layout(label_map, layout.label_set)
    if instance is None:
        instance = new_instance(layout) if layout.label_set.by_id[class_id].kind == "thing" else 0
    return Layout(label_map, layout.label_set, np.where(region, np.int32(instance), layout.instance_map))
