"""The patch discriminator of pix2pix: convolutions on the concatenated pair (section 3.2.2, appendix 6.1.2)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn

from scenebrush.layers.discriminators.base import ConditionalDiscriminator, Judgement
from scenebrush.layers.initialisation import normal_
from scenebrush.layers.receptive_field import Window

KERNEL, PADDING = 4, 1
MAX_MULTIPLE: Final = 8


class PatchDiscriminator(ConditionalDiscriminator):
    """Judges patches of 70 pixels of the pair [condition, image] at one scale: 30x30 logits at 256x256.

    Batch norm as in the paper, on the statistics of the batch at hand; so fake and real pass one after the other, or
    each would be told by the other's statistics.
    """

    def __init__(
        self, condition_channels: int, *, image_channels: int = 3, width: int = 64, num_layers: int = 3
    ) -> None:
        """Builds the network: `num_layers` layers that halve and one that does not, then the prediction.

        3 make patches of 70 pixels; 1 makes 16, 5 make 286, the paper's smallest and largest.
        """
        super().__init__()
        widths = [width * min(2**i, MAX_MULTIPLE) for i in range(num_layers + 1)]
        strides = [2] * num_layers + [1]
        first = nn.Sequential(
            nn.Conv2d(condition_channels + image_channels, width, KERNEL, 2, PADDING), nn.LeakyReLU(0.2)
        )
        later = (_layer(a, b, stride) for (a, b), stride in zip(pairwise(widths), strides[1:], strict=True))
        self.stream = nn.ModuleList([first, *later])
        self.prediction = nn.Conv2d(widths[-1], 1, KERNEL, 1, PADDING)
        self.windows = [Window(KERNEL, stride, PADDING) for stride in [*strides, 1]]
        normal_(self)

    def embed(self, condition: Tensor) -> list[Tensor]:
        """Returns the condition itself: nothing can be computed before it meets the image."""
        return [condition]

    def judge(self, embedded: Sequence[Tensor], images: Sequence[Tensor]) -> list[Judgement]:
        """Returns one `Judgement` per batch of images, one pass each."""
        return [self._judge(torch.cat([embedded[0], image], 1)) for image in images]

    def _judge(self, pair: Tensor) -> Judgement:
        maps = []
        for layer in self.stream:
            pair = layer(pair)
            maps.append(pair)
        return Judgement([maps], [self.prediction(pair)])


def _layer(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, KERNEL, stride, PADDING, bias=False),
        nn.BatchNorm2d(out_channels, track_running_stats=False),
        nn.LeakyReLU(0.2),
    )
