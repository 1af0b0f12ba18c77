"""Concatenation at a hidden layer: the labels join the image's features (Reed et al., ICML 2016), here patch by patch.

Reed et al. repeat a text embedding at every place of a late map. A layout has its own labels at every place: their
shares there are joined, through an embedding of the same kind, to the image's features of the same place.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.errors import RecipeError
from scenebrush.layers.discriminators.base import MultiScaleDiscriminator, PatchScale
from scenebrush.layers.discriminators.patches import (
    patch_layer,
    patch_prediction,
    patch_stream,
    patch_windows,
    shares,
    stream_widths,
    stride,
    through,
)
from scenebrush.layers.receptive_field import output_size

JOIN_AFTER: Final = 2
"""Layers of the image stream before the labels join: at a quarter of the size, 18 px seen per place."""


class HiddenConcatenationDiscriminator(MultiScaleDiscriminator):
    """Judges patches of an image whose features are joined by the labels' after the second layer.

    At 256x256 and the defaults the logits are 35x35 (patches of 70 px) and 19x19 (about twice that).
    """

    def __init__(
        self,
        condition_channels: int,
        *,
        image_channels: int = 3,
        width: int = 64,
        num_layers: int = 4,
        num_scales: int = 2,
    ) -> None:
        """Builds the network; `RecipeError` where `num_layers` leaves no layer after the join (3 are needed)."""
        if num_layers <= JOIN_AFTER:
            raise RecipeError(
                f"discriminator layers are {num_layers}; hidden_concatenation joins the labels after {JOIN_AFTER}:"
                f" take {JOIN_AFTER + 1} or more"
            )
        super().__init__(
            HiddenConcatenationScale(condition_channels, image_channels, width, num_layers) for _ in range(num_scales)
        )


class HiddenConcatenationScale(PatchScale):
    """One scale: layers on the image alone, the join with as many channels of labels, layers on both."""

    def __init__(self, condition_channels: int, image_channels: int, width: int, num_layers: int) -> None:
        super().__init__()
        widths = stream_widths(width, num_layers)
        joined = widths[JOIN_AFTER - 1]
        self.image_stream = patch_stream(image_channels, width, num_layers)[:JOIN_AFTER]
        self.embedding = nn.Conv2d(condition_channels, joined, 1)
        inputs = [2 * joined, *widths[JOIN_AFTER:]]
        self.joint_stream = nn.ModuleList(
            patch_layer(inputs[i], inputs[i + 1], stride(JOIN_AFTER + i, num_layers))
            for i in range(num_layers - JOIN_AFTER)
        )
        self.prediction = patch_prediction(width, num_layers)
        self.windows = patch_windows(num_layers)

    def embed(self, condition: Tensor) -> Tensor:
        """Returns the embedded shares of the labels, (B, E, h, w), of the size of the image's map where they join."""
        before = self.windows[:JOIN_AFTER]
        size = (output_size(condition.shape[2], before), output_size(condition.shape[3], before))
        return F.leaky_relu(self.embedding(shares(condition, size)), 0.2)

    def judge(self, image: Tensor, embedded: Tensor) -> tuple[list[Tensor], Tensor]:
        """Returns the maps after each layer, the label channels of the join left out, and the logits."""
        maps = through(self.image_stream, image)
        maps += through(self.joint_stream, torch.cat([maps[-1], embedded], 1))
        return maps, self.prediction(maps[-1])
