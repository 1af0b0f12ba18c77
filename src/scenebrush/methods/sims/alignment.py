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
from scenebrush.methods.sims.affine import about, at_size, sampling_affine, warp
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
        about_query: the six numbers turn and scale about the middle of the box wanted, not the picture's: scaling a
            segment far from the picture's middle would also move it, which the released code has to learn away.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        width: int = 64,
        working_size: tuple[int, int] = (256, 512),
        about_query: bool = True,
    ) -> None:
        super().__init__()
        self.num_classes, self.working_size, self.about_query = num_classes, working_size, about_query
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
        features = self.body(resized(x, self.working_size)).mean((2, 3))
        affine = at_size(self.affine(features).view(-1, 2, 3), self.working_size, size)
        if not self.about_query:
            return affine
        return about(affine, centres_of(boxes_of(query_mask), size).to(affine))


class AlignmentBatch(NamedTuple):
    """Segments whose place is known.

    `colour` (B, 3, H, W) in [-1, 1], moved, zero outside; `mask` (B, 1, H, W), their footprint; `target` (B, 3, H, W),
    the photo; `query_mask` (B, 1, H, W), where they were; `label_map` class indices int64 (B, H, W), 255 = none.
    """

    colour: Tensor
    mask: Tensor
    target: Tensor
    query_mask: Tensor
    label_map: Tensor

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
    target = torch.cat([resized(photo_tensor(photo), size) for photo in photos])
    masks = [_plane(s.whole_mask(layout.shape), size) for s, layout in zip(segments, layouts, strict=True)]
    query_mask = (torch.cat(masks) > 0.5).float()
    labels = [torch.from_numpy(_nearest(class_indices(one.label_map, one.label_set), size)) for one in layouts]
    moved = perturb(target * query_mask, query_mask, generator, perturbation)
    return AlignmentBatch(moved.colour, moved.mask, target, query_mask, torch.stack(labels))


def alignment_loss(network: TransformationNetwork, batch: AlignmentBatch) -> tuple[Tensor, dict[str, Tensor]]:
    """Returns the paper's L_T and its parts: L1 between the photo and what the network makes of the moved segment.

    Within the masks wanted, summed over pixels, a mean over channels, divided by the masks' area + 1; colours in
    [-1, 1]. Parts: `colour`, the loss; `overlap`, the mean IoU of the transformed masks with those wanted.
    """
    layout = one_hot_semantics(batch.label_map, network.num_classes)
    affine = network(batch.colour, batch.query_mask, layout)
    difference = (warp(batch.colour, affine) - batch.target).abs() * batch.query_mask
    colour = difference.mean(1).sum() / (batch.query_mask.sum() + 1)
    with torch.no_grad():
        overlap = iou(warp(batch.mask, affine) > 0.5, batch.query_mask > 0.5).mean()
    return colour, {"colour": colour.detach(), "overlap": overlap}


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
    affine = network(photo_tensor(colour).to(device) * segment, query, one_hot)[0]
    return transformed(colour, mask, query_mask, affine.double().cpu().numpy())


def align_by_moments(colour: np.ndarray, mask: np.ndarray, query_mask: np.ndarray) -> Aligned:
    """Returns a segment fitted by `fit_by_moments`, or as it was where that overlaps more; arguments as in `align`."""
    matrix = fit_by_moments(mask, query_mask)
    return transformed(colour, mask, query_mask, sampling_affine(matrix, (mask.shape[0], mask.shape[1])))


@torch.inference_mode()
def transformed(colour: np.ndarray, mask: np.ndarray, query_mask: np.ndarray, affine: np.ndarray) -> Aligned:
    """Returns a segment under an affine, or as it was where that overlaps the query more; arguments as in `align`.

    Raises:
        InputError: arrays of several sizes.
    """
    if not colour.shape[:2] == mask.shape == query_mask.shape:
        raise InputError(
            f"segment {colour.shape[:2]}, its mask {mask.shape} and the query {query_mask.shape} differ in size;"
            " give all at the layout's (H, W)"
        )
    pixels = torch.from_numpy(np.array(colour)).permute(2, 0, 1)[None].float()
    segment = torch.from_numpy(np.array(mask))[None, None].float()
    query = torch.from_numpy(np.array(query_mask))[None, None]
    new_pixels, new_mask = warp_segment(pixels, segment, torch.from_numpy(affine).float()[None])
    if float(iou(new_mask > 0.5, query)) < float(iou(segment > 0.5, query)):
        return Aligned(colour * mask[..., None], mask, np.eye(2, 3), False)
    picture = new_pixels[0].permute(1, 2, 0).round().clamp(0, 255).to(torch.uint8).numpy()
    return Aligned(picture, new_mask[0, 0].numpy() > 0.5, affine, True)


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


def _plane(mask: np.ndarray, size: tuple[int, int]) -> Tensor:
    return resized(torch.from_numpy(mask)[None, None].float(), size)


def _nearest(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    rows = np.round(np.linspace(0, plane.shape[0] - 1, size[0])).astype(int)
    columns = np.round(np.linspace(0, plane.shape[1] - 1, size[1])).astype(int)
    picked: np.ndarray = plane[np.ix_(rows, columns)]
    return picked
