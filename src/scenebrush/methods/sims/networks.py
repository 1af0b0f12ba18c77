"""The three networks of SIMS in one module, so that a run, a checkpoint and a model folder hold them together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from scenebrush.layers.discriminators.feature_heads import FeatureDiscriminator, new_feature_discriminator
from scenebrush.layers.layouts import LayoutBatch
from scenebrush.layers.semantics import one_hot_semantics
from scenebrush.methods.sims.alignment import AlignmentBatch, TransformationNetwork, alignment_loss
from scenebrush.methods.sims.config import SimsConfig
from scenebrush.methods.sims.ordering import OrderingBatch, OrderingNetwork, ordering_loss
from scenebrush.methods.sims.synthesis import CompactSynthesisNetwork, Finished, SynthesisNetwork

PARTS = ("transformation", "ordering", "synthesis")
"""The networks, which are trained one after another (paper section 5): a stage's `phase` names one."""


class CanvasBatch(NamedTuple):
    """Photos as training canvases.

    `layouts` are the photos with their true layouts; `labels` int64 (B, H, W), class indices as the network is told
    them, `num_classes` = unknown; `canvas` (B, 3, H, W) in [-1, 1], black where nothing is `present` (B, 1, H, W).
    """

    layouts: LayoutBatch
    labels: Tensor
    canvas: Tensor
    present: Tensor

    def to(self, device: torch.device | str) -> CanvasBatch:
        """Returns the batch on a device."""
        return CanvasBatch(self.layouts.to(device), *(one.to(device) for one in self[1:]))


class PartLoss(NamedTuple):
    """The loss of a network that has one loss only, and figures to log."""

    loss: Tensor
    parts: dict[str, Tensor]


class SimsNetworks(nn.Module):
    """Transformation, ordering and synthesis network; see their own classes."""

    def __init__(self, config: SimsConfig) -> None:
        super().__init__()
        self.config = config
        size, body = config.working_size, config.body_width
        self.transformation = TransformationNetwork(config.num_classes + 1, width=body, working_size=size)
        self.ordering = OrderingNetwork(config.num_classes + 1, width=body, working_size=size)
        self.synthesis: SynthesisNetwork | CompactSynthesisNetwork
        if config.network == "paper":
            self.synthesis = SynthesisNetwork(config.num_classes, width=config.width, resolution=config.resolution)
        else:
            self.synthesis = CompactSynthesisNetwork(config.num_classes, width=config.width)

    def forward(self, batch: AlignmentBatch | OrderingBatch | CanvasBatch) -> PartLoss | Finished:
        """Returns what the batch's network makes of it: its loss, or for canvases the finished picture."""
        if not isinstance(batch, CanvasBatch):
            # Half precision tells 1.000 from 1.004 at best: a pixel in 256.
            with torch.autocast(batch[0].device.type, enabled=False):
                if isinstance(batch, AlignmentBatch):
                    return PartLoss(*alignment_loss(self.transformation, AlignmentBatch(*_float(batch))))
                return PartLoss(*ordering_loss(self.ordering, OrderingBatch(*_float(batch))))
        return self.finish(batch.labels, batch.canvas, batch.present)

    def finish(self, labels: Tensor, canvas: Tensor, present: Tensor) -> Finished:
        """Returns the finished picture of canvases; arguments as in `CanvasBatch`."""
        semantics = one_hot_semantics(labels, self.config.num_classes + 1)
        finished: Finished = self.synthesis(semantics.to(memory_format=torch.channels_last), canvas, present)
        return finished


def build_networks(config: SimsConfig) -> SimsNetworks:
    """Returns the networks in channels_last, initialised from torch's global seed."""
    networks = SimsNetworks(config)
    networks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return networks


def build_discriminator(config: SimsConfig) -> FeatureDiscriminator | None:
    """Returns the discriminator that the configuration names, for one-hot layouts; None = none."""
    if config.discriminator == "none":
        return None
    return new_feature_discriminator(config.num_classes, config.discriminator_width)


def set_part(networks: SimsNetworks, part: str) -> None:
    """Freezes all networks but one."""
    for name in PARTS:
        getattr(networks, name).requires_grad_(name == part)


def _float(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Returns the tensors, those in half precision as float32: mixed precision hands over its own kind."""
    return [x.float() if x.dtype in (torch.bfloat16, torch.float16) else x for x in tensors]
