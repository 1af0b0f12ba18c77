"""The blocks of pix2pixHD's networks. Every convolution keeps its bias, as the authors' checkpoints have it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.layers.norms import InstanceNorm
from scenebrush.methods.pix2pixhd.config import NormName

Norm = Callable[[int], nn.Module]
"""Builds the norm of so many channels."""


def instance_norm(channels: int) -> InstanceNorm:
    """Returns the norm of all released models; it writes over its input, which here a convolution has just made."""
    return InstanceNorm(channels, inplace=True)


NORMS: Final[dict[NormName, Norm]] = {"instance": instance_norm, "batch": nn.BatchNorm2d}


class ConvolutionBlock(nn.Module):
    """Convolution, norm, ReLU; padded by half the kernel, with zeros or by reflection."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        *,
        stride: int = 1,
        reflect: bool = False,
        norm: Norm = instance_norm,
    ) -> None:
        super().__init__()
        self.reflection = kernel_size // 2 if reflect else 0
        padding = 0 if reflect else kernel_size // 2
        self.convolution = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding)
        self.norm = norm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, out, ceil(H / stride), ceil(W / stride)) for x (B, in, H, W)."""
        return F.relu_(self.norm(self.convolution(reflect(x, self.reflection))))


class UpBlock(nn.Module):
    """Transposed 3x3 convolution with stride 2, norm, ReLU: exactly twice the size."""

    def __init__(self, in_channels: int, out_channels: int, *, norm: Norm = instance_norm) -> None:
        super().__init__()
        self.convolution = nn.ConvTranspose2d(in_channels, out_channels, 3, 2, 1, output_padding=1)
        self.norm = norm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, out, 2 H, 2 W) for x (B, in, H, W)."""
        return F.relu_(self.norm(self.convolution(x)))


class ResidualBlock(nn.Module):
    """x + norm(conv(ReLU(norm(conv(x))))), reflection padding; no activation after the sum."""

    def __init__(self, channels: int, *, norm: Norm = instance_norm) -> None:
        super().__init__()
        self.convolution_0 = nn.Conv2d(channels, channels, 3)
        self.norm_0 = norm(channels)
        self.convolution_1 = nn.Conv2d(channels, channels, 3)
        self.norm_1 = norm(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, C, H, W) for x of the same shape."""
        y = F.relu_(self.norm_0(self.convolution_0(reflect(x, 1))))
        total: Tensor = self.norm_1(self.convolution_1(reflect(y, 1)))
        return total.add_(x)  # no gradient needs what the norm gave


def reflect(x: Tensor, pixels: int) -> Tensor:
    """Returns x (B, C, H, W) with so many mirrored pixels on each side."""
    return F.pad(x, (pixels,) * 4, mode="reflect") if pixels else x
