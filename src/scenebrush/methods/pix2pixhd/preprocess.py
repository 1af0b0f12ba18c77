"""From label and instance maps to what the networks see, and from any size to one they take (facts 1.1)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from scenebrush.errors import InputError
from scenebrush.layers.semantics import one_hot_semantics
from scenebrush.methods.pix2pixhd.boundaries import instance_boundaries, object_map


class LayoutBatch(NamedTuple):
    """A batch of photos with their layouts.

    `image` (B, 3, H, W) in [-1, 1]; `label_map` class indices (B, H, W) or (B, 1, H, W), 255 = unlabelled;
    `instance_map` integers of the same shape, 0 = no instance, or None.
    """

    image: Tensor
    label_map: Tensor
    instance_map: Tensor | None = None

    def to(self, device: torch.device | str) -> LayoutBatch:
        """Returns the batch on a device."""
        return LayoutBatch(*(None if tensor is None else tensor.to(device) for tensor in self))  # type: ignore[arg-type]


class Condition(NamedTuple):
    """What a layout is to the networks.

    `semantics` (B, classes + 1, H, W): one-hot labels, boundaries last; what the discriminator sees beside a picture.
    `objects` int64 (B, 1, H, W): which object a pixel belongs to, for styles.
    """

    semantics: Tensor
    objects: Tensor


def prepare(
    label_map: Tensor, instance_map: Tensor | None = None, *, num_classes: int, boundaries: bool = True
) -> Condition:
    """Returns the condition of a layout.

    Args:
        label_map: class indices (B, H, W) or (B, 1, H, W), 255 = unlabelled: 0 in all channels. With `num_classes` 0 a
            picture (B, C, H, W) in [-1, 1] takes their place, as with the authors' `label_nc 0`.
        instance_map: integer, the same size, 0 = none; None = every class is one object.
        boundaries: append the channel of boundaries between objects.
    """
    if num_classes == 0:
        semantics, labels = label_map, torch.zeros_like(label_map[:, :1], dtype=torch.long)
    else:
        semantics, labels = one_hot_semantics(label_map, num_classes), label_map
    objects = object_map(labels, instance_map)
    return Condition(with_boundaries(semantics, objects) if boundaries else semantics, objects)


def with_boundaries(semantics: Tensor, objects: Tensor) -> Tensor:
    """Returns (B, C + 1, H, W): the semantics and, as last channel, where objects (B, 1, H, W) meet."""
    return torch.cat([semantics, instance_boundaries(objects).to(semantics.dtype)], 1)


def with_styles(semantics: Tensor, styles: Tensor | None) -> Tensor:
    """Returns the generator's input (B, C + F, H, W): one-hot | boundaries | style features of each pixel's object."""
    return semantics if styles is None else torch.cat([semantics, styles.to(semantics.dtype)], 1)


class Padding(NamedTuple):
    """How many pixels were added at the right and at the bottom."""

    right: int
    bottom: int


def pad_map(plane: Tensor, divisor: int, smallest: int = 1) -> tuple[Tensor, Padding]:
    """Returns a map or picture (B, C, H, W) made divisible, its last row and column repeated, and by how much.

    Repeated labels go on as they are and make no boundary; nothing is stretched. `crop` undoes it.
    """
    height, width = plane.shape[2:]
    if not height or not width:
        raise InputError(f"the layout is {width}x{height}; expected at least one pixel")
    padding = Padding(_missing(width, divisor, smallest), _missing(height, divisor, smallest))
    rows = torch.arange(height + padding.bottom, device=plane.device).clamp(max=height - 1)
    columns = torch.arange(width + padding.right, device=plane.device).clamp(max=width - 1)
    return plane[:, :, rows][..., columns], padding


def crop(image: Tensor, padding: Padding) -> Tensor:
    """Returns the picture without the padding of `pad_map`."""
    return image[..., : image.shape[2] - padding.bottom, : image.shape[3] - padding.right]


def shrink_map(plane: Tensor, times: int) -> Tensor:
    """Returns an integer map (B, 1, H, W), halved so many times: every second pixel, so that no new label appears."""
    return plane[..., :: 2**times, :: 2**times]


def shrink_image(image: Tensor, times: int) -> Tensor:
    """Returns a picture (B, C, H, W), halved so many times: means of 2x2 pixels."""
    return F.avg_pool2d(image, 2**times) if times else image


def _missing(size: int, divisor: int, smallest: int) -> int:
    return -(-max(size, smallest) // divisor) * divisor - size
