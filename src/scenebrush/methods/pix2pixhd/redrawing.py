"""Draws a whole picture and remembers how, then draws parts of it again where the layout or a style changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import torch
from torch import nn

from scenebrush.layers.layouts import object_map
from scenebrush.layers.norms import InstanceNorm
from scenebrush.methods.layout_arrays import UNLABELLED, picture
from scenebrush.methods.pix2pixhd.boundaries import instance_boundaries
from scenebrush.methods.pix2pixhd.networks import Pix2PixHDNetworks
from scenebrush.methods.pix2pixhd.parts import render_part
from scenebrush.methods.pix2pixhd.preprocess import LayoutRows, StyledLayout
from scenebrush.methods.pix2pixhd.strips import Strips, Trace, render_traced
from scenebrush.methods.pix2pixhd.windows import Box, boxes_around, paste

REACH: Final = 4
"""How far around a change is drawn, in pixels of the coarsest level. What the change does beyond that, and does not do
here, is seen in the object itself by .1 to .3 of 255 steps, with random weights."""
LARGEST_SHARE: Final = 0.5
"""Of the picture. Where more than that is to be drawn again, all of it is: the norms are measured anew then."""
GROWTH: Final = 2
"""Where norms measure the picture and a class comes to fill more than so many times what it did in the last one that
was drawn whole, all is drawn, too: kept norms, which know no car, would let a first one look as none does (off by 40 to
60 steps, random weights)."""
SPECK: Final = 1e-4
"""Of the picture. A class that fills less does not count as grown: off by 4 of 31 steps, .07 % by 30 of 54."""
LARGEST: Final = 2**21
"""Pixels of a picture, at width 64, whose maps are kept: 2.7 GB. Larger ones are always drawn whole."""


@dataclass(frozen=True, eq=False)
class Memory:
    """What has to be known of a picture that was drawn whole: its maps, and the layout that it was made from."""

    trace: Trace
    layout: StyledLayout


class Drawn(NamedTuple):
    """`picture` uint8 (H, W, 3); `boxes` of it that the generator saw, perhaps reaching into its padding."""

    picture: np.ndarray
    boxes: tuple[Box, ...]
    memory: Memory | None


def draw_whole(networks: Pix2PixHDNetworks, layout: StyledLayout) -> Drawn:
    """Returns the picture of a layout (B = 1), all of it drawn."""
    height, width = layout.label_map.shape[2:]
    padded, _ = layout.padded(networks.generator.divisor, networks.generator.smallest)
    trace = render_traced(networks.generator, LayoutRows(padded, networks.input), Strips())
    shape = padded.label_map.shape[2:]
    kept = shape.numel() * networks.config.width <= LARGEST * 64
    memory = Memory(trace, padded) if kept else None
    return Drawn(picture(trace.picture, (height, width)), (Box(0, 0, *shape),), memory)


def draw_again(
    networks: Pix2PixHDNetworks, old: np.ndarray, before: StyledLayout, layout: StyledLayout, memory: Memory
) -> Drawn:
    """Returns the picture of a layout, drawn where it differs from another picture's, and around there.

    Args:
        networks: those that drew the other picture.
        old: the other picture, uint8 (H, W, 3); it stays as it is.
        before: its layout.
        layout: the new one, of the same size.
        memory: of the last picture of this series that was drawn whole. What differs from that one, too, and lies
            nearby is drawn again with the rest: its maps in the memory are of the past.
    """
    generator = networks.generator
    before, layout = (one.padded(generator.divisor, generator.smallest)[0] for one in (before, layout))
    changed = changes(before, layout)
    reach = REACH * generator.divisor
    boxes = boxes_around(changed | changes(memory.layout, layout), reach, generator.divisor)
    boxes = [box for box in boxes if changed[box.slices].any()]
    if _too_much(boxes, changed.size) or (boxes and _measures(generator) and _outgrown(memory.layout, layout)):
        return draw_whole(networks, _cut(layout, Box(0, 0, *old.shape[:2])))
    new = old.copy()
    for box in boxes:
        part = render_part(generator, lambda box: _input(networks, layout, box), memory.trace, box)
        paste(new, ((part[0].permute(1, 2, 0) + 1) * 127.5).numpy(), box)
    return Drawn(new, tuple(boxes), memory)


def changes(one: StyledLayout, other: StyledLayout) -> np.ndarray:
    """Returns where two layouts (B = 1) of one size are different input to the generator, bool (H, W).

    Numbers of instances do not count, only their boundaries and styles.
    """
    changed = one.label_map != other.label_map
    boundaries = [instance_boundaries(object_map(layout.label_map, layout.instance_map)) for layout in (one, other)]
    changed |= boundaries[0] != boundaries[1]
    if one.styles is not None and other.styles is not None:
        changed |= (one.styles != other.styles).any(1, keepdim=True)
    return np.asarray(changed[0, 0].numpy())


def _too_much(boxes: list[Box], size: int) -> bool:
    return sum(box.pixels for box in boxes) > LARGEST_SHARE * size


def _measures(generator: nn.Module) -> bool:
    """Returns whether norms take the moments of the picture, as all do but batch norms in evaluation mode."""
    norms = [module for module in generator.modules() if isinstance(module, InstanceNorm | nn.BatchNorm2d)]
    return any(norm.training or isinstance(norm, InstanceNorm) for norm in norms)


def _outgrown(whole: StyledLayout, layout: StyledLayout) -> bool:
    """Returns whether a class fills so much more than in the picture drawn whole that its norms will not do."""
    before, after = (torch.bincount(one.label_map.flatten(), minlength=UNLABELLED + 1) for one in (whole, layout))
    return bool(((after > GROWTH * before) & (after > SPECK * layout.label_map.numel())).any())


def _input(networks: Pix2PixHDNetworks, layout: StyledLayout, box: Box) -> torch.Tensor:
    """Returns a box of the generator's input; a boundary needs a pixel more."""
    height, width = layout.label_map.shape[2:]
    outer = box.grown(1, (height, width))
    rows = slice(box.top - outer.top, box.bottom - outer.top)
    columns = slice(box.left - outer.left, box.right - outer.left)
    return networks.input(_cut(layout, outer))[..., rows, columns]


def _cut(layout: StyledLayout, box: Box) -> StyledLayout:
    planes = [None if plane is None else plane[(..., *box.slices)] for plane in layout]
    assert planes[0] is not None
    return StyledLayout(planes[0], planes[1], planes[2])
