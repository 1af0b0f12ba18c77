"""The ordering network: which of two segments is in front (paper section 3.2; facts 2.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.methods.sims.conv_body import ConvBody, NormedConvolution, resized
from scenebrush.methods.sims.order_pairs import OrderPair
from scenebrush.methods.sims.segments import Segment
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout


class OrderingNetwork(nn.Module):
    """Two segments and their layout, colour-coded -> logits of the class in front.

    The released code pools 8x12 of the body's 8x16 columns and never sees the rest; we average over all.

    Args:
        num_classes: logits (with 20 and the paper's width 15,267,476 parameters).
        width: of the body's first group (paper: 64).
        working_size: (H, W) that the inputs are resized to.
        window: what `fronts` shows it (and `ordering_batch` has to in training): see `pair_input`.
    """

    def __init__(
        self,
        num_classes: int,
        *,
        width: int = 64,
        working_size: tuple[int, int] = (256, 512),
        window: float | None = 1.25,
    ) -> None:
        super().__init__()
        self.num_classes, self.working_size, self.window = num_classes, working_size, window
        self.body = ConvBody(6, width)
        self.hidden = NormedConvolution(self.body.out_channels, 16 * width, 1)
        self.dropout = nn.Dropout(0.5)
        self.logits = nn.Conv2d(16 * width, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Returns logits (B, num_classes) for the six channels (B, 6, H, W) of `pair_input`."""
        features = self.body(resized(x, self.working_size)).mean((2, 3), keepdim=True)
        logits: Tensor = self.logits(self.dropout(self.hidden(features)))
        return logits[:, :, 0, 0]


class OrderingBatch(NamedTuple):
    """`pairs` (B, 6, H, W) in [0, 1], see `pair_input`; `front`, the class index in front, and `classes`, the indices
    of both, int64 (B,) and (B, 2)."""

    pairs: Tensor
    front: Tensor
    classes: Tensor

    def to(self, device: torch.device | str) -> OrderingBatch:
        """Returns the batch on a device."""
        return OrderingBatch(*(one.to(device) for one in self))


def pair_input(
    layout: Layout, first: Segment, second: Segment, size: tuple[int, int], window: float | None = None
) -> Tensor:
    """Returns what the network sees of a pair, float (6, *size) in [0, 1].

    The layout in its label set's colours, with the two segments alone (three channels; black elsewhere), and whole.

    Args:
        layout: of the picture.
        first: one segment; its mask counts, wherever it was moved to.
        second: the other.
        size: (H, W) of the result.
        window: only the box around both is shown, grown to this many times its sides, so that small things are seen as
            well as large ones; None = the whole picture, as in the paper.
    """
    rows, columns = _window(layout.shape, first, second, window)
    label_map = np.maximum(layout.label_map[rows, columns], 0)
    alone = np.zeros((*layout.shape, 3), np.uint8)
    for segment in (first, second):
        alone[segment.window][segment.mask] = layout.label_set.by_id[segment.class_id].color
    planes = (alone[rows, columns], layout.label_set.colors(label_map))
    return torch.cat([_resized_colors(plane, size) for plane in planes])


def _window(shape: tuple[int, int], first: Segment, second: Segment, window: float | None) -> tuple[slice, slice]:
    """Returns the rows and columns that are shown."""
    if window is None:
        return slice(0, shape[0]), slice(0, shape[1])
    (a0, b0, a1, b1), (c0, d0, c1, d1) = first.box, second.box
    x0, y0, x1, y1 = min(a0, c0), min(b0, d0), max(a1, c1), max(b1, d1)
    dx, dy = (round((end - start) * (window - 1) / 2) + 1 for start, end in ((x0, x1), (y0, y1)))
    return slice(max(y0 - dy, 0), min(y1 + dy, shape[0])), slice(max(x0 - dx, 0), min(x1 + dx, shape[1]))


def ordering_batch(
    layouts: Sequence[Layout],
    pairs: Sequence[OrderPair],
    *,
    size: tuple[int, int] = (256, 512),
    window: float | None = 1.25,
) -> OrderingBatch:
    """Returns a batch of one pair of each layout; give a layout several times for several of it.

    Args:
        layouts: of one label set.
        pairs: one of each layout (`order_pairs`).
        size: (H, W) of the batch: the network's working size.
        window: the network's.
    """
    inputs = [pair_input(layout, p.first, p.second, size, window) for layout, p in zip(layouts, pairs, strict=True)]
    label_set = layouts[0].label_set
    classes = torch.tensor([_indices(label_set, pair.first, pair.second) for pair in pairs])
    front = torch.tensor([label_set.ids.index(pair.front) for pair in pairs])
    return OrderingBatch(torch.stack(inputs), front, classes)


def ordering_loss(
    network: OrderingNetwork, batch: OrderingBatch, *, between_both: bool = True
) -> tuple[Tensor, dict[str, Tensor]]:
    """Returns the softmax cross-entropy of the class in front, and the parts.

    Args:
        network: what is trained.
        batch: see `ordering_batch`.
        between_both: the softmax is over the pair's two classes alone, as the question is when it is asked (`fronts`):
            the network need not learn first which two of all classes it sees. False: over all classes (paper).

    Returns:
        the loss, and its parts `order`, the loss, and `right`, the share of pairs in which the right one of the two
        classes has the larger logit.
    """
    logits = network(batch.pairs)
    if between_both:
        second_is_front = (batch.classes[:, 1] == batch.front).long()
        loss = F.cross_entropy(logits.gather(1, batch.classes), second_is_front)
    else:
        loss = F.cross_entropy(logits, batch.front)
    with torch.no_grad():
        right = (_winners(logits, batch.classes) == batch.front).float().mean()
    return loss, {"order": loss.detach(), "right": right}


def front(network: OrderingNetwork, layout: Layout, first: Segment, second: Segment) -> int:
    """Returns the class id of the segment in front; the network in evaluation mode."""
    return fronts(network, layout, [(first, second)])[0]


@torch.inference_mode()
def fronts(
    network: OrderingNetwork, layout: Layout, pairs: Sequence[tuple[Segment, Segment]], *, batch_size: int = 16
) -> list[int]:
    """Returns the class id of the segment in front, of every pair of a layout.

    Args:
        network: in evaluation mode.
        layout: of the picture that is made; its segments may have been moved (their masks count).
        pairs: segments of two classes.
        batch_size: pairs that the network sees at a time.
    """
    label_set, found = layout.label_set, []
    for start in range(0, len(pairs), batch_size):
        some = pairs[start : start + batch_size]
        views = [pair_input(layout, *pair, network.working_size, network.window) for pair in some]
        inputs = torch.stack(views).to(network.logits.weight.device)
        classes = torch.tensor([_indices(label_set, *pair) for pair in some], device=inputs.device)
        found += [label_set.ids[index] for index in _winners(network(inputs), classes).tolist()]
    return found


def _winners(logits: Tensor, classes: Tensor) -> Tensor:
    """Returns which of the two class indices (B, 2) has the larger logit, (B,)."""
    return classes.gather(1, logits.gather(1, classes).argmax(1, keepdim=True))[:, 0]


def _indices(label_set: LabelSet, first: Segment, second: Segment) -> tuple[int, int]:
    return label_set.ids.index(first.class_id), label_set.ids.index(second.class_id)


def _resized_colors(colors: np.ndarray, size: tuple[int, int]) -> Tensor:
    return resized(torch.from_numpy(colors).permute(2, 0, 1)[None], size)[0].float() / 255
