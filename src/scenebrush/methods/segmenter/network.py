"""The segmenter's network: a residual U-Net that adds on its way back, made for the convolutions of a plain CPU."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from scenebrush.errors import InputError
from scenebrush.methods.segmenter.config import SegmenterConfig

DIVISOR: Final = 32
"""Photos are padded to multiples of it, and the scores cropped back."""
_FAR_KERNEL: Final = 7  # at 1/32: 224 pixels of the photo


class ConvNorm(nn.Sequential):
    """Convolution and batch norm; `folded` makes one convolution of both."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        padding = 0 if kernel == stride else kernel // 2  # patches that do not overlap need none
        super().__init__(
            nn.Conv2d(in_channels, out_channels, kernel, stride, padding, groups=groups, bias=False),
            nn.BatchNorm2d(out_channels),
        )


class ResidualBlock(nn.Module):
    """x + layers(x), then ReLU; the last layer begins at zero, so that a deep network begins as a shallow one."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        last = layers[-1]
        assert isinstance(last, ConvNorm) and isinstance(last[1], nn.BatchNorm2d)
        nn.init.zeros_(last[1].weight)

    def forward(self, x: Tensor) -> Tensor:
        """Returns a map of the same shape."""
        return F.relu(x + self.layers(x))


class SegmentationNetwork(nn.Module):
    """Photo -> a score for each class in each pixel.

    Down: a stem that folds 2x2 pixels into channels (a convolution of 3 channels is slow), plain 3x3 blocks at 1/4,
    grouped ones at 1/8 and 1/16, large depthwise kernels at 1/32 and what the whole photo has in common. Back: the
    coarser map is enlarged and added. The head writes 2x2 places at 1/4, so that posts two pixels wide are told at
    1/2; the rest is bilinear.
    """

    def __init__(
        self,
        num_outputs: int,
        *,
        widths: tuple[int, int, int, int] = (32, 64, 96, 112),
        depths: tuple[int, int, int, int] = (2, 2, 3, 2),
        decoder_width: int = 64,
        group_width: int = 16,
    ) -> None:
        """Builds the network for `num_outputs` classes; the rest as in `SegmenterConfig`."""
        super().__init__()
        self.num_outputs = num_outputs
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), ConvNorm(12, widths[0], 3, 2), nn.ReLU())
        self.downs = nn.ModuleList(nn.Sequential(ConvNorm(a, b, 2, 2), nn.ReLU()) for a, b in pairwise(widths))
        makers = (_plain, _grouped, _grouped, _far)
        self.levels = nn.ModuleList(
            nn.Sequential(*(ResidualBlock(make(width, group_width)) for _ in range(depth)))
            for make, width, depth in zip(makers, widths, depths, strict=True)
        )
        self.whole = nn.Conv2d(widths[-1], decoder_width, 1)
        self.laterals = nn.ModuleList(ConvNorm(width, decoder_width) for width in widths)
        self.smooth = nn.ModuleList(
            nn.Sequential(
                ConvNorm(decoder_width, decoder_width, 3, groups=decoder_width // group_width),
                nn.ReLU(),
                ConvNorm(decoder_width, decoder_width),
                nn.ReLU(),
            )
            for _ in widths[:-1]
        )
        self.head = nn.Conv2d(decoder_width, num_outputs * 4, 1)
        _alike(self.head)

    def forward(self, photo: Tensor) -> Tensor:
        """Returns scores (logits), float (B, `num_outputs`, H, W), of photos (B, 3, H, W) in [-1, 1] of any size."""
        height, width = photo.shape[2:]
        if photo.shape[1] != 3 or not height or not width:
            raise InputError(f"photo is {tuple(photo.shape)}; expected (B, 3, H, W)")
        padded = F.pad(photo, (0, -width % DIVISOR, 0, -height % DIVISOR), mode="replicate")
        x = self.levels[0](self.stem(padded))  # (B, C, H/4, W/4)
        seen = [x]
        for down, level in zip(self.downs, self.levels[1:], strict=True):
            seen.append(level(down(seen[-1])))
        x = F.relu(self.laterals[-1](seen[-1]) + self.whole(seen[-1].mean((2, 3), keepdim=True)))
        for index in reversed(range(len(self.smooth))):
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear") + self.laterals[index](seen[index])
            x = self.smooth[index](F.relu(x))
        scores = F.pixel_shuffle(self.head(x).float(), 2)  # (B, K, H/2, W/2)
        return F.interpolate(scores, scale_factor=2.0, mode="bilinear")[:, :, :height, :width]


def build_network(config: SegmenterConfig) -> SegmentationNetwork:
    """Returns the network in channels_last, initialised from torch's global seed."""
    network = SegmentationNetwork(
        config.num_outputs,
        widths=config.widths,
        depths=config.depths,
        decoder_width=config.decoder_width,
        group_width=config.group_width,
    )
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def folded(network: SegmentationNetwork) -> SegmentationNetwork:
    """Returns the network itself, in evaluation mode, each batch norm folded into its convolution: nothing but faster.

    It cannot be trained or saved as a model folder any more.
    """
    network.eval()
    for module in network.modules():
        if isinstance(module, ConvNorm):
            convolution, norm = module
            assert isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
            module[0], module[1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.requires_grad_(False)


@torch.no_grad()
def _alike(head: nn.Conv2d) -> None:
    """Lets the four places that one output is shuffled to begin as one: else they disagree in dots for long."""
    for tensor in (head.weight, head.bias):
        assert tensor is not None
        places = tensor.view(-1, 4, *tensor.shape[1:])
        places.copy_(places[:, :1].expand_as(places).clone())


def _plain(width: int, group_width: int) -> list[nn.Module]:
    return [ConvNorm(width, width, 3), nn.ReLU(), ConvNorm(width, width, 3)]


def _grouped(width: int, group_width: int) -> list[nn.Module]:
    groups = width // group_width
    return [
        ConvNorm(width, width),
        nn.ReLU(),
        ConvNorm(width, width, 3, groups=groups),
        nn.ReLU(),
        ConvNorm(width, width),
    ]


def _far(width: int, group_width: int) -> list[nn.Module]:
    far = ConvNorm(width, width, _FAR_KERNEL, groups=width)
    return [far, ConvNorm(width, 2 * width), nn.ReLU(), ConvNorm(2 * width, width)]
