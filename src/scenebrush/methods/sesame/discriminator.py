"""The two-stream, multi-scale patch discriminator of SESAME (paper section 3.2, figure 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.layers.initialisation import xavier_
from scenebrush.layers.receptive_field import Window
from scenebrush.layers.receptive_field import touched_patches as patches_that_see
from scenebrush.layers.spectral_norm import SpectralConv2d

KERNEL, PADDING = 4, 2
HALVE = Window(kernel=3, stride=2, padding=1)
MAX_WIDTH = 512


class Judgement(NamedTuple):
    """What the discriminator says of one batch of images.

    `features[scale][layer]` are the image stream's maps before the gate, (B, C, h, w), for feature matching;
    `logits[scale]` are (B, 1, h, w), one per patch. Scale 0 is the full size.
    """

    features: list[list[Tensor]]
    logits: list[Tensor]


class SesameDiscriminator(nn.Module):
    """Judges patches of an image under their semantics, at several scales that share nothing.

    At 256x256 and the defaults the logits are 35x35 (patches of 70 px) and 19x19 (about twice that).
    """

    def __init__(
        self,
        semantic_channels: int,
        *,
        image_channels: int = 3,
        width: int = 64,
        num_layers: int = 4,
        num_scales: int = 2,
        mean_gate: bool = False,
    ) -> None:
        """Builds the network for `semantic_channels` = classes + hole mask (editing: 36 for Cityscapes' 35).

        `mean_gate` (ours) gates by 1 + the MEAN over channels: the paper's sum starts near 130 (facts 1.4), so
        that hinge terms of 50 and more drown every other loss in a short training.
        """
        super().__init__()
        self.scales = nn.ModuleList(
            TwoStreamDiscriminator(semantic_channels, image_channels, width, num_layers, mean_gate=mean_gate)
            for _ in range(num_scales)
        )
        xavier_(self)

    def forward(self, semantics: Tensor, images: Sequence[Tensor]) -> list[Judgement]:
        """Returns one `Judgement` per batch of images, all (B, 3, H, W), under the same semantics (B, S, H, W).

        One pass: the images are stacked on the batch axis and the semantics stream runs once for all of them.
        Instance norm works per sample, so this gives the same numbers as separate passes.
        """
        return self.judge(self.semantic_gates(semantics), images)

    def semantic_gates(self, semantics: Tensor) -> list[Tensor]:
        """Returns for every scale the gate 1 + sum over channels of the semantics stream, (B, 1, h, w)."""
        scales = self._scales()
        return [scale.gate(level) for scale, level in zip(scales, _pyramid(semantics, len(scales)), strict=True)]

    def judge(self, gates: Sequence[Tensor], images: Sequence[Tensor]) -> list[Judgement]:
        """Returns one `Judgement` per batch of images under gates from `semantic_gates`."""
        batch, count, scales = images[0].shape[0], len(images), self._scales()
        pyramid = _pyramid(torch.cat(list(images)), len(scales))
        features, logits = [], []
        for scale, level, gate in zip(scales, pyramid, gates, strict=True):
            maps, prediction = scale.judge(level, gate.repeat(count, 1, 1, 1))
            features.append(maps)
            logits.append(prediction)
        parts = [slice(i * batch, (i + 1) * batch) for i in range(count)]
        return [Judgement([[m[part] for m in maps] for maps in features], [d[part] for d in logits]) for part in parts]

    def touched_patches(self, hole: Tensor) -> list[Tensor]:
        """Returns for every scale, bool (B, 1, h, w), the patches that see a pixel of the hole (B, 1, H, W)."""
        return [patches_that_see(hole, [HALVE] * i + scale.windows) for i, scale in enumerate(self._scales())]

    def _scales(self) -> list[TwoStreamDiscriminator]:
        return cast("list[TwoStreamDiscriminator]", list(self.scales))


class TwoStreamDiscriminator(nn.Module):
    """One scale: an image stream and a semantics stream of equal shape, merged before the last convolution."""

    def __init__(
        self, semantic_channels: int, image_channels: int, width: int, num_layers: int, *, mean_gate: bool = False
    ) -> None:
        super().__init__()
        self.mean_gate = mean_gate
        self.semantic_stream = _stream(semantic_channels, width, num_layers)
        self.image_stream = _stream(image_channels, width, num_layers)
        last = min(width * 2 ** (num_layers - 1), MAX_WIDTH)
        self.prediction = nn.Conv2d(last, 1, KERNEL, padding=PADDING)
        strides = [_stride(i, num_layers) for i in range(num_layers)] + [1]
        self.windows = [Window(KERNEL, stride, PADDING) for stride in strides]

    def gate(self, semantics: Tensor) -> Tensor:
        """Returns 1 + sum_c g_c(p), (B, 1, h, w), g the last map of the semantics stream: a sum over channels only."""
        for layer in self.semantic_stream:
            semantics = layer(semantics)
        return 1 + (semantics.mean(1, keepdim=True) if self.mean_gate else semantics.sum(1, keepdim=True))

    def judge(self, image: Tensor, gate: Tensor) -> tuple[list[Tensor], Tensor]:
        """Returns the image stream's maps, before the gate, and the logits conv(f (1 + sum g)), (B, 1, h, w)."""
        maps = []
        for layer in self.image_stream:
            image = layer(image)
            maps.append(image)
        return maps, self.prediction(image * gate)


def _stream(in_channels: int, width: int, num_layers: int) -> nn.ModuleList:
    widths = [in_channels] + [min(width * 2**i, MAX_WIDTH) for i in range(num_layers)]
    first = nn.Sequential(nn.Conv2d(in_channels, width, KERNEL, _stride(0, num_layers), PADDING), nn.LeakyReLU(0.2))
    return nn.ModuleList(
        [first, *(_layer(widths[i], widths[i + 1], _stride(i, num_layers)) for i in range(1, num_layers))]
    )


def _layer(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        SpectralConv2d(in_channels, out_channels, KERNEL, stride=stride, padding=PADDING, bias=False),
        nn.InstanceNorm2d(out_channels),
        nn.LeakyReLU(0.2),
    )


def _stride(layer: int, num_layers: int) -> int:
    """All layers halve, but the last one of a stream; a first layer always does."""
    return 1 if layer == num_layers - 1 and layer > 0 else 2


def _pyramid(x: Tensor, num_scales: int) -> list[Tensor]:
    """Returns x at full, half, quarter, ... size by 3x3 means that leave the padding out."""
    levels = [x]
    for _ in range(num_scales - 1):
        levels.append(F.avg_pool2d(levels[-1], HALVE.kernel, HALVE.stride, HALVE.padding, count_include_pad=False))
    return levels
