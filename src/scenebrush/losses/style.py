"""Style loss: equal Gram matrices of VGG features (Gatys et al. 2016). Off by default in every method."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.layers.vgg import VGG


class StyleLoss(nn.Module):
    """L1 between the Gram matrices of two pictures' features.

    The defaults are SESAME's layers for VGG19; VGG16 has no fourth convolution in blocks 3 and 4, so there
    the third stands in.
    """

    def __init__(self, vgg: VGG, layers: Sequence[str] | None = None) -> None:
        super().__init__()
        last = "4" if vgg.name == "vgg19" else "3"
        self.layers = tuple(layers or ("relu2_2", f"relu3_{last}", f"relu4_{last}", "relu5_2"))
        self.vgg = vgg
        self.name = vgg.name

    def forward(self, fake: Tensor, real: Tensor) -> Tensor:
        """Returns the loss of `fake` against `real`, both (B, 3, H, W) in [-1, 1]; no gradient flows into `real`."""
        with torch.no_grad():
            wanted = [gram_matrix(f) for f in self.vgg(real, self.layers)]
        found = [gram_matrix(f) for f in self.vgg(fake, self.layers)]
        return torch.stack([F.l1_loss(f, w) for f, w in zip(found, wanted, strict=True)]).sum()


def gram_matrix(features: Tensor) -> Tensor:
    """Returns F F^T / (C H W), float32 (B, C, C), of features F (B, C, H, W) with the places in a row."""
    batch, channels, height, width = features.shape
    flat = features.float().reshape(batch, channels, height * width)
    return flat @ flat.transpose(1, 2) / (channels * height * width)
