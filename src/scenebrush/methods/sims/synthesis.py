"""The synthesis network f: from canvas and layout to the picture (section 4 of the paper; facts 2.8)."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.methods.sims.conv_body import normed_convolutions, same_pool

_GROUPS = (2, 2, 3, 3, 3, 3)  # convolutions on each level of the encoder
_ENCODER = (1, 2, 4, 8, 8, 8)  # widths of the encoder's levels, times the finest
_DECODER = (8, 8, 8, 8, 8, 4, 4)  # widths of the decoder's modules from 4x8 to 256x512, times the encoder's finest


class Finished(NamedTuple):
    """What a synthesis network returns.

    `image` (B, 3, H, W), [-1, 1] where nothing was clipped; `semantics` (B, C + 1, H, W) logits of the auxiliary head,
    or None; `gate` (B, 1, H, W) in [0, 1], 1 = the canvas is kept, or None where the network draws everything.
    """

    image: Tensor
    semantics: Tensor | None = None
    gate: Tensor | None = None


class SynthesisNetwork(nn.Module):
    """The paper's: an encoder after VGG's pattern and a decoder of cascaded refinement modules.

    The encoder sees 256 rows whatever the resolution. At 512 one module more works on 512 rows; at 1024 the picture of
    512 rows is doubled and one 1x1 convolution mends it by the full-size input.

    Args:
        num_classes: classes of the label set, without "unknown".
        width: channels of the encoder's first level (64); the others follow.
        resolution: 256, 512 or 1024 rows.
    """

    def __init__(self, num_classes: int, *, width: int = 64, resolution: int = 256) -> None:
        super().__init__()
        self.resolution = resolution
        inputs = num_classes + 1 + 3 + 1
        self.encoder = nn.ModuleList()
        channels = inputs
        for count, factor in zip(_GROUPS, _ENCODER, strict=True):
            self.encoder.append(normed_convolutions(channels, width * factor, count))
            channels = width * factor
        self.decoder = nn.ModuleList()
        skips = [width * factor for factor in reversed(_ENCODER)]
        for level, factor in enumerate(_DECODER):
            # the encoder's features after its pool are of the size of the next coarser level
            skip = skips[level] if level < len(skips) else 0
            previous = 0 if level == 0 else width * _DECODER[level - 1]
            self.decoder.append(normed_convolutions(inputs + skip + previous, width * factor, 2))
        channels = width * _DECODER[-1]
        if resolution >= 512:
            self.decoder.append(normed_convolutions(inputs + channels, width * 2, 2))
            channels = width * 2
        self.to_image = nn.Conv2d(channels, 3, 1)
        self.to_semantics = nn.Conv2d(channels, num_classes + 1, 1)
        self.mend = nn.Conv2d(3 + inputs, 3, 1) if resolution == 1024 else None

    def forward(self, semantics: Tensor, canvas: Tensor, present: Tensor) -> Finished:
        """Returns the finished picture.

        Args:
            semantics: (B, C + 1, H, W) one-hot labels, "unknown" last.
            canvas: (B, 3, H, W) in [-1, 1].
            present: (B, 1, H, W), 1 where the canvas holds anything.
        """
        full = torch.cat([semantics, (canvas + 1) / 2 * present, present], 1)  # the paper's canvas is in [0, 1]
        coarse = _resized(full, *_coarse(full, self.resolution // 256))
        told = coarse if self.mend is not None else full  # what the modules are told: at 1024 the quarter-size input
        x = coarse
        pooled = []
        for group in self.encoder:
            x = same_pool(group(x), average=True)
            pooled.append(x)
        size = pooled[-1].shape[2:]
        x = full.new_zeros((len(full), 0, *size))
        for level, module in enumerate(self.decoder):
            height, width = size[0] << level, size[1] << level
            parts = [_resized(told, height, width)]
            if level < len(pooled):
                parts.append(pooled[-1 - level])
            if level:
                parts.append(_resized(x, height, width))
            x = module(torch.cat(parts, 1))
        image = self.to_image(x)
        if self.mend is not None:
            image = self.mend(torch.cat([_resized(image, *full.shape[2:]), full], 1))
        return Finished(image, self.to_semantics(x))


class CompactSynthesisNetwork(nn.Module):
    """Ours, for a CPU: a U-Net without norms that sees the layout at every level and keeps the canvas where it is good.

    What is missing it draws upon the canvas's colours around there (`push_pull`), so that the light is right at once.

    Args:
        num_classes: classes of the label set, without "unknown".
        width: channels at full size; each halving adds two thirds of it.
    """

    def __init__(self, num_classes: int, *, width: int = 24) -> None:
        super().__init__()
        inputs = num_classes + 1 + 3 + 3 + 1
        widths = [width + extra * width // 3 for extra in (0, 2, 4, 6, 8)]
        self.enter = _conv(inputs, widths[0])
        self.down = nn.ModuleList(_down(a, b) for a, b in pairwise(widths))
        self.encode = nn.ModuleList(ResidualBlock(w) for w in widths)
        self.core = nn.Sequential(
            *(ResidualBlock(widths[-1], dilation=d) for d in (1, 2, 4, 1)),
        )
        coarse_to_fine = widths[::-1]
        self.merge = nn.ModuleList(_conv(a + b + inputs, b) for a, b in pairwise(coarse_to_fine))
        self.decode = nn.ModuleList(ResidualBlock(w) for w in coarse_to_fine[1:])
        self.head = nn.Conv2d(width, 4, 3, padding=1)
        with torch.no_grad():
            self.head.weight.mul_(0.3)
            self.head.bias.copy_(torch.tensor([0.0, 0.0, 0.0, 2.0]))  # type: ignore[union-attr]

    def forward(self, semantics: Tensor, canvas: Tensor, present: Tensor) -> Finished:
        """Returns the finished picture; arguments as in `SynthesisNetwork.forward`, H and W divisible by 16."""
        canvas = canvas * present
        around = push_pull(canvas, present)
        pyramid = [torch.cat([semantics, canvas, around, present], 1)]
        x = self.enter(pyramid[0])
        skips = []
        for level, encode in enumerate(self.encode):
            x = encode(x)
            if level < len(self.down):
                skips.append(x)
                x = self.down[level](x)
                pyramid.append(F.avg_pool2d(pyramid[-1], 2))
        x = self.core(x)
        for merge, decode in zip(self.merge, self.decode, strict=True):
            skip = skips.pop()
            x = decode(merge(torch.cat([_doubled(x), skip, pyramid[len(skips)]], 1)))
        head = self.head(F.leaky_relu(x, 0.2)).float()
        gate = torch.sigmoid(head[:, 3:]) * present
        drawn = (around + 2 * torch.tanh(head[:, :3])).clamp(-1, 1)
        return Finished(gate * canvas + (1 - gate) * drawn, gate=gate)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside the identity; the branch starts small, which stands in for a norm."""

    def __init__(self, channels: int, *, dilation: int = 1) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        with torch.no_grad():
            self.conv1.weight.mul_(0.2)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv0(F.leaky_relu(x, 0.2))
        return torch.add(x, self.conv1(F.leaky_relu(h, 0.2)))


