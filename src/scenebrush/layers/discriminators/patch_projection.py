"""The projection discriminator (Miyato & Koyama, ICLR 2018), made patch-wise.

Theirs gives an image of class y the score  D(x, y) = psi(phi(x)) + <V y, phi(x)>  with one feature vector phi(x). A
patch has its own labels at its place p, and not one class but shares y(p) of several, so here

    D(x, y)(p) = psi(f)(p) + <V y(p), W(f)(p)>

with f the last map of a patch stream. psi and W are one convolution with 1 + E channels: both see the same patch.
"""

from __future__ import annotations

from typing import Final

from torch import Tensor

from scenebrush.layers.discriminators.base import MultiScaleDiscriminator, PatchScale
from scenebrush.layers.discriminators.patches import patch_prediction, patch_stream, patch_windows, shares, through
from scenebrush.layers.receptive_field import output_size
from scenebrush.layers.spectral_norm import SpectralConv2d

EMBEDDING_CHANNELS: Final = 128


class PatchProjectionDiscriminator(MultiScaleDiscriminator):
    """Judges patches of an image alone, and adds how their features agree with their labels.

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
        embedding_channels: int = EMBEDDING_CHANNELS,
    ) -> None:
        super().__init__(
            PatchProjectionScale(condition_channels, image_channels, width, num_layers, embedding_channels)
            for _ in range(num_scales)
        )


class PatchProjectionScale(PatchScale):
    """One scale: an image stream, psi and W in one convolution, the embedding V of the labels."""

    def __init__(
        self, condition_channels: int, image_channels: int, width: int, num_layers: int, embedding_channels: int
    ) -> None:
        super().__init__()
        self.image_stream = patch_stream(image_channels, width, num_layers)
        self.prediction = patch_prediction(width, num_layers, 1 + embedding_channels)
        self.embedding = SpectralConv2d(condition_channels, embedding_channels, 1, bias=False)
        self.windows = patch_windows(num_layers)

    def embed(self, condition: Tensor) -> Tensor:
        """Returns V y(p), (B, E, h, w), of the size of the logits; y(p) are the labels' shares of the place p."""
        size = (output_size(condition.shape[2], self.windows), output_size(condition.shape[3], self.windows))
        embedded: Tensor = self.embedding(shares(condition, size))
        return embedded

    def judge(self, image: Tensor, embedded: Tensor) -> tuple[list[Tensor], Tensor]:
        """Returns the image stream's maps and the logits psi + <V y, W f>, (B, 1, h, w)."""
        maps = through(self.image_stream, image)
        predicted = self.prediction(maps[-1])
        return maps, predicted[:, :1] + (predicted[:, 1:] * embedded).sum(1, keepdim=True)
