"""The compact generator: SESAME's ideas at a size that two CPU cores can train and run.

Our own design (measured in docs/methods/sesame.md), not the paper's network:

* encoder and modulated decoder as in the paper, but no normalisation layer anywhere (residual branches
  start small instead), U-Net skips, most of the work at an eighth of the resolution;
* modulation `(1 + gamma) * x + beta` from per-class embeddings (1x1 convolutions) and a small context
  network, in place of 3x3 SPADE convolutions at full width;
* labels only inside the hole, plus where in its object a pixel lies, so that wheels come at the bottom
  of a car whatever its size;
* the canvas (pixels copied from the photo) as a guide, and a gate per pixel, biased per class, that mixes the
  guide with what the network draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import EllipsisType
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

COORDINATE_CHANNELS = 4
HINT_CHANNELS = 4


class Drawing(NamedTuple):
    """What the generator returns; it means something inside the hole only.

    `image` (B, 3, H, W) is `gate * guide + (1 - gate) * drawn` in [-1, 1]; `drawn` (B, 3, H, W) the network's own
    picture in [-1, 1]; `gate` (B, 1, H, W) in [0, 1], 1 = the guide is kept.
    """

    image: Tensor
    drawn: Tensor
    gate: Tensor


class CompactGenerator(nn.Module):
    """Draws the hole of a window.

    Args:
        num_classes: classes of the label set; label ids are indices 0..num_classes-1.
        thing_classes: indices of classes that are drawn rather than copied at the start (gate bias).
        width: channels at full resolution; doubled at each of the three stride-2 steps.
        num_blocks: modulated residual blocks at an eighth of the resolution; dilations 1, 2, 4, 1, ...
        embedding: channels of a class embedding.
        guided: with a guide and a gate; without, the network draws everything.
    """

    def __init__(
        self,
        num_classes: int,
        thing_classes: Sequence[int] = (),
        *,
        width: int = 32,
        num_blocks: int = 4,
        embedding: int = 16,
        guided: bool = True,
    ) -> None:
        super().__init__()
        self.guided = guided
        w1, w2, w4, w8 = width, width * 2, width * 4, width * 8
        described = embedding + COORDINATE_CHANNELS + HINT_CHANNELS + 1  # what is known of a hole pixel
        self.label_embedding = nn.Embedding(num_classes, embedding)
        self.context = ContextNetwork(described, w2)

        self.encode1 = _conv(3 + 4 + described, w1)
        self.encode2 = nn.Sequential(_down(w1, w2), PlainBlock(w2))
        self.encode4 = nn.Sequential(_down(w2, w4), PlainBlock(w4))
        self.encode8 = nn.Sequential(nn.Conv2d(w4, w8, 3, stride=2, padding=1), nn.LeakyReLU(0.2))

        self.condition8 = _pointwise(described + w2, 64)
        self.condition4 = _pointwise(described + w2, 64)
        self.condition2 = _pointwise(described + w2, 48)
        self.condition1 = _pointwise(described, 32)

        dilations = [(1, 2, 4)[i % 3] for i in range(num_blocks - 1)] + [1]
        self.core = nn.ModuleList(ModulatedBlock(w8, 64, dilation=d) for d in dilations)
        self.attention = AttentionBlock(w8)
        self.merge4 = _conv(w8 + w4, w4)
        self.decode4 = nn.ModuleList(ModulatedBlock(w4, 64) for _ in range(2))
        self.merge2 = _conv(w4 + w2, w2)
        self.decode2 = nn.ModuleList(ModulatedBlock(w2, 48) for _ in range(2))
        self.merge1 = _conv(w2 + w1, w1)
        self.decode1 = ModulatedBlock(w1, 32)
        self.head = nn.Conv2d(w1, 4, 3, padding=1)
        self.gate_bias = nn.Embedding(num_classes, 1)
        self.gate_bias.requires_grad_(guided)  # an unguided network has no gate to learn
        with torch.no_grad():
            self.head.weight.mul_(0.5)
            self.gate_bias.weight.fill_(1.5)
            self.gate_bias.weight[list(thing_classes)] = -3.0

    def forward(
        self,
        image: Tensor,
        hole: Tensor,
        label_map: Tensor,
        coordinates: Tensor,
        hint: Tensor,
        guide: Tensor,
        copied: Tensor,
    ) -> Drawing:
        """Returns the drawing of a batch of windows; H and W divisible by 16.

        Args:
            image: (B, 3, H, W) in [-1, 1]; what it holds inside the hole is not looked at.
            hole: (B, 1, H, W), 1 = to be drawn.
            label_map: int64 (B, H, W), class indices; only those inside the hole change anything.
            coordinates: (B, 4, H, W) from `inputs.object_coordinates`; looked at inside the hole only.
            hint: (B, 4, H, W): a colour in [-1, 1] and 1 where one is given, else zeros; inside the hole only.
            guide: (B, 3, H, W) in [-1, 1], the canvas; a window whose guide is all zeros is unguided: its gate is 0.
            copied: (B, 1, H, W), 1 where the guide's pixel was copied from its own class.
        """
        masked = image * (1 - hole)
        labels = self.label_embedding(label_map).permute(0, 3, 1, 2)
        described = torch.cat([labels, coordinates, hint, torch.ones_like(hole)], 1) * hole
        described2 = F.avg_pool2d(described, 2)
        described4 = F.avg_pool2d(described2, 2)
        described8 = F.avg_pool2d(described4, 2)
        context4, context8 = self.context(described4)

        skip1 = self.encode1(torch.cat([masked, guide * hole, copied * hole, described], 1))
        skip2 = self.encode2(skip1)
        skip4 = self.encode4(skip2)
        x = self.encode8(skip4)

        condition = self.condition8(torch.cat([described8, context8], 1))
        for i, block in enumerate(self.core):
            x = block(x, condition)
            if i == len(self.core) // 2:
                x = self.attention(x)
        x = self.merge4(torch.cat([_up(x), skip4], 1))
        condition = self.condition4(torch.cat([described4, context4], 1))
        for block in self.decode4:
            x = block(x, condition)
        # What lies outside the hole is thrown away, so the large maps are made around the hole only.
        near2, near1 = _around(hole) if not self.training else (_EVERYWHERE, _EVERYWHERE)
        x = self.merge2(torch.cat([_up(x)[near2], skip2[near2]], 1))
        condition = self.condition2(torch.cat([described2[near2], _up(context4)[near2]], 1))
        for block in self.decode2:
            x = block(x, condition)
        x = self.merge1(torch.cat([_up(x), skip1[near1]], 1))
        x = self.decode1(x, self.condition1(described[near1]))
        head = self.head(F.leaky_relu(x, 0.2)).float()
        if not self.training:
            head = _placed(head, hole, near1)
        return self._mixed(head, hole, label_map, guide)

    def _mixed(self, head: Tensor, hole: Tensor, label_map: Tensor, guide: Tensor) -> Drawing:
        drawn = torch.tanh(head[:, :3])
        if not self.guided:
            return Drawing(drawn, drawn, torch.zeros_like(hole))
        bias = self.gate_bias(label_map).permute(0, 3, 1, 2).float() * hole
        has_guide = (guide != 0).flatten(1).any(1).view(-1, 1, 1, 1)
        gate = torch.sigmoid(head[:, 3:] + bias) * has_guide
        return Drawing(gate * guide + (1 - gate) * drawn, drawn, gate)


class ContextNetwork(nn.Module):
    """Sees the shape of what is asked for: (B, C, H/4, W/4) -> features at a quarter and at an eighth."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.enter = _conv(in_channels, width)
        self.down = _down(width, width)
        self.deep = nn.Sequential(_down(width, width * 2), _conv(width * 2, width * 2), _conv(width * 2, width))
        self.out8 = _conv(width * 2, width)
        self.out4 = _conv(width * 2, width)

    def forward(self, described: Tensor) -> tuple[Tensor, Tensor]:
        x4 = self.enter(described)
        x8 = self.down(x4)
        x8 = self.out8(torch.cat([x8, _up(self.deep(x8))], 1))
        return self.out4(torch.cat([x4, _up(x8)], 1)), x8