def push_pull(canvas: Tensor, present: Tensor) -> Tensor:
    """Returns the canvas with what is missing filled by the means of what is around (Gortler et al. 1996).

    Args:
        canvas: (B, 3, H, W), 0 where nothing is present.
        present: (B, 1, H, W) in {0, 1}.
    """
    colors, shares = [canvas.float()], [present.float()]
    while min(colors[-1].shape[2:]) > 1:
        colors.append(F.avg_pool2d(colors[-1], 2, ceil_mode=True))
        shares.append(F.avg_pool2d(shares[-1], 2, ceil_mode=True))
    filled = colors[-1] / shares[-1].clamp(min=1e-6)
    for color, share in zip(colors[-2::-1], shares[-2::-1], strict=True):
        coarse = F.interpolate(filled, color.shape[2:], mode="bilinear", align_corners=False)
        weight = share.clamp(max=0.25) * 4  # a quarter of the pixels speak for all
        filled = weight * color / share.clamp(min=1e-6) + (1 - weight) * coarse
    return filled


def _coarse(full: Tensor, factor: int) -> tuple[int, int]:
    return full.shape[2] // factor, full.shape[3] // factor


def _resized(x: Tensor, height: int, width: int) -> Tensor:
    if x.shape[2:] == (height, width):
        return x
    return F.interpolate(x, (height, width), mode="bilinear", align_corners=True)


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def _conv(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1)


def _down(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(nn.LeakyReLU(0.2), nn.Conv2d(in_channels, out_channels, 4, stride=2, padding=1))
