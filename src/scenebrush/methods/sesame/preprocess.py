"""From photo, label map and hole to what the networks see, and from their picture back to the photo (facts 1.1)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from scenebrush.layers.semantics import boundary_map, one_hot_semantics

__all__ = ["NetworkInput", "mask_image", "one_hot_semantics", "paste", "prepare"]


class NetworkInput(NamedTuple):
    """`masked_image` (B, 3, H, W) in [-1, 1], 0 in the hole; `condition` (B, S + 1, H, W), the hole mask last."""

    masked_image: Tensor
    condition: Tensor


def prepare(
    image: Tensor,
    label_map: Tensor,
    hole: Tensor,
    *,
    num_classes: int,
    dontcare_channel: bool = False,
    instance_map: Tensor | None = None,
    semantics_everywhere: bool = False,
    unlabelled_id: int = 255,
) -> NetworkInput:
    """Returns the input of both networks.

    Args:
        image: (B, 3, H, W) in [-1, 1].
        label_map: class indices, (B, H, W) or (B, 1, H, W).
        hole: (B, 1, H, W), bool or 0/1; 1 = to be made anew.
        num_classes: channels of the one-hot semantics.
        dontcare_channel: one more channel, for unlabelled pixels.
        instance_map: (B, 1, H, W); adds a channel of instance boundaries after the classes.
        semantics_everywhere: the labels outside the hole are given too (the released ADE20K script); by default
            they are zeroed (its Cityscapes script and the paper).
        unlabelled_id: the index that means unlabelled.
    """
    hole = hole.to(image.dtype)
    semantics = one_hot_semantics(
        label_map, num_classes, dontcare_channel=dontcare_channel, unlabelled_id=unlabelled_id
    ).to(image.dtype)
    if instance_map is not None:
        semantics = torch.cat([semantics, boundary_map(instance_map).to(image.dtype)], 1)
    if not semantics_everywhere:
        semantics = semantics * hole
    return NetworkInput(mask_image(image, hole), torch.cat([semantics, hole], 1))


def mask_image(image: Tensor, hole: Tensor) -> Tensor:
    """Returns the image with 0, mid grey, in the hole."""
    return torch.where(hole > 0, torch.zeros_like(image), image)


def paste(image: Tensor, generated: Tensor, hole: Tensor) -> Tensor:
    """Returns `generated` in the hole and `image`, bit by bit, elsewhere: (1 - m) I + m G.

    Under autocast the result has the wider type of the two, so that kept pixels stay exact.
    """
    return torch.where(hole > 0, generated, image)