class ModulatedBlock(nn.Module):
    """A residual block whose two convolutions see their input scaled and shifted by the condition."""

    def __init__(self, channels: int, condition_channels: int, *, dilation: int = 1) -> None:
        super().__init__()
        self.modulation = nn.Conv2d(condition_channels, 4 * channels, 1)
        self.conv0 = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        with torch.no_grad():  # no norm keeps the scale, so the branch starts small
            self.conv1.weight.mul_(0.2)
            self.modulation.weight.mul_(0.5)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        gamma0, beta0, gamma1, beta1 = self.modulation(condition).chunk(4, 1)
        h = self.conv0(F.leaky_relu(torch.addcmul(x + beta0, gamma0, x), 0.2))
        h = self.conv1(F.leaky_relu(torch.addcmul(h + beta1, gamma1, h), 0.2))
        return torch.add(x, h)


class PlainBlock(nn.Module):
    """A residual block without condition."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        with torch.no_grad():
            self.conv.weight.mul_(0.5)

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(x + self.conv(x), 0.2)


class AttentionBlock(nn.Module):
    """Self-attention over all positions (Zhang et al. 2019), so that a facade can follow one far away."""

    def __init__(self, channels: int, num_heads: int = 4) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Conv2d(channels, channels * 3, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        with torch.no_grad():
            self.out.weight.mul_(0.2)

    def forward(self, x: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        qkv = self.qkv(x).reshape(batch, 3, self.num_heads, channels // self.num_heads, height * width)
        q, k, v = qkv.transpose(3, 4).unbind(1)  # (B, heads, HW, C / heads)
        y = F.scaled_dot_product_attention(q, k, v)
        return torch.add(x, self.out(y.transpose(2, 3).reshape(batch, channels, height, width)))


def _conv(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.LeakyReLU(0.2))


def _pointwise(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.LeakyReLU(0.2))


def _down(in_channels: int, out_channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 4, stride=2, padding=1), nn.LeakyReLU(0.2))


def _up(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


_Region = tuple[slice | EllipsisType, ...]
_EVERYWHERE: _Region = (slice(None),)
_MARGIN = 16  # pixels: more than the last stages see (four 3x3 convolutions at full size, five at half size: 14)


def _around(hole: Tensor) -> tuple[_Region, _Region]:
    """Returns the part of half-size and of full-size maps (B, C, H, W) that decides the pixels of the holes."""
    inside = (hole > 0).flatten(0, 1).any(0)
    if not bool(inside.any()):
        inside = torch.ones_like(inside)
    bounds = []
    for axis, size in ((1, hole.shape[2]), (0, hole.shape[3])):
        places = inside.any(axis).nonzero()
        begin, end = int(places.min()) - _MARGIN, int(places.max()) + 1 + _MARGIN
        bounds.append((max(0, begin) // 2, (min(size, end) + 1) // 2))
    half = tuple(slice(begin, end) for begin, end in bounds)
    full = tuple(slice(2 * begin, 2 * end) for begin, end in bounds)
    return (..., *half), (..., *full)


def _placed(part: Tensor, hole: Tensor, region: _Region) -> Tensor:
    """Returns a map of the hole's size that is `part` in the region and 0 elsewhere."""
    whole = part.new_zeros((part.shape[0], part.shape[1], *hole.shape[2:]))
    whole[region] = part
    return whole
