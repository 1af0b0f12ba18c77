"""The two discriminators: D_bg tells backgrounds that were always empty, D_obj objects that are at home (section 2.2).

Both kinds are told the box: where an object is, or was, or would be. Real and fake pictures of a pair share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor, nn

from scenebrush.layers.discriminators.feature_heads import FeatureDiscriminator, new_feature_discriminator
from scenebrush.layers.initialisation import normal_
from scenebrush.layers.norms import InstanceNorm
from scenebrush.methods.seigan.config import SeiganConfig

KERNEL = 4


class Shown(NamedTuple):
    """A batch of pictures as a discriminator is shown it: the picture (B, 3, H, W), the box (B, 1, H, W), features.

    `features`, those of VGG's relu1_1 ... relu5_1, are for discriminators that judge them.
    """

    image: Tensor
    box: Tensor
    features: Sequence[Tensor] = ()

    def detached(self) -> Shown:
        """Returns the same without gradients."""
        return Shown(self.image.detach(), self.box, [f.detach() for f in self.features])


class PatchDiscriminator(nn.Module):
    """CycleGAN's: patches of 70 pixels of the picture alone; 30x30 verdicts at 256x256. It learns from nothing."""

    shares = (1.0,)

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, KERNEL, 2, 1),
            nn.LeakyReLU(0.2),
            *_layer(width, 2 * width, 2),
            *_layer(2 * width, 4 * width, 2),
            *_layer(4 * width, 8 * width, 1),
            nn.Conv2d(8 * width, 1, KERNEL, 1, 1),
        )
        normal_(self)

    def forward(self, shown: Shown) -> list[Tensor]:
        """Returns one map of logits, (B, 1, h, w)."""
        return [self.layers(shown.image)]


class BoxFeatureDiscriminator(nn.Module):
    """Judges VGG features of the picture under the box; it learns in hundreds of steps (`FeatureDiscriminator`)."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.judge: FeatureDiscriminator = new_feature_discriminator(1, width)

    @property
    def shares(self) -> tuple[float, ...]:
        """What each level's verdict counts for the generators."""
        return self.judge.shares

    def forward(self, shown: Shown) -> list[Tensor]:
        """Returns a map of logits, (B, 1, h, w), for each level of the features."""
        logits: list[Tensor] = self.judge(shown.features, shown.box)
        return logits


class Discriminators(nn.Module):
    """D_bg and D_obj in one module, which the loop trains with one optimiser."""

    def __init__(self, config: SeiganConfig) -> None:
        super().__init__()
        build = PatchDiscriminator if config.kind == "paper" else BoxFeatureDiscriminator
        self.background = build(config.discriminator_width)
        self.object = build(config.discriminator_width)

    @property
    def shares(self) -> tuple[float, ...]:
        """What each map of logits counts for the generators; they add up to 1."""
        return self.background.shares

    def forward(self, backgrounds: Sequence[Shown], objects: Sequence[Shown]) -> tuple[list[list[Tensor]], ...]:
        """Returns what D_bg says of each of `backgrounds`, and D_obj of each of `objects`: maps of logits."""
        return [self.background(shown) for shown in backgrounds], [self.object(shown) for shown in objects]


def _layer(in_channels: int, out_channels: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(in_channels, out_channels, KERNEL, stride, 1, bias=False)
    return [convolution, InstanceNorm(out_channels), nn.LeakyReLU(0.2)]
