"""The segmentation network G_seg: which pixels inside a box are the object (section 2.1, fig. 3 right)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scenebrush.methods.seigan.blocks import UNet

_MOST = 4.0  # largest logit: a mask that is all but 0 or 1 must still be able to turn back
_START = 0.5  # first logits: a little more than half of the box is object, as on average


class Segmenter(nn.Module):
    """A U-Net with a sigmoid; the mask is 0 outside the box.

    Args:
        widths: channels of the U-Net's levels.
        normed: with instance norm.
    """

    def __init__(self, widths: tuple[int, ...], *, normed: bool) -> None:
        super().__init__()
        self.network = UNet(4, 1, widths, normed=normed)
        with torch.no_grad():
            self.network.to_map.weight.mul_(0.2)
            assert self.network.to_map.bias is not None
            self.network.to_map.bias.fill_(_START)

    def forward(self, image: Tensor, box: Tensor) -> Tensor:
        """Returns the soft mask m = Mask(x), float32 (B, 1, H, W); it is not thresholded.

        Inside the box it lies between 0.018 and 0.982, outside it is 0.

        Args:
            image: x, (B, 3, H, W) in [-1, 1], sides divisible by 16.
            box: (B, 1, H, W), 1 inside the object's box.
        """
        logits: Tensor = self.network(torch.cat([image, box * 2 - 1], 1))
        return torch.sigmoid(_MOST * torch.tanh(logits.float() / _MOST)) * box
