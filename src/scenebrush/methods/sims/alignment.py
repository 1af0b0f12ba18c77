"""The transformation network: fits a retrieved segment to the place where it is wanted (paper section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from scenebrush.errors import InputError
from scenebrush.layers.semantics import one_hot_semantics
from scenebrush.methods.layout_arrays import class_indices, photo_tensor
from scenebrush.methods.sims.affine import about, compose, identity, inverse, sampling_affine, scaled, warp
from scenebrush.methods.sims.conv_body import ConvBody, resized
from scenebrush.methods.sims.perturbing import Perturbation, boxes_of, centres_of, perturb, warp_segment
from scenebrush.methods.sims.segments import Segment
from scenebrush.scene.layout import Layout


class TransformationNetwork(nn.Module):
    """(segment, mask wanted, layout) -> affine; starts as the identity.

    Args:
        num_classes: channels of the one-hot layout.
        width: of the body's first group (paper: 64; with 20 classes 14,734,086 parameters).
        working_size: (H, W) that the inputs are resized to.
        window: the network looks at the box wanted, grown to this many times its sides, and its six numbers turn and
            scale about the middle of that: so a person fills as much of its view as a road does. None: the whole
            picture, as in the paper.
        fit_first: segments are fitted by `fit_by_moments` before the network sees them, so that it has to find only
            what masks do not tell (`predict`). Not in the paper.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        width: int = 64,
        working_size: tuple[int, int] = (256, 512),
        window: float | None = 1.5,
        fit_first: bool = True,
    ) -> None:
        super().__init__()
        self.num_classes, self.working_size = num_classes, working_size
        self.window, self.fit_first = window, fit_first
        self.body = ConvBody(3 + 1 + num_classes, width)
        self.affine = nn.Linear(self.body.out_channels, 6)
        nn.init.zeros_(self.affine.weight)
        with torch.no_grad():
            self.affine.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]))

    def forward(self, colour: Tensor, query_mask: Tensor, layout: Tensor) -> Tensor:
        """Returns the affines (B, 2, 3) of `sims.affine`: output -> input, in pixels of pictures of the inputs' size.

        Args:
            colour: the segments, (B, 3, H, W) in [-1, 1], zero outside them.
            query_mask: where they are wanted, (B, 1, H, W), 1 = there.
            layout: one-hot (B, num_classes, H, W), of the picture that is made.
        """
        size = (colour.shape[-2], colour.shape[-1])
        x = torch.cat([colour, query_mask.to(colour.dtype), layout.to(colour.dtype)], 1)
        boxes = _windows(boxes_of(query_mask), size, self.window)
        views = [
            resized(x[index : index + 1, :, y0:y1, x0:x1], self.working_size)
            for index, (x0, y0, x1, y1) in enumerate(boxes.int().tolist())
        ]
        affine = self.affine(self.body(torch.cat(views)).mean((2, 3))).view(-1, 2, 3)
        scale = (boxes[:, 2:] - boxes[:, :2]) / boxes.new_tensor(self.working_size[::-1])
        return about(scaled(affine, scale.to(affine)), centres_of(boxes, size).to(affine))


def predict(
    network: TransformationNetwork, colour: Tensor, mask: Tensor, query_mask: Tensor, layout: Tensor
) -> tuple[Tensor, Tensor]:
    """Returns the affines (B, 2, 3) from where the segments are to where they are wanted, and those of `fit_first`.

    Args:
        network: what to ask.
        colour: the segments where they are, (B, 3, H, W) in [-1, 1], zero outside them.
        mask: the segments' footprints, (B, 1, H, W) in {0, 1}.
        query_mask: where they are wanted, the same.
        layout: one-hot (B, num_classes, H, W).
    """
    if not network.fit_first:
        fitted = identity(len(colour)).to(colour)
        return network(colour, query_mask, layout), fitted
    fits = [fit_by_moments(*both) for both in zip(_arrays(mask), _arrays(query_mask), strict=True)]
    size = (mask.shape[-2], mask.shape[-1])
    fitted = torch.from_numpy(np.stack([sampling_affine(fit, size) for fit in fits])).to(colour)
    return compose(fitted, network(warp_segment(colour, mask, fitted)[0], query_mask, layout)), fitted


def _windows(boxes: Tensor, size: tuple[int, int], window: float | None) -> Tensor:
    """Returns what is looked at, whole numbers (B, 4), for boxes (B, 4) of a picture (H, W)."""
    ends = boxes.new_tensor([size[1], size[0]])
    if window is None:
        return torch.cat([torch.zeros_like(ends), ends]).expand_as(boxes)
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]) * window / 2 + 2  # of a box of one pixel there is a rim to see as well
    return torch.cat([(centre - half).floor().clamp(min=0), torch.minimum((centre + half).ceil(), ends)], 1)


