"""The segmentation network G_seg: which pixels inside a box are the object (section 2.1, fig. 3 right)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from scenebrush.canvas.box_evidence import BoxEvidence, box_evidence
from scenebrush.methods.seigan.blocks import UNet

_MOST = 4.0  # largest logit: a mask that is all but 0 or 1 must still be able to turn back
_START = 0.5  # first logits: a little more than half of the box is object, as on average
_CUES = 3


class Masks(NamedTuple):
    """A mask, and what it was before the network said anything: that of the evidence. Both (B, 1, H, W)."""

    mask: Tensor
    begun: Tensor


class Segmenter(nn.Module):
    """A U-Net with a sigmoid; the mask is 0 outside the box.

    Args:
        widths: channels of the U-Net's levels.
        normed: with instance norm.
        evidence: the network sees the cues of `canvas.box_evidence` too, and what it says is added to what they say:
            it begins where they end (ours).
    """

    def __init__(self, widths: tuple[int, ...], *, normed: bool, evidence: bool = False) -> None:
        super().__init__()
        self.evidence = evidence
        self.network = UNet(4 + _CUES * evidence, 1, widths, normed=normed)
        with torch.no_grad():
            self.network.to_map.weight.mul_(0.05 if evidence else 0.2)
            assert self.network.to_map.bias is not None
            self.network.to_map.bias.fill_(0.0 if evidence else _START)

    def forward(self, image: Tensor, box: Tensor) -> Tensor:
        """Returns the soft mask m = Mask(x), float32 (B, 1, H, W); it is not thresholded.

        Inside the box it lies between 0.018 and 0.982, outside it is 0.

        Args:
            image: x, (B, 3, H, W) in [-1, 1], sides divisible by 16.
            box: (B, 1, H, W), 1 inside the object's box.
        """
        return self.masks(image, box).mask

    def masks(self, image: Tensor, box: Tensor) -> Masks:
        """Returns `forward`'s mask and the one that it began with."""
        seen = [image, box * 2 - 1]
        begun = torch.full_like(box, _START)
        if self.evidence:
            cues, begun = _evidence(image, box)
            seen.append(cues)
        logits: Tensor = self.network(torch.cat(seen, 1)).float()
        if self.evidence:
            logits = logits + begun
        return Masks(_bounded(logits) * box, _bounded(begun) * box)


def _bounded(logits: Tensor) -> Tensor:
    return torch.sigmoid(_MOST * torch.tanh(logits / _MOST))


def _evidence(image: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the cues as the network sees them, (B, 3, H, W), and their logits, (B, 1, H, W); without gradients."""
    photos = ((image.detach().float() + 1) * 127.5).clamp(0, 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    found: BoxEvidence = box_evidence(photos, box[:, 0].detach().float().cpu().numpy() > 0.5)
    planes = np.stack([found.barrier, found.color / 4, found.place, found.logits], 1)
    whole = torch.from_numpy(planes).to(image.device)
    return whole[:, :_CUES], whole[:, _CUES:]
