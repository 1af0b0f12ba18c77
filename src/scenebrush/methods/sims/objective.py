"""The losses of the synthesis network (section 4 of the paper; facts 2.8)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from scenebrush.losses.perceptual import PerceptualLoss
from scenebrush.methods.sims.networks import CanvasBatch
from scenebrush.methods.sims.synthesis import Finished

LAYERS = ("relu1_2", "relu2_2", "relu3_2", "relu4_2", "relu5_2")
WEIGHTS = (1 / 2.6, 1 / 4.8, 1 / 3.7, 1 / 5.6, 10 / 1.5)
"""The layers that are matched, and what each counts (facts 2.8)."""


@dataclass(frozen=True)
class LossWeights:
    """What each loss counts; 0 = off. The defaults are the paper's numbers, its pixels and features have other units.

    Args:
        perceptual: L1 of VGG features.
        reconstruction: mean absolute difference from the photo, in [-1, 1]; the paper's, in 0..255, would be 127.5.
        semantic: cross-entropy of the auxiliary head with the true labels; "paper" network only.
        adversarial: hinge loss against the discriminator "features" (ours).
        crop: side in pixels of the random square that perceptual and adversarial loss look at; 0 = the whole picture;
            with the discriminator "features" only.
    """

    perceptual: float = 1.0
    reconstruction: float = 1.0
    semantic: float = 10.0
    adversarial: float = 0.0
    crop: int = 0

    @property
    def any(self) -> bool:
        """Whether there is anything that the network is asked for."""
        return max(self.perceptual, self.reconstruction, self.adversarial, self.semantic) > 0


def plain_losses(finished: Finished, batch: CanvasBatch, weights: LossWeights) -> dict[str, Tensor]:
    """Returns the unweighted losses that need no further network: "reconstruction" and "semantic"."""
    parts: dict[str, Tensor] = {}
    if weights.reconstruction:
        parts["reconstruction"] = F.l1_loss(finished.image.float(), batch.layouts.image)
    if weights.semantic and finished.semantics is not None:
        labels = batch.layouts.label_map.long()
        parts["semantic"] = F.cross_entropy(finished.semantics.float(), labels, ignore_index=255)
    return parts


def paper_perceptual(loss: PerceptualLoss) -> PerceptualLoss:
    """Returns the perceptual loss on the same frozen network with the layers and weights of the paper."""
    return PerceptualLoss(loss.vgg, LAYERS, WEIGHTS)
