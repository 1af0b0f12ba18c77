"""The whole configuration of pix2pix: one frozen dataclass, one to one with recipe and model folder."""

from __future__ import annotations

from dataclasses import dataclass

from scenebrush.errors import RecipeError


@dataclass(frozen=True)
class Pix2PixConfig:
    """Sizes and options of generator and discriminator; the defaults are the paper's.

    Args:
        num_classes: classes of the label set; set from the data when training.
        width: channels of the U-Net's first layer (64 in the paper).
        depth: how often the U-Net halves the picture (8 in the paper: 256x256 down to one place).
        dropout: share of channels' values that are dropped in the decoder's first three layers (0.5): the only noise.
        discriminator_width: channels of the discriminator's first layer (64).
        discriminator_layers: its layers with stride 2: 3 = patches of 70 px; 1 = 16, 2 = 34, 4 = 142.

    Raises:
        RecipeError: a size that is not positive, a U-Net of fewer than 2 layers, a dropout that is no share.
    """

    num_classes: int = 0
    width: int = 64
    depth: int = 8
    dropout: float = 0.5
    discriminator_width: int = 64
    discriminator_layers: int = 3

    def __post_init__(self) -> None:
        for name in ("width", "discriminator_width", "discriminator_layers"):
            if getattr(self, name) < 1:
                raise RecipeError(f"config.{name} is {getattr(self, name)}; expected 1 or more")
        if self.depth < 2:
            raise RecipeError(f"config.depth is {self.depth}; expected 2 or more")
        if not 0 <= self.dropout < 1:
            raise RecipeError(f"config.dropout is {self.dropout}; expected a share from 0 to below 1")
