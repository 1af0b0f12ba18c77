"""The multi-scale patch discriminator of pix2pixHD (paper section 3.2): equal networks on an image pyramid.

It sees labels and boundaries beside the picture, never the styles. The scales are kept coarsest first: then a model
for larger pictures takes over those of a smaller one and gets a new, finest scale on top (facts 1.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.layers.discriminators.base import ConditionalDiscriminator, Judgement
from scenebrush.layers.discriminators.patches import KERNEL, MAX_WIDTH, PADDING, pyramid
from scenebrush.layers.initialisation import normal_
from scenebrush.layers.norms import InstanceNorm
from scenebrush.methods.pix2pixhd.blocks import Norm


class MultiscaleDiscriminator(ConditionalDiscriminator):
    """Judges patches of the pair [condition, image] at full, half, quarter, ... size; the scales share nothing.

    At 512x256 and the defaults the logits are 67x35 (patches of 70 px) and 35x19 (about twice that). No sigmoid.
    """

    def __init__(
        self,
        condition_channels: int,
        *,
        image_channels: int = 3,
        width: int = 64,
        num_layers: int = 3,
        num_scales: int = 2,
        norm: Norm = InstanceNorm,
    ) -> None:
        """Builds the network for `condition_channels` = classes + boundary map (Cityscapes: 36).

        `num_layers` counts as the authors do: strided convolutions of a scale, which has two layers more.
        """
        super().__init__()
        self.scales = nn.ModuleList(
            PatchDiscriminator(condition_channels, image_channels, width, num_layers, norm) for _ in range(num_scales)
        )
        normal_(self)

    def forward(
        self, condition: Tensor, images: Sequence[Tensor], num_scales: int | None = None, *, features: bool = True
    ) -> list[Judgement]:
        """Returns one `Judgement` per batch of images (B, 3, H, W), all under one condition (B, S, H, W)."""
        return self.judge(self.embed(condition, num_scales), images, features=features)

    def embed(self, condition: Tensor, num_scales: int | None = None) -> list[Tensor]:
        """Returns per scale, finest first, what the first layer makes of the condition (B, S, H, W) alone.

        `num_scales` takes the coarsest so many, for a picture of a coarser level; None = all.
        """
        scales = self._finest_first(len(self.scales) if num_scales is None else num_scales)
        return [scale.embed(level) for scale, level in zip(scales, pyramid(condition, len(scales)), strict=True)]

    def judge(self, embedded: Sequence[Tensor], images: Sequence[Tensor], *, features: bool = True) -> list[Judgement]:
        """Returns one `Judgement` per batch of images (B, 3, H, W), by as many scales as were embedded.

        Separate passes as in the released code: under batch norm, fake and real must not share statistics. Without
        `features` only the logits are kept.
        """
        return [self._judge(embedded, image, features) for image in images]

    def _judge(self, embedded: Sequence[Tensor], image: Tensor, features: bool) -> Judgement:
        scales = self._finest_first(len(embedded))
        found: list[list[Tensor]] = []
        for scale, known, level in zip(scales, embedded, pyramid(image, len(scales)), strict=True):
            found.append(scale.judge(known, level))
        return Judgement([maps[:-1] if features else [] for maps in found], [maps[-1] for maps in found])

    def _finest_first(self, count: int) -> list[PatchDiscriminator]:
        return cast("list[PatchDiscriminator]", list(self.scales)[:count][::-1])


class PatchDiscriminator(nn.Module):
    """One scale, a PatchGAN: 4x4 convolutions with padding 2 and leaky ReLU 0.2; norm in all but first and last."""

    def __init__(self, condition_channels: int, image_channels: int, width: int, num_layers: int, norm: Norm) -> None:
        super().__init__()
        self.condition_channels = condition_channels
        widths = [min(width * 2**i, MAX_WIDTH) for i in range(num_layers + 1)]
        self.first = nn.Conv2d(condition_channels + image_channels, width, KERNEL, 2, PADDING)
        self.layers = nn.ModuleList(
            PatchLayer(widths[i - 1], widths[i], 2 if i < num_layers else 1, norm) for i in range(1, num_layers + 1)
        )
        self.prediction = nn.Conv2d(widths[-1], 1, KERNEL, 1, PADDING)

    def embed(self, condition: Tensor) -> Tensor:
        """Returns the condition's (B, S, H, W) share in the first, linear layer: the same for fake and real."""
        return F.conv2d(condition, self.first.weight[:, : self.condition_channels], self.first.bias, 2, PADDING)

    def judge(self, embedded: Tensor, image: Tensor) -> list[Tensor]:
        """Returns the map after every layer, (B, C, h, w); the last is the logits (B, 1, h, w)."""
        x = F.conv2d(image, self.first.weight[:, self.condition_channels :], None, 2, PADDING)
        maps = [F.leaky_relu_(x + embedded, 0.2)]
        for layer in self.layers:
            maps.append(layer(maps[-1]))
        return [*maps, self.prediction(maps[-1])]


class PatchLayer(nn.Module):
    """Convolution, norm, leaky ReLU 0.2."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, norm: Norm) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, out_channels, KERNEL, stride, PADDING)
        self.norm = norm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, out, h, w) for x (B, in, H, W): one pixel more than half, or than all of it."""
        return F.leaky_relu_(self.norm(self.convolution(x)), 0.2)
