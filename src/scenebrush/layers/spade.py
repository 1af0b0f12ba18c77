"""SPADE: spatially-adaptive denormalisation (Park et al., CVPR 2019, Eq. 1) and its residual block (figure 4)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.layers.norms import ParameterFreeBatchNorm
from scenebrush.layers.spectral_norm import SpectralConv2d

HIDDEN_WIDTH = 128


class SPADE(nn.Module):
    """Normalises features, then scales and shifts every pixel by what stands there in the condition."""

    def __init__(
        self,
        channels: int,
        condition_channels: int,
        *,
        kernel_size: int = 3,
        hidden: int = HIDDEN_WIDTH,
        norm: Callable[[int], nn.Module] = ParameterFreeBatchNorm,
    ) -> None:
        """`norm(channels)` builds the normalisation; `kernel_size` holds for all three convolutions."""
        super().__init__()
        padding = kernel_size // 2
        self.norm = norm(channels)
        self.hidden = nn.Conv2d(condition_channels, hidden, kernel_size, padding=padding)
        self.gamma = nn.Conv2d(hidden, channels, kernel_size, padding=padding)
        self.beta = nn.Conv2d(hidden, channels, kernel_size, padding=padding)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Returns (1 + gamma(c)) N(x) + beta(c) for x (B, C, h, w); the condition is brought to h x w by nearest."""
        hidden = F.relu(self.hidden(F.interpolate(condition, size=x.shape[2:], mode="nearest")))
        modulated: Tensor = self.norm(x) * (1 + self.gamma(hidden)) + self.beta(hidden)
        return modulated


class SPADEBlock(nn.Module):
    """Residual block: twice SPADE, leaky ReLU, 3x3 convolution; a learned shortcut where the width changes."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        condition_channels: int,
        *,
        dilation: int = 1,
        kernel_size: int = 3,
        hidden: int = HIDDEN_WIDTH,
        norm: Callable[[int], nn.Module] = ParameterFreeBatchNorm,
    ) -> None:
        """`kernel_size` and `hidden` are those of the SPADE layers; the convolutions are 3x3 with spectral norm."""
        super().__init__()
        middle = min(in_channels, out_channels)
        modulation = partial(
            SPADE, condition_channels=condition_channels, kernel_size=kernel_size, hidden=hidden, norm=norm
        )
        self.modulation_0 = modulation(in_channels)
        self.modulation_1 = modulation(middle)
        self.convolution_0 = SpectralConv2d(in_channels, middle, 3, padding=dilation, dilation=dilation)
        self.convolution_1 = SpectralConv2d(middle, out_channels, 3, padding=dilation, dilation=dilation)
        self.has_learned_shortcut = in_channels != out_channels
        if self.has_learned_shortcut:
            self.modulation_s = modulation(in_channels)
            self.convolution_s = SpectralConv2d(in_channels, out_channels, 1, bias=False)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Returns (B, out, h, w) for x (B, in, h, w) under a condition (B, S, H, W)."""
        residual: Tensor = self.convolution_0(F.leaky_relu(self.modulation_0(x, condition), 0.2))
        residual = self.convolution_1(F.leaky_relu(self.modulation_1(residual, condition), 0.2))
        return self._shortcut(x, condition) + residual

    def _shortcut(self, x: Tensor, condition: Tensor) -> Tensor:
        if not self.has_learned_shortcut:
            return x
        shortcut: Tensor = self.convolution_s(self.modulation_s(x, condition))  # no activation
        return shortcut
