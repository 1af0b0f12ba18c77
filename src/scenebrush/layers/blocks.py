"""Convolution blocks of the encoders in pix2pixHD and SESAME: instance norm, no biases."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.layers.norms import InstanceNorm


class ConvolutionBlock(nn.Module):
    """Convolution (no bias), instance norm without parameters, ReLU; padding by half the kernel."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int = 3, *, stride: int = 1, reflect: bool = False
    ) -> None:
        super().__init__()
        self.reflection = kernel_size // 2 if reflect else 0
        padding = 0 if reflect else kernel_size // 2
        self.convolution = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding, bias=False)
        self.norm = InstanceNorm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, out, h, w) for x (B, in, h * stride, w * stride)."""
        return F.relu(self.norm(self.convolution(_reflect(x, self.reflection))))


class ResidualBlock(nn.Module):
    """x + IN(conv(ReLU(IN(conv(x))))), reflection padding, dilated; no activation after the sum.

    The width changes in the second convolution; then a 1x1 convolution without norm makes the shortcut.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 3, *, dilation: int = 1) -> None:
        super().__init__()
        middle = min(in_channels, out_channels)
        self.reflection = dilation * (kernel_size // 2)
        self.convolution_0 = nn.Conv2d(in_channels, middle, kernel_size, dilation=dilation, bias=False)
        self.convolution_1 = nn.Conv2d(middle, out_channels, kernel_size, dilation=dilation, bias=False)
        self.norm_0, self.norm_1 = InstanceNorm(middle), InstanceNorm(out_channels)
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.shortcut = nn.Conv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Returns (B, out, H, W) for x (B, in, H, W)."""
        y = F.relu(self.norm_0(self.convolution_0(_reflect(x, self.reflection))))
        y = self.norm_1(self.convolution_1(_reflect(y, self.reflection)))
        out: Tensor = self.shortcut(x) + y
        return out


def _reflect(x: Tensor, pixels: int) -> Tensor:
    return F.pad(x, (pixels,) * 4, mode="reflect") if pixels else x
