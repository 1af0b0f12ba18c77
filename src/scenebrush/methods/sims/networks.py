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
from scenebrush.methods.sims.soft_canvas import Donors, TogetherBatch, scaled_gradient, soft_canvas
from scenebrush.methods.sims.synthesis import CompactSynthesisNetwork, Finished, SynthesisNetwork

PARTS = ("transformation", "ordering", "synthesis")
"""The networks, which are trained one after another (paper section 5): a stage's `phase` names one."""

TOGETHER = "together"
"""The phase that trains all of them at once (ours; `soft_canvas`)."""


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


class Together(NamedTuple):
    """What becomes of a `TogetherBatch`: the canvas it was shown as, the picture, the networks' own losses, figures."""

    shown: CanvasBatch
    finished: Finished
    own: Tensor
    figures: dict[str, Tensor]


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

    def forward(
        self, batch: AlignmentBatch | OrderingBatch | CanvasBatch | TogetherBatch, reach: float = 1.0
    ) -> PartLoss | Finished | Together:
        """Returns what the batch's network makes of it: its loss, or for canvases the finished picture.

        Args:
            batch: of one network, or of all.
            reach: of all: what the picture's gradient is multiplied by on its way into the canvas.
        """
        if isinstance(batch, CanvasBatch):
            return self.finish(batch.labels, batch.canvas, batch.present)
        if isinstance(batch, TogetherBatch):
            return self._together(batch, reach)
        # Half precision tells 1.000 from 1.004 at best: a pixel in 256.
        with torch.autocast(batch[0].device.type, enabled=False):
            if isinstance(batch, AlignmentBatch):
                return PartLoss(*alignment_loss(self.transformation, AlignmentBatch(*_float(batch))))
            return PartLoss(*ordering_loss(self.ordering, OrderingBatch(*_float(batch))))

    def finish(self, labels: Tensor, canvas: Tensor, present: Tensor) -> Finished:
        """Returns the finished picture of canvases; arguments as in `CanvasBatch`."""
        semantics = one_hot_semantics(labels, self.config.num_classes + 1)
        finished: Finished = self.synthesis(semantics.to(memory_format=torch.channels_last), canvas, present)
        return finished

    def _together(self, batch: TogetherBatch, reach: float) -> Together:
        with torch.autocast(batch.labels.device.type, enabled=False):
            donors = Donors(*_float(batch.donors))
            with torch.set_grad_enabled(torch.is_grad_enabled() and reach > 0):
                soft = soft_canvas(self.transformation, self.ordering, donors, batch.labels)
        canvas, present = scaled_gradient(soft.canvas, reach), scaled_gradient(soft.present, reach)
        own, figures = canvas.new_zeros(()), {"covered": present.detach().mean()}
        for part in (batch.moved, batch.pairs):
            if part is not None:
                made = self(part)
                own, figures = own + made.loss, figures | made.parts
        shown = CanvasBatch(batch.layouts, batch.labels, canvas, present)
        return Together(shown, self.finish(batch.labels, canvas, present), own, figures)


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
    """Freezes all networks but one; none for `TOGETHER`."""
    for name in PARTS:
        getattr(networks, name).requires_grad_(part in (name, TOGETHER))


def _float(tensors: Iterable[Tensor]) -> list[Tensor]:
    """Returns the tensors, those in half precision as float32: mixed precision hands over its own kind."""
    return [x.float() if x.dtype in (torch.bfloat16, torch.float16) else x for x in tensors]
