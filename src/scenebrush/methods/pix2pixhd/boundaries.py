"""Where objects meet (paper section 3.3)."""

from __future__ import annotations

from torch import Tensor

from scenebrush.layers.layouts import check_object_ids
from scenebrush.layers.semantics import boundary_map


def instance_boundaries(objects: Tensor) -> Tensor:
    """Returns float (B, 1, H, W): 1 where a pixel's object differs from any of its 4 neighbours', else 0.

    Both sides of a boundary are set. `objects` is integer (B, 1, H, W): an `object_map`, or an instance map whose ids
    hold the class.
    """
    check_object_ids(objects)
    return boundary_map(objects.long())
