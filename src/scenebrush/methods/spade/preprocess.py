"""From label and instance map to what the networks see (facts 2.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from scenebrush.layers.layouts import LayoutBatch, object_map
from scenebrush.layers.semantics import boundary_map, one_hot_semantics

__all__ = ["LayoutBatch", "object_map", "one_hot_semantics", "prepare"]


def prepare(
    label_map: Tensor,
    *,
    num_classes: int,
    dontcare_channel: bool = False,
    instance_map: Tensor | None = None,
    unlabelled_id: int = 255,
) -> Tensor:
    """Returns the semantics, float (B, S, H, W): one-hot classes, the unlabelled, the boundaries of instances.

    Args:
        label_map: class indices, (B, H, W) or (B, 1, H, W).
        num_classes: channels of the one-hot classes.
        dontcare_channel: one more channel, for unlabelled pixels; without it they are 0 in all channels.
        instance_map: (B, 1, H, W), an id per object; adds the channel of boundaries: 1 where one of the 4 neighbours
            is of another object. The ids must tell stuff apart, as Cityscapes' do; `object_map` makes such ids.
        unlabelled_id: the index that means unlabelled.
    """
    semantics = one_hot_semantics(
        label_map, num_classes, dontcare_channel=dontcare_channel, unlabelled_id=unlabelled_id
    )
    if instance_map is None:
        return semantics
    return torch.cat([semantics, boundary_map(instance_map)], 1)
