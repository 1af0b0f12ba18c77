"""SEIGAN's three generators in one module, and what becomes of a pair when they are applied twice (fig. 2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from scenebrush.methods.seigan.blocks import ResNet, UNet
from scenebrush.methods.seigan.config import SeiganConfig
from scenebrush.methods.seigan.enhancer import Enhancer
from scenebrush.methods.seigan.inpainter import Inpainter
from scenebrush.methods.seigan.segmenter import Segmenter
from scenebrush.methods.seigan.swap import SwapNetwork, paste


class PairBatch(NamedTuple):
    """Crops with an object, crops without, and the seed of all that is drawn while learning from them.

    x, y are (B, 3, H, W) in [-1, 1]; `box` (B, 1, H, W), 1 inside the box of x's object; `shape` (B, 1, H, W), a
    made-up shape inside the box.
    """

    x: Tensor
    y: Tensor
    box: Tensor
    shape: Tensor
    seed: int

    def to(self, device: torch.device | str) -> PairBatch:
        """Returns the batch on a device."""
        x, y, box, shape = (plane.to(device) for plane in (self.x, self.y, self.box, self.shape))
        return PairBatch(x, y, box, shape, self.seed)


class Cycle(NamedTuple):
    """Both passes. Masks are (B, 1, H, W) in [0, 1], pictures (B, 3, H, W) in [-1, 1].

    First m, z, y^, x^: the object moves from x onto y, and x is filled. Then m', z', x^^, y^^: it moves back, from
    y^ onto x^, and y^ is filled. `begun` and `begun2` are the masks that the segmenter began with.
    """

    mask: Tensor
    pasted: Tensor
    y1: Tensor
    x1: Tensor
    mask2: Tensor
    pasted2: Tensor
    x2: Tensor
    y2: Tensor
    begun: Tensor
    begun2: Tensor


class Shapes(NamedTuple):
    """What is made with the made-up shapes in place of masks: the paste, and y with its hole filled."""

    pasted: Tensor
    filled: Tensor


class SeiganNetworks(nn.Module):
    """Segmentation and enhancement (the swap network), and inpainting."""

    def __init__(self, config: SeiganConfig) -> None:
        super().__init__()
        self.config = config
        segmenter, inpainter, enhancer = _generators(config)
        self.swap = SwapNetwork(segmenter, enhancer)
        self.inpainter = inpainter

    @property
    def segmenter(self) -> Segmenter:
        """G_seg."""
        return self.swap.segmenter

    @property
    def enhancer(self) -> Enhancer:
        """G_enh."""
        return self.swap.enhancer

    def forward(self, batch: PairBatch, *, shapes: bool = False) -> Cycle | Shapes:
        """Returns both passes of a batch, or with `shapes` what is made with made-up shapes: no mask is asked for."""
        if shapes:
            return self.with_shapes(batch)
        return self.cycle(batch)

    def cycle(self, batch: PairBatch) -> Cycle:
        """Returns x, y -> x^, y^ -> x^^, y^^."""
        noise = self._noise(batch)
        first = self.swap(batch.x, batch.y, batch.box, noise)
        x1 = self.inpainter(batch.x, first.mask)
        second = self.swap(first.enhanced, x1, batch.box, noise)
        y2 = self.inpainter(first.enhanced, second.mask)
        return Cycle(
            mask=first.mask,
            pasted=first.pasted,
            y1=first.enhanced,
            x1=x1,
            mask2=second.mask,
            pasted2=second.pasted,
            x2=second.enhanced,
            y2=y2,
            begun=first.begun,
            begun2=second.begun,
        )

    def with_shapes(self, batch: PairBatch) -> Shapes:
        """Returns the paste of a made-up shape, and y filled under it."""
        return Shapes(paste(batch.x, batch.y, batch.shape), self.inpainter(batch.y, batch.shape))

    def _noise(self, batch: PairBatch) -> Tensor | None:
        if not self.config.noise_channels:
            return None
        generator = torch.Generator(batch.x.device).manual_seed(batch.seed)
        size = (len(batch.x), self.config.noise_channels, *batch.x.shape[2:])
        return torch.randn(size, generator=generator, device=batch.x.device)


PARTS = ("segmenter", "inpainter", "enhancer")


def build_networks(config: SeiganConfig) -> SeiganNetworks:
    """Returns the networks in channels_last, initialised from torch's global seed."""
    networks = SeiganNetworks(config)
    networks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return networks


def _generators(config: SeiganConfig) -> tuple[Segmenter, Inpainter, Enhancer]:
    width, enhanced = config.width, 4 + config.noise_channels
    inner: nn.Module
    outer: nn.Module
    starting: list[nn.Module] = []
    if config.kind == "paper":
        segmenter = Segmenter(tuple(width * k for k in (1, 2, 4, 8, 8)), normed=True, evidence=config.evidence)
        inner = ResNet(4, 3, width=width, num_blocks=config.num_blocks)
        enhancing = ResNet(enhanced, 3, width=width, num_blocks=config.num_blocks)
        outer, last = enhancing, enhancing.layers[-1]
    else:
        segmenter = Segmenter(_levels(width), normed=False, evidence=config.evidence)
        filling = UNet(4, 3, _levels(width), normed=False)
        changing = UNet(enhanced, 3, (width, width, 2 * width, 2 * width), normed=False)
        outer, last = changing, changing.to_map
        inner = filling
        starting.append(filling.to_map)
    starting.append(last)
    with (
        torch.no_grad()
    ):  # the enhancer begins by leaving pictures nearly as they are, the inpainter with smooth colours
        for parameter in (p for layer in starting for p in layer.parameters()):
            parameter.mul_(0.1)
    enhancer = Enhancer(outer, residual=config.residual, noise_channels=config.noise_channels)
    return segmenter, Inpainter(inner, keeping=config.kind == "compact"), enhancer


def _levels(width: int) -> tuple[int, ...]:
    """Channels of a compact U-Net at full size, half, ..., a sixteenth."""
    return tuple(width * k for k in (1, 2, 3, 4, 4))
