"""Training pairs of the transformation network: a segment moved, turned, scaled and clipped at random."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from scenebrush.methods.sims.affine import about, warp


@dataclass(frozen=True)
class Perturbation:
    """How far a segment is moved; all draws are uniform between - and + the range.

    The released code's are scale 0.1, translation 0.031, rotation 2.5 and no clipping. Ours go further, as what is
    retrieved from a few hundred photos fits less well than from Cityscapes' 2975.

    Args:
        scale: 1 +- this, for both sides at once, about the box's centre.
        stretch: 1 +- this, for the width alone.
        translation: share of the box's width and height.
        rotation: degrees. The released code draws an angle and never turns by it; the paper turns, and so do we.
        clipping: up to this share of the box is cut off at each side, after the rest.
    """

    scale: float = 0.15
    stretch: float = 0.1
    translation: float = 0.08
    rotation: float = 2.5
    clipping: float = 0.08


class Perturbed(NamedTuple):
    """`colour` float (B, 3, H, W), zero outside `mask` float (B, 1, H, W) in {0, 1}; the `affine` (B, 2, 3) applied."""

    colour: Tensor
    mask: Tensor
    affine: Tensor


def perturb(
    colour: Tensor, mask: Tensor, generator: torch.Generator, perturbation: Perturbation | None = None
) -> Perturbed:
    """Returns the segments moved at random, each by its own draw.

    Args:
        colour: float (B, 3, H, W), zero outside the segment.
        mask: (B, 1, H, W), 1 on the segment.
        generator: of the draws; on the CPU.
        perturbation: the ranges.
    """
    ranges = perturbation if perturbation is not None else Perturbation()
    size = (mask.shape[-2], mask.shape[-1])
    affine = random_affines(boxes_of(mask), size, generator, ranges).to(mask.device)
    moved_colour, moved_mask = warp_segment(colour, mask.float(), affine)
    kept = _clip(boxes_of(moved_mask), size, generator, ranges).to(mask.device)
    return Perturbed(moved_colour * kept, moved_mask * kept, affine)


def warp_segment(colour: Tensor, mask: Tensor, affine: Tensor) -> tuple[Tensor, Tensor]:
    """Returns a segment transformed: colour (B, 3, H, W), zero outside mask (B, 1, H, W) in {0, 1}.

    Its rim keeps its colour: what is mixed with the zeros outside is divided by the segment's share in it.
    """
    share = warp(mask, affine)
    moved = (share > 0.5).to(colour.dtype)
    return warp(colour * mask, affine) / share.clamp(min=0.5) * moved, moved


def boxes_of(mask: Tensor) -> Tensor:
    """Returns the boxes of masks (B, 1, H, W) as float (B, 4): x0, y0, x1, y1, ends not included; empty = the whole."""
    boxes = []
    for one in mask[:, 0] > 0.5:
        rows, columns = one.any(1).nonzero()[:, 0], one.any(0).nonzero()[:, 0]
        if len(rows):
            boxes.append([int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1])
        else:
            boxes.append([0, 0, one.shape[1], one.shape[0]])
    return torch.tensor(boxes, dtype=torch.float32)


def centres_of(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Returns the centres (B, 2) of boxes (B, 4), (x, y) in pixels from the picture's centre."""
    middle = boxes.new_tensor([size[1] / 2, size[0] / 2])
    return (boxes[:, :2] + boxes[:, 2:]) / 2 - middle


def random_affines(boxes: Tensor, size: tuple[int, int], generator: torch.Generator, ranges: Perturbation) -> Tensor:
    """Returns a random affine (B, 2, 3), output -> input pixels, for every box (B, 4) of a picture (H, W)."""
    scale, stretch, angle, right, down = (2 * torch.rand(5, len(boxes), generator=generator) - 1).unbind()
    wide = (1 + ranges.scale * scale) * (1 + ranges.stretch * stretch)
    high = 1 + ranges.scale * scale
    angle = angle * ranges.rotation * math.pi / 180
    shift = torch.stack([right, down], 1) * ranges.translation * (boxes[:, 2:] - boxes[:, :2])
    linear = torch.stack(
        [
            torch.stack([torch.cos(angle) / wide, torch.sin(angle) / wide], -1),
            torch.stack([-torch.sin(angle) / high, torch.cos(angle) / high], -1),
        ],
        1,
    )
    return about(torch.cat([linear, shift[..., None]], -1), centres_of(boxes, size))


def _clip(boxes: Tensor, size: tuple[int, int], generator: torch.Generator, ranges: Perturbation) -> Tensor:
    """Returns 1 where nothing is cut off, (B, 1, H, W)."""
    cut = torch.rand(4, len(boxes), generator=generator) * ranges.clipping
    sides = boxes[:, 2:] - boxes[:, :2]
    x0, y0 = (boxes[:, :2] + cut[:2].T * sides).T[..., None, None]
    x1, y1 = (boxes[:, 2:] - cut[2:].T * sides).T[..., None, None]
    columns, rows = torch.arange(size[1]) + 0.5, (torch.arange(size[0]) + 0.5)[:, None]
    inside: Tensor = (columns >= x0) & (columns <= x1) & (rows >= y0) & (rows <= y1)
    return inside[:, None].float()
