"""A discriminator for short trainings: SESAME's two streams on the frozen features of the perceptual network.

The papers' discriminators learn their image stream from nothing and need days. Here the image stream starts from VGG
features, which the perceptual loss computes anyway, as in Projected GANs (Sauer et al. 2021); the semantics stream is
learned and scales it, position by position and channel by channel, before the last convolution (compare Eq. 3 of
SESAME).
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from scenebrush.layers.spectral_norm import SpectralConv2d, settle_

CHANNELS = (64, 128, 256, 512, 512)
"""Channels of relu1_1 ... relu5_1, which lie at 1, 1/2, 1/4, 1/8 and 1/16 of the picture's size."""

LEVEL_SHARES = (0.06, 0.12, 0.24, 0.29, 0.29)
"""What each level's verdict counts for a generator: the shallow ones, which see little, reward repeated patterns."""


class FeatureDiscriminator(nn.Module):
    """Judges every place of every feature level under its semantics.

    Args:
        semantic_channels: classes, and the hole mask or boundaries where there are any.
        width: channels of each head.
        first_level: the first level that is judged. Full size (0) costs as much as all others together, and sees
            little: for whole pictures it is left out.
    """

    def __init__(self, semantic_channels: int, *, width: int = 64, first_level: int = 0) -> None:
        super().__init__()
        self.first_level = first_level
        self.heads = nn.ModuleList(Head(channels, semantic_channels, width) for channels in CHANNELS[first_level:])
        shares = LEVEL_SHARES[first_level:]
        self.shares = tuple(share / sum(shares) for share in shares)

    def forward(self, features: Sequence[Tensor], semantics: Tensor) -> list[Tensor]:
        """Returns per judged level the logits (B, 1, h, w) of features under semantics (B, S, H, W).

        The features are those of all five levels, relu1_1 ... relu5_1.
        """
        return [
            head(feature, F.adaptive_avg_pool2d(semantics, (feature.shape[2], feature.shape[3])))
            for head, feature in zip(self.heads, features[self.first_level :], strict=True)
        ]


def new_feature_discriminator(semantic_channels: int, width: int = 64) -> FeatureDiscriminator:
    """Returns one for whole pictures, ready to judge: its spectral norms are settled.

    It is initialised from torch's global seed.
    """
    discriminator = FeatureDiscriminator(semantic_channels, width=width, first_level=1)
    settle_(discriminator)
    return discriminator


def touched_places(hole: Tensor, logits: Sequence[Tensor]) -> list[Tensor]:
    """Returns per level, bool (B, 1, h, w), the places in or close to (4 pixels) the hole (B, 1, H, W)."""
    near = F.max_pool2d(hole, 9, stride=1, padding=4)
    return [F.adaptive_max_pool2d(near, (level.shape[2], level.shape[3])) > 0 for level in logits]


class Head(nn.Module):
    """One level: normalised features, mixed by a 1x1 convolution, scaled by the semantics, judged in 5x5 places."""

    def __init__(self, channels: int, semantic_channels: int, width: int) -> None:
        super().__init__()
        self.mix = SpectralConv2d(channels, width, 1)
        self.look = SpectralConv2d(width, width, 3, padding=1)
        self.semantics = nn.Sequential(
            nn.Conv2d(semantic_channels, width, 3, padding=1), nn.LeakyReLU(0.2), nn.Conv2d(width, width, 1)
        )
        self.judge = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, feature: Tensor, semantics: Tensor) -> Tensor:
        feature = feature.float()
        scale = feature.shape[1] ** 0.5 / (feature.square().sum(1, keepdim=True) + 1e-4).sqrt()
        x = F.leaky_relu(self.mix(feature * scale), 0.2)
        x = F.leaky_relu(self.look(x), 0.2) * (1 + self.semantics(semantics))
        judged: Tensor = self.judge(x)
        return judged
