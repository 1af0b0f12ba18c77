"""Input concatenation: PatchGAN on the stacked pair of condition and image (pix2pix; multi-scale as in pix2pixHD).

The first step of the argument on conditional discriminators (cGAN, Mirza & Osindero 2014) and the discriminator of
SPADE (Park et al., CVPR 2019), whose checkpoints it loads: spectral norm, then instance norm, in the middle layers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from scenebrush.layers.discriminators.base import MultiScaleDiscriminator, PatchScale
from scenebrush.layers.discriminators.patches import patch_prediction, patch_stream, patch_windows, through


class ConcatenatedDiscriminator(MultiScaleDiscriminator):
    """Judges patches of the pair [condition, image], at several scales that share nothing.

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
        super().__init__(
            ConcatenatedScale(condition_channels + image_channels, width, num_layers) for _ in range(num_scales)
        )


class ConcatenatedScale(PatchScale):
    """One scale: one stream over all channels, then the prediction."""

    def __init__(self, in_channels: int, width: int, num_layers: int) -> None:
        super().__init__()
        self.stream = patch_stream(in_channels, width, num_layers)
        self.prediction = patch_prediction(width, num_layers)
        self.windows = patch_windows(num_layers)

    def judge(self, image: Tensor, embedded: Tensor) -> tuple[list[Tensor], Tensor]:
        """Returns the maps after each layer and the logits of the pair [condition, image]."""
        maps = through(self.stream, torch.cat([embedded, image], 1))
        return maps, self.prediction(maps[-1])
