"""From label and instance maps to what the networks see, and from any size to one they take (facts 1.1)."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from scenebrush.errors import InputError
from scenebrush.layers.layouts import object_map
from scenebrush.layers.semantics import one_hot_semantics
from scenebrush.methods.pix2pixhd.boundaries import instance_boundaries


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


class StyledLayout(NamedTuple):
    """What a picture is made from: maps of one size.

    `label_map` class indices (B, 1, H, W), `instance_map` integers (B, 1, H, W) or None, `styles` (B, F, H, W) or None.
    """

    label_map: Tensor
    instance_map: Tensor | None = None
    styles: Tensor | None = None

    @classmethod
    def of(cls, label_map: Tensor, instance_map: Tensor | None, styles: Tensor | None) -> StyledLayout:
        """Returns the layout of maps that may lack the channel axis; `InputError` where their sizes differ."""
        planes = [m[:, None] if m is not None and m.ndim == 3 else m for m in (label_map, instance_map, styles)]
        sizes = {tuple(m.shape[2:]) for m in planes if m is not None}
        if len(sizes) > 1:
            raise InputError(f"label map, instance map and styles are of sizes {sorted(sizes)} (H, W); expected one")
        assert planes[0] is not None
        return cls(planes[0], planes[1], planes[2])

    def padded(self, divisor: int, smallest: int = 1) -> tuple[StyledLayout, Padding]:
        """Returns the layout with divisible sides of at least `smallest`, and what was added (`pad_map`)."""
        label_map, padding = pad_map(self.label_map, divisor, smallest)
        others = [None if m is None else pad_map(m, divisor, smallest)[0] for m in self[1:]]
        return StyledLayout(label_map, *others), padding

    def samples(self) -> list[StyledLayout]:
        """Returns the batch one by one."""
        return [self._cut(itemgetter(slice(i, i + 1))) for i in range(len(self.label_map))]

    def rows(self, first: int, last: int) -> StyledLayout:
        """Returns the layout of rows first to last - 1."""
        return self._cut(lambda m: m[:, :, first:last])

    def _cut(self, cut: Callable[[Tensor], Tensor]) -> StyledLayout:
        return StyledLayout(cut(self.label_map), *(None if m is None else cut(m) for m in self[1:]))


class LayoutRows:
    """The generator's input of one layout as `strips.Rows`: made while it is read, never whole."""

    def __init__(self, layout: StyledLayout, make_input: Callable[[StyledLayout], Tensor]) -> None:
        self.layout = layout
        self.make_input = make_input
        self.height, self.width = layout.label_map.shape[2:]

    def read(self, first: int, last: int) -> Tensor:
        """Returns rows first to last - 1 of the input, (1, C, last - first, W); a boundary needs one row more."""
        begin = max(first - 1, 0)
        rows = self.make_input(self.layout.rows(begin, min(last + 1, self.height)))
        return rows[:, :, first - begin : last - begin]


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
