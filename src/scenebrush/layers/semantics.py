"""Label and instance maps as network input."""

from __future__ import annotations

import torch
from torch import Tensor

from scenebrush.errors import LabelError


def one_hot_semantics(
    label_map: Tensor, num_classes: int, *, dontcare_channel: bool = False, unlabelled_id: int = 255
) -> Tensor:
    """Returns float (B, C, H, W): 1 in the channel of each pixel's class, for integer labels (B, H, W) or (B, 1, H, W).

    C = `num_classes`, and one more with `dontcare_channel`. Labels are class indices. Unlabelled pixels
    (`unlabelled_id` or, with the channel, `num_classes`) go to that channel; without it they are 0 in all.
    `LabelError` names any other index that is no class.
    """
    labels = (label_map[:, 0] if label_map.ndim == 4 else label_map).long()
    if unlabelled_id >= num_classes:
        labels = torch.where(labels == unlabelled_id, num_classes, labels)
    _check(labels, num_classes)
    # One channel more for the unlabelled, dropped where it was not asked for.
    one_hot = labels.new_zeros((labels.shape[0], num_classes + 1, *labels.shape[1:]), dtype=torch.float32)
    one_hot.scatter_(1, labels[:, None], 1.0)
    return one_hot if dontcare_channel else one_hot[:, :num_classes]


def boundary_map(instance_map: Tensor) -> Tensor:
    """Returns float (B, 1, H, W): 1 where the instance (B, 1, H, W) differs from any of the 4 neighbours, else 0."""
    boundary = torch.zeros_like(instance_map, dtype=torch.bool)
    across = instance_map[..., :, 1:] != instance_map[..., :, :-1]
    down = instance_map[..., 1:, :] != instance_map[..., :-1, :]
    boundary[..., :, 1:] |= across
    boundary[..., :, :-1] |= across
    boundary[..., 1:, :] |= down
    boundary[..., :-1, :] |= down
    return boundary.float()


def _check(labels: Tensor, num_classes: int) -> None:
    if labels.numel() == 0:
        return
    low, high = (int(extreme) for extreme in torch.aminmax(labels))
    if low < 0 or high > num_classes:
        wrong = low if low < 0 else high
        count = int((labels == wrong).sum())
        raise LabelError(
            f"label map holds class index {wrong} in {count} pixels; the network has classes 0-{num_classes - 1};"
            " map the ids to indices, and unlabelled pixels to 255"
        )
