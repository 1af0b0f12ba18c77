"""What SemIA's encoders, decoder and feature translation are built of; every convolution under spectral norm."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.layers.spectral_norm import SpectralConv2d, SpectralConvTranspose2d

SLOPE = 0.2  # of every leaky ReLU


class ConvBlock(nn.Module):
    """Reflection padding, a convolution without bias, batch norm, leaky ReLU; keeps the size."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int) -> None:
        super().__init__()
        self.padding = kernel_size // 2
        self.convolution = SpectralConv2d(in_channels, out_channels, kernel_size, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, out, H, W) for `x` (B, in, H, W)."""
        return F.leaky_relu(self.norm(self.convolution(reflected(x, self.padding))), SLOPE)


class ResidualBottleneck(nn.Module):
    """x + f(x), f through a quarter of the channels: 1x1, 3x3 under reflection, 1x1; with or without batch norm."""

    def __init__(self, channels: int, *, norm: bool = True) -> None:
        super().__init__()
        inner = channels // 4
        self.narrow = SpectralConv2d(channels, inner, 1)
        self.middle = SpectralConv2d(inner, inner, 3)
        self.widen = SpectralConv2d(inner, channels, 1)
        self.norms = nn.ModuleList(nn.BatchNorm2d(c) for c in (inner, inner, channels)) if norm else None

    def forward(self, x: Tensor) -> Tensor:
        """Returns a tensor like `x` (B, C, H, W)."""
        inner = F.leaky_relu(self._normalized(self.narrow(x), 0), SLOPE)
        inner = F.leaky_relu(self._normalized(self.middle(reflected(inner, 1)), 1), SLOPE)
        return x + self._normalized(self.widen(inner), 2)

    def _normalized(self, x: Tensor, number: int) -> Tensor:
        if self.norms is None:
            return x
        normalized: Tensor = self.norms[number](x)
        return normalized


class _Resizing(nn.Module):
    """A bottleneck, a 3x3 convolution, and one that changes the size; the latter two with batch norm, leaky ReLU."""

    def __init__(self, channels: int, resize: nn.Module, out_channels: int) -> None:
        super().__init__()
        self.bottleneck = ResidualBottleneck(channels)
        self.convolution = SpectralConv2d(channels, channels, 3, padding=1)
        self.norm = nn.BatchNorm2d(channels)
        self.resize = resize
        self.resized_norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.leaky_relu(self.norm(self.convolution(self.bottleneck(x))), SLOPE)
        return F.leaky_relu(self.resized_norm(self.resize(x)), SLOPE)


class DownBlock(_Resizing):
    """(B, C, H, W) -> (B, 2C, H/2, W/2)."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, SpectralConv2d(channels, 2 * channels, 4, stride=2, padding=1), 2 * channels)


class UpBlock(_Resizing):
    """(B, C, H, W) -> (B, C/2, 2H, 2W)."""

    def __init__(self, channels: int) -> None:
        resize = SpectralConvTranspose2d(channels, channels // 2, 4, stride=2, padding=1)
        super().__init__(channels, resize, channels // 2)


def reflected(x: Tensor, padding: int) -> Tensor:
    """Returns `x` (B, C, H, W) with so many reflected rows and columns on each side."""
    return F.pad(x, (padding,) * 4, mode="reflect") if padding else x