class AlignmentBatch(NamedTuple):
    """Segments whose place is known.

    `colour` (B, 3, H, W) in [-1, 1], moved, zero outside; `mask` (B, 1, H, W), their footprint; `target` (B, 3, H, W),
    the photo; `query_mask` (B, 1, H, W), where they were; `label_map` class indices int64 (B, H, W), 255 = none;
    `back` (B, 2, 3), the affine that moves them back.
    """

    colour: Tensor
    mask: Tensor
    target: Tensor
    query_mask: Tensor
    label_map: Tensor
    back: Tensor

    def to(self, device: torch.device | str) -> AlignmentBatch:
        """Returns the batch on a device."""
        return AlignmentBatch(*(one.to(device) for one in self))


def alignment_batch(
    photos: Sequence[np.ndarray],
    layouts: Sequence[Layout],
    segments: Sequence[Segment],
    generator: torch.Generator,
    *,
    size: tuple[int, int] = (256, 512),
    perturbation: Perturbation | None = None,
) -> AlignmentBatch:
    """Returns a batch of one segment of each photo, moved at random; give a photo several times for several of it.

    Args:
        photos: uint8 (H, W, 3) each, of any sizes.
        layouts: of the photos, of one label set.
        segments: one of each layout.
        generator: of the draws; on the CPU.
        size: (H, W) of the batch.
        perturbation: how far segments are moved.
    """
    target = torch.cat([resized(_pixels(photo), size) for photo in photos]).float() / 127.5 - 1
    masks = [_nearest(s.whole_mask(layout.shape), size) for s, layout in zip(segments, layouts, strict=True)]
    query_mask = torch.stack([torch.from_numpy(mask) for mask in masks])[:, None].float()
    labels = [torch.from_numpy(class_indices(_nearest(one.label_map, size), one.label_set)) for one in layouts]
    moved = perturb(target * query_mask, query_mask, generator, perturbation)
    return AlignmentBatch(moved.colour, moved.mask, target, query_mask, torch.stack(labels), inverse(moved.affine))


def alignment_loss(
    network: TransformationNetwork, batch: AlignmentBatch, *, place_weight: float = 1.0
) -> tuple[Tensor, dict[str, Tensor]]:
    """Returns the paper's L_T, and ours on places, and the parts.

    L_T is the L1 between the photo and what the network makes of the moved segment. The photo is cut to the mask
    wanted, black elsewhere, and so is the segment; colours from 0 to 2, a mean over channels, summed over pixels and
    divided by the area of the masks wanted + 1. The released code looks at the masks' inside alone, which rewards a
    segment that is too large; the paper's formula looks at all.

    On places (not in the paper): how far from its true origin each corner of the box wanted is fetched, L1, in sides
    of the box. The transform that moves back is known in training, and teaches in fewer steps than colours do.

    Args:
        network: what is trained.
        batch: see `alignment_batch`.
        place_weight: of the loss on places; 0 = the paper.

    Returns:
        the loss, and its parts `colour` and `place`, and `overlap`, the mean IoU of the transformed masks with those
        wanted.
    """
    layout = one_hot_semantics(batch.label_map, network.num_classes)
    affine, _ = predict(network, batch.colour, batch.mask, batch.query_mask, layout)
    made = warp((batch.colour + 1) * batch.mask, affine)
    difference = (made - (batch.target + 1) * batch.query_mask).abs().mean(1)
    colour = difference.sum() / (batch.query_mask.sum() + 1)
    place = _misplacement(affine - batch.back, batch.query_mask)
    with torch.no_grad():
        overlap = iou(warp(batch.mask, affine) > 0.5, batch.query_mask > 0.5).mean()
    return colour + place_weight * place, {"colour": colour.detach(), "place": place.detach(), "overlap": overlap}


def _misplacement(difference: Tensor, query_mask: Tensor) -> Tensor:
    """Returns how far a difference of affines (B, 2, 3) moves the corners of the boxes wanted, in their sides."""
    boxes = boxes_of(query_mask)
    centres, sides = centres_of(boxes, (query_mask.shape[-2], query_mask.shape[-1])), boxes[:, 2:] - boxes[:, :2]
    signs = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]])
    corners = (centres[:, None] + signs * sides[:, None] / 2).to(difference)  # (B, 4, 2)
    moved = corners @ difference[:, :, :2].mT + difference[:, None, :, 2]
    return (moved / sides[:, None].to(difference)).abs().mean()


def iou(first: Tensor, second: Tensor) -> Tensor:
    """Returns the intersection over the union, (B,), of bool masks (B, 1, H, W); 0 where both are empty."""
    both, either = (first & second).sum((1, 2, 3)), (first | second).sum((1, 2, 3))
    return both / either.clamp(min=1)


