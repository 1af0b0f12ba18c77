"""Our network: it goes over what was copied, where that does not fit, and leaves the rest to the last bit.

SemIA's semantic feature translation in a form that cannot blow up. The paper scales features by the ratio of two
layouts' features, which is unbounded where they are near 0; here each class has a scale and a shift, a scale is
exp(tanh(.)), and what changes a pixel is its class and how badly its copy fits.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_COST = 4.0  # costs are told as log(1 + _COST * cost)


class Refiner(nn.Module):
    """A small U-Net at half, a quarter and an eighth of the size; untrained it returns the canvas.

    Args:
        num_classes: of the label set; one more stands for "no class".
        width: channels at half the size.
    """

    def __init__(self, num_classes: int, *, width: int = 32) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.stem = nn.Conv2d(4 * 5, width, 3, padding=1)  # 2x2 pixels of colour, doubt and cost
        self.fine = nn.ModuleList(_Block(width, num_classes) for _ in range(2))
        self.down = nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)
        self.middle = nn.ModuleList(_Block(2 * width, num_classes) for _ in range(2))
        self.deeper = nn.Conv2d(2 * width, 3 * width, 4, stride=2, padding=1)
        self.coarse = nn.ModuleList(_Block(3 * width, num_classes, dilation=1 + i) for i in range(3))
        self.up = nn.Conv2d(3 * width, 2 * width, 3, padding=1)
        self.after = nn.ModuleList(_Block(2 * width, num_classes) for _ in range(2))
        self.upper = nn.Conv2d(2 * width, width, 3, padding=1)
        self.last = nn.ModuleList(_Block(width, num_classes) for _ in range(2))
        self.to_pixels = nn.Conv2d(width, 4 * 3, 3, padding=1)
        nn.init.zeros_(self.to_pixels.weight)
        nn.init.zeros_(self.to_pixels.bias)  # type: ignore[arg-type]

    def forward(self, canvas: Tensor, classes: Tensor, doubt: Tensor, cost: Tensor) -> Tensor:
        """Returns the picture (B, 3, H, W) in [-1, 1]; where `doubt` is 0 it is the canvas.

        Args:
            canvas: (B, 3, H, W) in [-1, 1]; H and W divisible by 8.
            classes: int64 (B, H, W), class indices; `num_classes` and more = no class.
            doubt: (B, 1, H, W), 0 to 1: how much may be changed.
            cost: (B, 1, H, W), how badly each copied patch fits.
        """
        seen = torch.cat([canvas, doubt, torch.log1p(_COST * cost)], 1)
        shares = _shares(classes, self.num_classes)
        x = F.leaky_relu(self.stem(F.pixel_unshuffle(seen, 2)), 0.2)
        fine = _through(self.fine, x, shares[0])
        middle = _through(self.middle, F.leaky_relu(self.down(fine), 0.2), shares[1])
        coarse = _through(self.coarse, F.leaky_relu(self.deeper(middle), 0.2), shares[2])
        x = _through(self.after, middle + self.up(_doubled(coarse)), shares[1])
        x = _through(self.last, fine + self.upper(_doubled(x)), shares[0])
        change = F.pixel_shuffle(self.to_pixels(F.leaky_relu(x, 0.2)), 2)
        return (canvas + doubt * change).clamp(-1, 1) if not self.training else canvas + doubt * change


class _Block(nn.Module):
    """A residual block whose inner features are scaled and shifted by the classes of their place."""

    def __init__(self, channels: int, num_classes: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.scale = nn.Parameter(torch.zeros(channels, num_classes + 1))
        self.shift = nn.Parameter(torch.zeros(channels, num_classes + 1))
        with torch.no_grad():
            self.second.weight.mul_(0.3)  # no norms: branches begin small

    def forward(self, x: Tensor, shares: Tensor) -> Tensor:
        """Returns x (B, C, h, w) changed; `shares` (B, K + 1, h, w) are the classes of each place."""
        scale = F.conv2d(shares, self.scale[..., None, None])
        shift = F.conv2d(shares, self.shift[..., None, None])
        y = self.first(F.leaky_relu(x, 0.2))
        y = y * torch.exp(torch.tanh(scale)) + shift
        out: Tensor = x + self.second(F.leaky_relu(y, 0.2))
        return out


def _shares(classes: Tensor, num_classes: int) -> list[Tensor]:
    """The share of each class in squares of 2, 4 and 8 pixels, (B, K + 1, h, w)."""
    one_hot = F.one_hot(classes.clamp(0, num_classes), num_classes + 1).permute(0, 3, 1, 2).float()
    pyramid = [F.avg_pool2d(one_hot, 2)]
    for _ in range(2):
        pyramid.append(F.avg_pool2d(pyramid[-1], 2))
    return pyramid


def _through(blocks: nn.ModuleList, x: Tensor, shares: Tensor) -> Tensor:
    for block in blocks:
        x = block(x, shares)
    return x


def _doubled(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2, mode="nearest")
