"""The inpainting network G_inp: the picture without its object (section 2.2, fig. 3 left)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_TRACE = 0.25  # of a mask: what has more of the object tells nothing of its surroundings, or blurs of it would stay


class Inpainter(nn.Module):
    """Sees (1 - m) x and m, and returns x^.

    Args:
        network: (B, 4, H, W) -> (B, 3, H, W).
        keeping: what the mask leaves is kept, and what lies under it begins as the colours around it (`smooth_fill`),
            which the network sees and changes: x^ = (1 - m) x + m (smooth + change). Ours, since a network that draws
            from nothing paints grey for hours; the paper's draws all anew.
    """

    def __init__(self, network: nn.Module, *, keeping: bool) -> None:
        super().__init__()
        self.network, self.keeping = network, keeping

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Returns x^, float32 (B, 3, H, W) in [-1, 1], of x (B, 3, H, W) and its mask (B, 1, H, W) in [0, 1].

        Of what lies under a mask of 1 nothing is seen.
        """
        left = image * (1 - mask)
        if not self.keeping:
            return torch.tanh(self.network(torch.cat([left, mask], 1)).float())
        begun = smooth_fill(image.float(), (1 - mask.float() / _TRACE).clamp_min(0))
        change = torch.tanh(self.network(torch.cat([left + mask * begun, mask], 1)).float())
        return left + mask * (begun + change).clamp(-1, 1)


def smooth_fill(image: Tensor, known: Tensor) -> Tensor:
    """Returns a picture (B, C, H, W) whose unknown pixels have the colours around them: pull-push.

    Each pixel is as far as it is `known`, (B, 1, H, W) in [0, 1], itself, and for the rest what the picture of half the
    size, filled likewise, shows there (Gortler et al., *The Lumigraph*, 1996). Where nothing is known it is 0.
    """
    if max(image.shape[2:]) == 1:
        return image * (known > 0)
    shares = F.avg_pool2d(known, 2, ceil_mode=True)
    colors = F.avg_pool2d(image * known, 2, ceil_mode=True) / shares.clamp_min(1e-6)
    coarse = smooth_fill(colors, (4 * shares).clamp_max(1))
    enlarged = F.interpolate(coarse, image.shape[2:], mode="bilinear", align_corners=False)
    return known * image + (1 - known) * enlarged
