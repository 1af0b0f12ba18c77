"""The whole configuration of SPADE: one frozen dataclass, one to one with recipe and model folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scenebrush.errors import RecipeError
from scenebrush.layers.discriminators import DiscriminatorName
from scenebrush.layers.spade import HIDDEN_WIDTH
from scenebrush.methods.spade.generator import UPSAMPLINGS, Upsampling, latent_size


@dataclass(frozen=True)
class SpadeConfig:
    """Sizes and options of generator, style encoder and discriminator; the defaults are the paper's.

    Args:
        num_classes: classes of the label set (for 35-class Cityscapes: 35); set from the data when training.
        dontcare_channel: one more channel, for unlabelled pixels (COCO-Stuff).
        boundary_channel: one more channel, for the boundaries of instances; off where there is no instance map.
        width: ngf, channels that the generator's widths are multiples of (64 in the paper).
        modulation_width: channels between the labels and the scales and shifts of a SPADE layer (128 in the paper).
        upsampling: "normal" (5 doublings: COCO-Stuff, ADE20K), "more" (6: Cityscapes) or "most" (7).
        crop_size: width in pixels of the training pictures (256; Cityscapes 512).
        aspect_ratio: width / height of the training pictures (1; Cityscapes 2).
        style: with a style encoder (VAE), so that one layout has many pictures.
        style_channels: length of a style vector (256 in the paper).
        discriminator: one of `layers.discriminators.DISCRIMINATORS`; "concatenated" is SPADE's own, "two_streams"
            SESAME's; or "features": SESAME's two streams on the perceptual network's features (`FeatureDiscriminator`),
            which learns in hundreds of steps.
        discriminator_width: ndf, channels of the discriminator's first layer (64).
        discriminator_layers: convolutions of a stream (4: patches of 70 px).
        discriminator_scales: number of scales (2).
        discriminator_mean_gate: "two_streams" only: gate by the mean over channels (ours).

    Raises:
        RecipeError: a size that is not positive, an unknown `upsampling`, a crop that is too small for it.
    """

    num_classes: int = 0
    dontcare_channel: bool = False
    boundary_channel: bool = True
    width: int = 64
    modulation_width: int = HIDDEN_WIDTH
    upsampling: Upsampling = "normal"
    crop_size: int = 256
    aspect_ratio: float = 1.0
    style: bool = False
    style_channels: int = 256
    discriminator: DiscriminatorName | Literal["features"] = "concatenated"
    discriminator_width: int = 64
    discriminator_layers: int = 4
    discriminator_scales: int = 2
    discriminator_mean_gate: bool = False

    def __post_init__(self) -> None:
        for name in _SIZES:
            if getattr(self, name) < 1:
                raise RecipeError(f"config.{name} is {getattr(self, name)}; expected 1 or more")
        if self.upsampling not in UPSAMPLINGS:
            raise RecipeError(f"config.upsampling is {self.upsampling!r}; expected {', '.join(UPSAMPLINGS)}")
        if self.aspect_ratio <= 0:
            raise RecipeError(f"config.aspect_ratio is {self.aspect_ratio}; expected width / height, above 0")
        if self.upsampling == "most" and self.width < 2:
            raise RecipeError("config.width is 1, which 'most' upsampling cannot halve; expected 2 or more")
        latent_size(self.upsampling, self.crop_size, self.aspect_ratio)  # says what is wrong with the crop

    @property
    def divisor(self) -> int:
        """What the sides of a picture must be divisible by."""
        return int(2 ** UPSAMPLINGS[self.upsampling])

    @property
    def condition_channels(self) -> int:
        """Channels of the semantics: classes, and one each for the unlabelled and the boundaries where asked for."""
        return self.num_classes + self.dontcare_channel + self.boundary_channel


_SIZES = (
    "width",
    "modulation_width",
    "style_channels",
    "discriminator_width",
    "discriminator_layers",
    "discriminator_scales",
)
