"""A segmenter that finds what is red, and photos with a red shape: what compose and cutting are tested with."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from scenebrush.methods.seigan.networks import SeiganNetworks


class RedFinder(nn.Module):
    """Stands in for the segmenter: 0.982 where a pixel is red, 0.018 elsewhere, 0 outside the box."""

    def forward(self, image: Tensor, box: Tensor) -> Tensor:
        red = (image[:, :1] > 0.4) & (image[:, 1:2] < -0.2)
        return (0.018 + 0.964 * red) * box


def finding_red(networks: SeiganNetworks) -> SeiganNetworks:
    """Returns the networks with a segmenter that finds what is red."""
    networks.swap.segmenter = RedFinder()
    return networks


def photo_with_disc(
    shape: tuple[int, int], center: tuple[float, float], radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Returns grey noise of (H, W) with a red disc about (x, y), and the disc, bool (H, W)."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    disc = np.hypot(columns - center[0], rows - center[1]) <= radius
    photo = np.random.default_rng(0).integers(95, 110, (*shape, 3)).astype(np.uint8)
    photo[disc] = (220, 30, 40)
    return photo, disc
