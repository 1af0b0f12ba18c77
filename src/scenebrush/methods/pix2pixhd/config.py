"""The whole configuration of pix2pixHD: one frozen dataclass, one to one with recipe and model folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scenebrush.errors import RecipeError
from scenebrush.layers.discriminators import DiscriminatorName

NormName = Literal["instance", "batch"]
Pooling = Literal["instance", "class"]


@dataclass(frozen=True)
class Pix2PixHDConfig:
    """Sizes and options of generator, encoder and discriminator. The defaults are the authors' 512p model.

    Their 1024p model is `num_enhancers=1, discriminator_scales=3`; `width` stays: it is the global generator's.

    Args:
        num_classes: classes of the label set; set from the data when training.
        boundaries: the instance boundary map is a channel after the classes (off: the authors' `no_instance`).
        num_features: channels of an object's style (3 in the paper); 0 = no encoder, one picture per layout.
        pooling: an encoder's features are averaged over each "instance", or over each "class" (`label_feat`).
        num_styles: styles kept per class (k-means).
        width: channels of the global generator's first layer (ngf 64).
        num_downsamplings: halvings of the global generator.
        num_blocks: residual blocks of the global generator.
        num_enhancers: local enhancers; each doubles the size of the picture.
        num_enhancer_blocks: residual blocks of each.
        norm: "instance" (all released models) or "batch".
        encoder_width: nef, channels of the encoder's first layer.
        encoder_downsamplings: halvings of the encoder.
        discriminator: "multiscale" is pix2pixHD's own; or one of `layers.discriminators.DISCRIMINATORS`; or
            "features": SESAME's two streams on the perceptual network's features, which learns in hundreds of steps.
        discriminator_width: ndf.
        discriminator_layers: strided convolutions of a scale (3: patches of 70 px).
        discriminator_scales: 1-3 in the paper: 2 at 512p, 3 at 1024p.
        pool_size: pictures that the discriminator's image pool keeps; 0 = none.
        window: sides (width, height) in pixels of the pictures that the model was last trained on.

    Raises:
        RecipeError: a size that cannot be.
    """

    num_classes: int = 0
    boundaries: bool = True
    num_features: int = 0
    pooling: Pooling = "instance"
    num_styles: int = 10
    width: int = 64
    num_downsamplings: int = 4
    num_blocks: int = 9
    num_enhancers: int = 0
    num_enhancer_blocks: int = 3
    norm: NormName = "instance"
    encoder_width: int = 16
    encoder_downsamplings: int = 4
    discriminator: DiscriminatorName | Literal["multiscale", "features"] = "multiscale"
    discriminator_width: int = 64
    discriminator_layers: int = 3
    discriminator_scales: int = 2
    pool_size: int = 0
    window: tuple[int, int] = (256, 256)

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value < least:
                raise RecipeError(f"config.{name} is {value}; expected {least} or more")
        if self.width % 2**self.num_enhancers:
            raise RecipeError(
                f"config.width is {self.width}, which {self.num_enhancers} enhancers cannot halve so often;"
                f" expected a multiple of {2**self.num_enhancers}"
            )

    @property
    def condition_channels(self) -> int:
        """Channels of the labels and boundaries: what the discriminator sees beside the picture."""
        return self.num_classes + int(self.boundaries)

    @property
    def generator_channels(self) -> int:
        """Channels of the generator's input: one-hot labels, boundaries, style."""
        return self.condition_channels + self.num_features

    @property
    def divisor(self) -> int:
        """What the sides of a generated picture must be divisible by."""
        encoder = self.encoder_downsamplings if self.num_features else 0  # it works at the global generator's size
        return int(2 ** (self.num_enhancers + max(self.num_downsamplings, encoder)))


_LEAST = {
    "num_classes": 0,
    "num_features": 0,
    "num_styles": 1,
    "width": 1,
    "num_downsamplings": 0,
    "num_blocks": 0,
    "num_enhancers": 0,
    "num_enhancer_blocks": 0,
    "encoder_width": 1,
    "encoder_downsamplings": 0,
    "discriminator_width": 1,
    "discriminator_layers": 1,
    "discriminator_scales": 1,
    "pool_size": 0,
}
