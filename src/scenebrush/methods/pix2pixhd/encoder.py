"""The instance-wise feature encoder of pix2pixHD (paper section 3.4): a photo becomes one style per object."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from scenebrush.errors import InputError
from scenebrush.layers.initialisation import normal_
from scenebrush.layers.layouts import check_object_ids
from scenebrush.methods.pix2pixhd.blocks import Norm, instance_norm, reflect
from scenebrush.methods.pix2pixhd.generator import HEAD_KERNEL, GlobalTrunk


class FeatureEncoder(nn.Module):
    """Photo and object map -> features in [-1, 1] that are the same all over an object."""

    def __init__(
        self,
        num_features: int = 3,
        *,
        image_channels: int = 3,
        width: int = 16,
        num_downsamplings: int = 4,
        norm: Norm = instance_norm,
    ) -> None:
        super().__init__()
        self.trunk = GlobalTrunk(
            image_channels, width=width, num_downsamplings=num_downsamplings, num_blocks=0, norm=norm
        )
        self.head = nn.Conv2d(width, num_features, HEAD_KERNEL)
        self.divisor = 2**num_downsamplings
        normal_(self)

    def forward(self, image: Tensor, object_map: Tensor) -> Tensor:
        """Returns the mean over each object, spread over it again: (B, F, H, W).

        Args:
            image: (B, 3, H, W) in [-1, 1], sides divisible by `divisor`.
            object_map: integer (B, 1, H, W); pixels of one id in one picture are one object, connected or not.
        """
        return pool_objects(self.features(image), object_map).spread()

    def features(self, image: Tensor) -> Tensor:
        """Returns the features of every pixel before pooling, (B, F, H, W)."""
        return torch.tanh(self.head(reflect(self.trunk(image), HEAD_KERNEL // 2)))


class ObjectFeatures(NamedTuple):
    """The means of every object of a batch, in the order of (picture, id).

    `means` (N, F) float; `ids` (N,) int64; `pictures` (N,) int64, which sample of the batch; `pixels` (N,) int64, the
    sizes; `row_map` (B, H, W) int64: the row of every pixel's object.
    """

    means: Tensor
    ids: Tensor
    pictures: Tensor
    pixels: Tensor
    row_map: Tensor

    def spread(self) -> Tensor:
        """Returns (B, F, H, W): every pixel has its object's mean."""
        return self.means[self.row_map].permute(0, 3, 1, 2)  # channels_last, without a copy


def pool_objects(features: Tensor, object_map: Tensor) -> ObjectFeatures:
    """Returns the mean of `features` (B, F, H, W) over each object of each picture.

    One scatter for all objects of the batch, summed in float64: a float32 sum over a megapixel of sky is no longer
    exact, and sums by many threads would differ from run to run. Gradients flow into `features`.

    Raises:
        InputError: features and map of different sizes.
        LabelError: a negative id, which is what 16 signed bits make of Cityscapes' 33,000.
    """
    check_object_ids(object_map)
    batch, channels, height, width = features.shape
    if tuple(object_map.shape) != (batch, 1, height, width):
        raise InputError(
            f"object map is {tuple(object_map.shape)}, features are {tuple(features.shape)};"
            f" expected ({batch}, 1, {height}, {width})"
        )
    ids, number = torch.unique(object_map.long(), return_inverse=True)
    picture = torch.arange(batch, device=number.device).view(-1, 1, 1, 1)
    rows, index = torch.unique(picture * len(ids) + number, return_inverse=True)
    pixels = torch.bincount(index.flatten(), minlength=len(rows))
    flat = features.permute(0, 2, 3, 1).reshape(-1, channels).double()
    sums = flat.new_zeros(len(rows), channels).index_add(0, index.flatten(), flat)
    means = (sums / pixels[:, None]).to(features.dtype)
    return ObjectFeatures(means, ids[rows % len(ids)], rows // len(ids), pixels, index[:, 0])
