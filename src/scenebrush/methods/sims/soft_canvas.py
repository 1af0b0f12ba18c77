"""A canvas through which gradients flow: from the finished picture back to transformation and ordering network.

Not in the paper, whose networks are trained apart ("not end-to-end" is what its authors left open). The segments of a
layout, each with a donor from another photo, are moved by differentiable warps; a pair that overlaps is ordered by a
probability; each pixel is the mean of what may lie on top there. With hard masks and certain orders that is painting.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from scenebrush.errors import InputError
from scenebrush.layers.layouts import LayoutBatch
from scenebrush.layers.semantics import one_hot_semantics
from scenebrush.methods.sims.affine import identity, warp
from scenebrush.methods.sims.alignment import AlignmentBatch, TransformationNetwork, iou, predict
from scenebrush.methods.sims.conv_body import resized
from scenebrush.methods.sims.ordering import OrderingBatch, OrderingNetwork

_LEAST_SHARED = 1.0  # pixels; pairs that share less are not worth asking the ordering network about
_LEAST_SHARE = 1e-4  # of a pixel: where less is present there is no colour to speak of


class Donors(NamedTuple):
    """The K largest segments of each picture, fewer = the rest is empty (class -1), each with a donor.

    `colour` (B, K, 3, H, W) in [-1, 1], the donors where they lie in their own photos, zero outside; `mask`
    (B, K, 1, H, W) in {0, 1}, their footprints; `wanted`, the same, the segments that they are to be; `classes` int64
    (B, K), indices; `shades` uint8 (B, K, 3), the classes' colours; `picture` uint8 (B, 3, H, W), the layouts in those.
    """

    colour: Tensor
    mask: Tensor
    wanted: Tensor
    classes: Tensor
    shades: Tensor
    picture: Tensor

    def to(self, device: torch.device | str) -> Donors:
        """Returns the donors on a device."""
        return Donors(*(one.to(device) for one in self))


class TogetherBatch(NamedTuple):
    """Photos with donors for their segments, to train all three networks at once.

    `layouts` are the photos with their true layouts; `labels` int64 (B, H, W), class indices, `num_classes` = unknown;
    `moved` and `pairs` are batches for the losses that transformation and ordering network have of their own; None =
    without.
    """

    layouts: LayoutBatch
    labels: Tensor
    donors: Donors
    moved: AlignmentBatch | None = None
    pairs: OrderingBatch | None = None

    def to(self, device: torch.device | str) -> TogetherBatch:
        """Returns the batch on a device."""
        moved = None if self.moved is None else self.moved.to(device)
        pairs = None if self.pairs is None else self.pairs.to(device)
        return TogetherBatch(self.layouts.to(device), self.labels.to(device), self.donors.to(device), moved, pairs)


class SoftCanvas(NamedTuple):
    """`canvas` (B, 3, H, W) in [-1, 1], black where nothing is `present` (B, 1, H, W) in [0, 1].

    `masks` (B, K, 1, H, W), the donors' footprints at their new places; `in_front` (B, K, K), how surely segment i lies
    in front of segment j.
    """

    canvas: Tensor
    present: Tensor
    masks: Tensor
    in_front: Tensor


def soft_canvas(
    transformation: TransformationNetwork,
    ordering: OrderingNetwork,
    donors: Donors,
    labels: Tensor,
    *,
    hard: bool = False,
    within: bool = False,
) -> SoftCanvas:
    """Returns the canvas of donors as the two networks place and order them.

    Args:
        transformation: moves them, from where their moments put them.
        ordering: tells which of two that overlap is in front. Of two of one class, which it cannot tell apart, the one
            whose place reaches lower in the picture is.
        donors: the segments.
        labels: int64 (B, H, W), class indices of the layouts.
        hard: decide, as canvases are made for users: a mask covers a pixel or not, a segment is in front or not, and
            a transform that lowers the overlap is not applied (`alignment.transformed`). No gradient then.
        within: segments keep to the places that are wanted (`footprint: layout`); then order decides nothing.
    """
    batch, count, _, height, width = donors.colour.shape
    colour, mask, wanted = (x.flatten(0, 1) for x in (donors.colour, donors.mask, donors.wanted))
    layout = one_hot_semantics(labels, transformation.num_classes).repeat_interleave(count, 0)
    affine, fitted = predict(transformation, colour, mask, wanted, layout)
    if hard:
        affine = _without_harm([affine, fitted, identity(len(affine)).to(affine)], mask, wanted)
    masks, colours = warp(mask, affine), warp(colour * mask, affine)
    if hard:
        covered = (masks > 0.5).to(masks.dtype)
        masks, colours = covered, colours / masks.clamp(min=0.5) * covered
    if within:
        masks, colours = masks * wanted, colours * wanted
    masks = masks.view(batch, count, 1, height, width)
    in_front = order_softly(ordering, donors, masks)
    if hard:
        in_front = (in_front > 0.5).to(in_front.dtype)
    canvas, present = composite(colours.view(batch, count, 3, height, width), masks, in_front)
    return SoftCanvas(canvas, present, masks, in_front)


def composite(colours: Tensor, masks: Tensor, in_front: Tensor) -> tuple[Tensor, Tensor]:
    """Returns canvas (B, 3, H, W), black (-1) where nothing is, and what is present, (B, 1, H, W).

    The weight of segment i is m_i prod_j (1 - m_j p(j in front of i)): the probability that i is there and nothing
    that is there lies in front of it, were all drawn independently. These add up to at most what is present,
    1 - prod(1 - m_i), and to less where three or more could lie in a circle; that rest is shared out in proportion.

    Args:
        colours: (B, K, 3, H, W) in [-1, 1], times the masks.
        masks: (B, K, 1, H, W) in [0, 1].
        in_front: (B, K, K) in [0, 1], [b, i, j] = p(i in front of j) = 1 - [b, j, i]; the diagonal is not looked at.

    Raises:
        InputError: shapes that do not belong together.
    """
    batch, count = masks.shape[:2]
    if in_front.shape != (batch, count, count) or colours.shape[:2] != (batch, count):
        raise InputError(
            f"colours {tuple(colours.shape)}, masks {tuple(masks.shape)} and order {tuple(in_front.shape)} do not fit;"
            " give (B, K, 3, H, W), (B, K, 1, H, W) and (B, K, K)"
        )
    others = in_front * (1 - torch.eye(count, dtype=in_front.dtype, device=in_front.device))
    seen, absent = torch.ones_like(masks), torch.ones_like(masks[:, 0])
    for j in range(count):
        seen = seen * (1 - masks[:, j : j + 1] * others[:, j, :, None, None, None])
        absent = absent * (1 - masks[:, j])
    seen = seen + 1e-6  # of a circle of certain orders nothing would be seen
    present, total = 1 - absent, (masks * seen).sum(1)
    mixed = (colours * seen).sum(1) / total.clamp(min=_LEAST_SHARE * 1e-6)
    return torch.where(present > _LEAST_SHARE, mixed, -1.0).clamp(-1, 1), present


def order_softly(ordering: OrderingNetwork, donors: Donors, masks: Tensor) -> Tensor:
    """Returns p(i in front of j), (B, K, K), of donors at their new places `masks` (B, K, 1, H, W).

    The network's logits are compared between the two classes alone, as in its own loss. Gradients reach its weights,
    not the masks that it looks at.
    """
    batch, count = masks.shape[:2]
    shown = masks.detach()[:, :, 0]
    rows = torch.arange(masks.shape[-2], device=masks.device)[:, None]
    lowest = (donors.wanted[:, :, 0] * rows).amax((2, 3))  # (B, K)
    lower = lowest[:, :, None] - lowest[:, None] + 1e-3 * _rank_differences(count, masks)
    in_front = (lower > 0).to(masks.dtype)
    views, places = [], []
    for b in range(batch):
        flat = shown[b].flatten(1)
        shared, solid = flat @ flat.T, (flat > 0.5).any(1)
        for i in range(count):
            for j in range(i + 1, count):
                if shared[i, j] < _LEAST_SHARED or not (solid[i] and solid[j]):
                    continue
                if donors.classes[b, i] == donors.classes[b, j]:
                    continue
                both, shades = shown[b, [i, j]] > 0.5, donors.shades[b, [i, j]]
                views.append(pair_view(donors.picture[b], both, shades, ordering.working_size, ordering.window))
                places.append((b, i, j))
    if not views:
        return in_front
    b, i, j = torch.tensor(places, device=masks.device).T
    logits = ordering(torch.stack(views).to(masks.dtype))
    classes = torch.stack([donors.classes[b, i], donors.classes[b, j]], 1)
    certain = logits.gather(1, classes).softmax(1)
    return in_front.index_put((b, i, j), certain[:, 0]).index_put((b, j, i), certain[:, 1])


def pair_view(
    picture: Tensor, both: Tensor, shades: Tensor, size: tuple[int, int], window: float | None = None
) -> Tensor:
    """Returns what `ordering.pair_input` does, (6, *size) in [0, 1], of tensors.

    Args:
        picture: uint8 (3, H, W), the layout in its classes' colours.
        both: bool (2, H, W), the two segments; where they overlap the second is shown.
        shades: uint8 (2, 3), their colours.
        size: (H, W) of the result.
        window: see there.
    """
    rows, columns = slice(None), slice(None)
    if window is not None:
        either = both.any(0)
        rows, columns = _grown(either.any(1), window), _grown(either.any(0), window)
    alone = torch.zeros_like(picture)
    for mask, shade in zip(both, shades, strict=True):
        alone = torch.where(mask, shade[:, None, None], alone)
    planes = [resized(plane[None, :, rows, columns], size)[0] for plane in (alone, picture)]
    return torch.cat(planes).float() / 255


def scaled_gradient(x: Tensor, scale: float) -> Tensor:
    """Returns x; its gradient is multiplied by `scale`."""
    if scale == 1:
        return x
    return x.detach() if scale == 0 else scale * x + (1 - scale) * x.detach()


def _without_harm(affines: list[Tensor], mask: Tensor, wanted: Tensor) -> Tensor:
    """Returns of each segment the first affine that overlaps at least as well as the ones after it."""
    best, most = affines[-1], iou(warp(mask, affines[-1]) > 0.5, wanted > 0.5)
    for affine in affines[-2::-1]:
        overlap = iou(warp(mask, affine) > 0.5, wanted > 0.5)
        better = overlap >= most
        best, most = torch.where(better[:, None, None], affine, best), torch.where(better, overlap, most)
    return best


def _rank_differences(count: int, like: Tensor) -> Tensor:
    ranks = torch.arange(count, dtype=like.dtype, device=like.device)
    return ranks[:, None] - ranks


def _grown(taken: Tensor, window: float) -> slice:
    """Returns the range of a bool (n,) that is taken, grown to `window` times its length."""
    places = taken.nonzero()[:, 0]
    start, end = int(places[0]), int(places[-1]) + 1
    more = round((end - start) * (window - 1) / 2) + 1
    return slice(max(start - more, 0), min(end + more, len(taken)))
