"""Phase "together": pictures with donors for their segments, and what its losses count (see `soft_canvas`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from scenebrush.layers.layouts import LayoutBatch
from scenebrush.methods.layout_arrays import class_indices
from scenebrush.methods.sims.conv_body import resized
from scenebrush.methods.sims.objective import LossWeights
from scenebrush.methods.sims.soft_canvas import Donors, TogetherBatch
from scenebrush.methods.sims.training_canvas import Donor, DonorShapes, classes_with_unknown
from scenebrush.scene.label_set import LabelSet

SEGMENTS = 12
"""Segments of a picture that are pasted, the largest ones."""


@dataclass(frozen=True)
class TogetherWeights(LossWeights):
    """Weights of phase "together"; the others as in phase "synthesis".

    Args:
        own: of the losses that transformation and ordering network have of their own; 0 = these are not asked.
        reach: the gradient of the picture's losses is multiplied by this before it reaches these two; 0 = it does not.
    """

    own: float = 1.0
    reach: float = 1.0


def together_batch(
    shapes: DonorShapes,
    label_set: LabelSet,
    indices: Sequence[int],
    rng: np.random.Generator,
    *,
    size: tuple[int, int],
    candidates: int,
    flip: bool = False,
    count: int = SEGMENTS,
) -> TogetherBatch:
    """Returns whole photos with donors from other photos; without batches for the networks' own losses.

    Args:
        shapes: the split.
        label_set: of the split.
        indices: of the photos.
        rng: draws donors and what is mirrored.
        size: (H, W) that whole photos are resized to.
        candidates: how many random segments of the class the best donor is chosen from.
        flip: mirror half of the photos, with the donors.
        count: segments of each photo, the largest ones.
    """
    made = [_one(shapes, label_set, index, rng, size, candidates, count) for index in indices]
    stacked = [torch.stack(planes) for planes in zip(*made, strict=True)]
    image, labels, instances, picture, colour, mask, wanted, classes, shades = stacked
    mirrored = torch.from_numpy(rng.random(len(made)) < 0.5) if flip else torch.zeros(len(made), dtype=torch.bool)
    image, labels, instances, picture, colour, mask, wanted = (
        torch.where(mirrored.view(-1, *[1] * (x.ndim - 1)), x.flip(-1), x)
        for x in (image, labels, instances, picture, colour, mask, wanted)
    )
    known = torch.from_numpy(classes_with_unknown(labels.numpy(), np.zeros(labels.shape, bool), len(label_set.classes)))
    return TogetherBatch(
        LayoutBatch(image.contiguous(memory_format=torch.channels_last), labels, instances),
        known,
        Donors(colour, mask, wanted, classes, shades, picture),
    )


def _one(
    shapes: DonorShapes,
    label_set: LabelSet,
    index: int,
    rng: np.random.Generator,
    size: tuple[int, int],
    candidates: int,
    count: int,
) -> tuple[Tensor, ...]:
    """Returns image, labels, instances, picture, and the `Donors` without the picture, of one photo."""
    photo = shapes.photos[index]
    label_map = np.maximum(nearest(photo.label_map.astype(np.int64), size), 0)
    classes, shades = torch.full((count,), -1), torch.zeros(count, 3, dtype=torch.uint8)
    colour, mask, wanted = torch.zeros(count, 3, *size), torch.zeros(count, 1, *size), torch.zeros(count, 1, *size)
    segments = shapes.segments[index]
    place = 0
    for number in sorted(range(len(segments)), key=lambda n: -segments[n].area):
        if place == count:
            break
        donor = shapes.best_of(rng, Donor(index, number), candidates)
        if donor is None:
            continue
        theirs, from_photo = shapes.segments[donor.photo][donor.segment], shapes.photos[donor.photo]
        shape = from_photo.label_map.shape
        both = [
            nearest(theirs.whole_mask((shape[0], shape[1])), size),
            nearest(segments[number].whole_mask((photo.label_map.shape[0], photo.label_map.shape[1])), size),
        ]
        if not (both[0].any() and both[1].any()):
            continue  # too thin for this size
        mask[place, 0], wanted[place, 0] = (torch.from_numpy(one).float() for one in both)
        colour[place] = scaled_photo(from_photo.photo, size) * mask[place]
        class_id = segments[number].class_id
        classes[place] = label_set.ids.index(class_id)
        shades[place] = torch.tensor(label_set.by_id[class_id].color, dtype=torch.uint8)
        place += 1
    instances = torch.from_numpy(nearest(photo.instance_map.astype(np.int64), size))
    labels = torch.from_numpy(class_indices(label_map, label_set))
    picture = torch.from_numpy(label_set.colors(label_map)).permute(2, 0, 1)
    return scaled_photo(photo.photo, size), labels, instances, picture, colour, mask, wanted, classes, shades


def scaled_photo(photo: np.ndarray, size: tuple[int, int]) -> Tensor:
    """Returns a photo, uint8 (H, W, 3), as float (3, *size) in [-1, 1]."""
    pixels = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None]
    return resized(pixels, size)[0].float() / 127.5 - 1


def nearest(plane: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns a map at another size (H, W), by nearest neighbour (pixel centres)."""
    rows, columns = ((np.arange(n) * 2 + 1) * whole // (2 * n) for n, whole in zip(size, plane.shape, strict=True))
    picked: np.ndarray = plane[np.ix_(rows, columns)]
    return picked