class Aligned(NamedTuple):
    """`colour` uint8 (H, W, 3), zero outside `mask` bool (H, W); `affine` (2, 3), output -> input, of `sims.affine`.

    `moved` is false where the transform would have lowered the overlap: then the segment is as it was, and `affine`
    the identity.
    """

    colour: np.ndarray
    mask: np.ndarray
    affine: np.ndarray
    moved: bool


@torch.inference_mode()
def align(
    network: TransformationNetwork, colour: np.ndarray, mask: np.ndarray, query_mask: np.ndarray, layout: Layout
) -> Aligned:
    """Returns a segment as the network fits it to a query, or as it was where that overlaps more (facts 2.4).

    Args:
        network: in evaluation mode.
        colour: uint8 (H, W, 3), the segment in its own photo (the rest may be anything), at the layout's size.
        mask: bool (H, W), the segment.
        query_mask: bool (H, W), where it is wanted.
        layout: of the picture that is made.
    """
    device = network.affine.weight.device
    labels = torch.from_numpy(class_indices(layout.label_map, layout.label_set))[None].to(device)
    segment = torch.from_numpy(np.array(mask))[None, None].float().to(device)
    query = torch.from_numpy(np.array(query_mask))[None, None].float().to(device)
    one_hot = one_hot_semantics(labels, network.num_classes)
    affine, fitted = predict(network, photo_tensor(colour).to(device) * segment, segment, query, one_hot)
    tries = [one[0].double().cpu().numpy() for one in ([affine, fitted] if network.fit_first else [affine])]
    return transformed(colour, mask, query_mask, *tries)


def align_by_moments(colour: np.ndarray, mask: np.ndarray, query_mask: np.ndarray) -> Aligned:
    """Returns a segment fitted by `fit_by_moments`, or as it was where that overlaps more; arguments as in `align`."""
    matrix = fit_by_moments(mask, query_mask)
    return transformed(colour, mask, query_mask, sampling_affine(matrix, (mask.shape[0], mask.shape[1])))


@torch.inference_mode()
def transformed(colour: np.ndarray, mask: np.ndarray, query_mask: np.ndarray, *affines: np.ndarray) -> Aligned:
    """Returns a segment under the first affine that does not lower the overlap that the ones after it give.

    After the last comes the segment as it was. Other arguments as in `align`.

    Raises:
        InputError: arrays of several sizes.
    """
    if not colour.shape[:2] == mask.shape == query_mask.shape:
        raise InputError(
            f"segment {colour.shape[:2]}, its mask {mask.shape} and the query {query_mask.shape} differ in size;"
            " give all at the layout's (H, W)"
        )
    segment = torch.from_numpy(np.array(mask))[None, None].float()
    query = torch.from_numpy(np.array(query_mask))[None, None]
    best, least = None, float(iou(segment > 0.5, query))
    for affine in reversed(affines):
        overlap = float(iou(warp(segment, torch.from_numpy(affine).float()[None]) > 0.5, query))
        if overlap >= least:
            best, least = affine, overlap
    if best is None:
        return Aligned(colour * mask[..., None], mask, np.eye(2, 3), False)
    pixels = _pixels(colour).float()
    new_pixels, new_mask = warp_segment(pixels, segment, torch.from_numpy(best).float()[None])
    picture = new_pixels[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).numpy()
    return Aligned(picture, new_mask[0, 0].numpy() > 0.5, best, True)


def fit_by_moments(segment_mask: np.ndarray, query_mask: np.ndarray, *, largest_scale: float = 2.0) -> np.ndarray:
    """Returns the axis-aligned affine that gives the segment the query's centroid and spread: no network needed.

    Args:
        segment_mask: bool (H, W).
        query_mask: bool (H, W).
        largest_scale: each side is scaled by at most this, and at least by one over it.

    Returns:
        float64 (2, 3): where each pixel (x, y) of the segment goes, counted from the top left pixel's centre
        (`affine.sampling_affine` makes what `warp` takes of it); the identity where a mask is empty.
    """
    if not segment_mask.any() or not query_mask.any():
        return np.eye(2, 3)
    (centre, spread), (new_centre, new_spread) = _moments(segment_mask), _moments(query_mask)
    scale = np.clip(new_spread / spread, 1 / largest_scale, largest_scale)
    return np.column_stack([np.diag(scale), new_centre - scale * centre])


def _moments(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns centroid and standard deviation, (x, y) each; a pixel is a square, so one alone has a spread too."""
    rows, columns = np.nonzero(mask)
    places = np.stack([columns, rows], 1).astype(float)
    return places.mean(0), np.sqrt(places.var(0) + 1 / 12)


def _arrays(mask: Tensor) -> np.ndarray:
    return np.asarray(mask[:, 0].cpu().numpy() > 0.5)


def _pixels(photo: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None]


def _nearest(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    rows, columns = ((np.arange(n) * 2 + 1) * whole // (2 * n) for n, whole in zip(size, plane.shape, strict=True))
    picked: np.ndarray = plane[np.ix_(rows, columns)]
    return picked
