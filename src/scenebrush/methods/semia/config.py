"""The whole configuration of SemIA: one frozen dataclass, one to one with the model folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from scenebrush.errors import RecipeError

SemiaKind = Literal["compact", "paper"]
"""Whose way: ours, which copies the photo and has no networks, or the paper's networks."""
KINDS: Final[tuple[SemiaKind, ...]] = get_args(SemiaKind)


@dataclass(frozen=True)
class SemiaConfig:
    """Sizes and options of the networks. All but `kind` are those of the paper's networks, and default to them.

    Args:
        kind: "paper", or "compact" (ours; what it learns stands in its weights, `canvas.analogy.AnalogySettings`).
        levels: how often the encoders halve the picture (3); sides must be divisible by 2^levels, the discriminator's
            by 8.
        width: channels of the encoders' first layer (32); they double with every level.
        condition_channels: channels of a layout, which is a picture in its classes' colours (3).
        modulate_encoder: scales and shifts in the image encoder.
        modulate_decoder: scales and shifts in the decoder; one of both must be on.
        skips: features of the image encoder are added in the decoder (off).
        discriminator_width: channels of the discriminator's first layer (64).
        discriminator_sees_layout: an embedding of the layout in the discriminator (off).
        auxiliary_width: channels of the network that tells a picture's layout (128).
        alignment_as_released: the released code's semantic alignment, which gives the generator no gradient (off).

    Raises:
        RecipeError: a size that is not positive, an unknown kind, or no scales and shifts at all.
    """

    kind: SemiaKind = "compact"
    levels: int = 3
    width: int = 32
    condition_channels: int = 3
    modulate_encoder: bool = True
    modulate_decoder: bool = True
    skips: bool = False
    discriminator_width: int = 64
    discriminator_sees_layout: bool = False
    auxiliary_width: int = 128
    alignment_as_released: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise RecipeError(f"config.kind is {self.kind!r}; expected {' or '.join(KINDS)}")
        for name in (
            "levels",
            "width",
            "condition_channels",
            "discriminator_width",
            "auxiliary_width",
        ):
            if getattr(self, name) < 1:
                raise RecipeError(f"config.{name} is {getattr(self, name)}; expected 1 or more")
        if self.width * 2 < 4:
            raise RecipeError(f"config.width is {self.width}; expected 2 or more, which the bottlenecks quarter")
        if not (self.modulate_encoder or self.modulate_decoder):
            raise RecipeError("config.modulate_encoder and modulate_decoder are both off: no layout would be seen")

    @property
    def divisor(self) -> int:
        """What the sides of a picture must be divisible by: 2^levels for the generator, 8 for the discriminator."""
        return int(max(2**self.levels, 8))
