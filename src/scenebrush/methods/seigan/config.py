"""The whole configuration of SEIGAN: one frozen dataclass, one to one with recipe and model folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scenebrush.errors import RecipeError

Kind = Literal["paper", "compact"]


@dataclass(frozen=True)
class SeiganConfig:
    """Sizes of the three generators and two discriminators, and which objects are learned.

    The paper's layer lists are not known; "paper" has CycleGAN's where it is silent (README.md).

    Args:
        kind: "paper" (U-Net and ResNet generators with instance norm, patch discriminators that start from nothing) or
            "compact" (ours, for two CPU cores: no norms, discriminators on frozen VGG features).
        width: channels of the generators at full size: 64 in CycleGAN; 16 for "compact", whose other levels follow.
        num_blocks: residual blocks of "paper"'s inpainter and enhancer (9).
        noise_channels: planes of noise that the enhancer sees beside its picture; 0 = it is deterministic.
        residual: how far the enhancer can move a colour, in [-1, 1] (of a range of 2).
        evidence: the segmentation network is told what the photo itself tells of the box (`canvas.box_evidence`), and
            begins with it; ours.
        discriminator_width: channels of each discriminator's first layer (64), or of each head for "compact".
        pool_size: pictures that each discriminator's history of fakes holds (50); 0 = none.
        classes: names of the classes whose boxes are learned from; none = all things.
        least_side: objects whose box has a shorter side than this (pixels of the photo) are not learned from.
        context: side of a crop, as a multiple of the longer side of its box.
        size: side of the crops in pixels, set from the recipe's pictures when training.

    Raises:
        RecipeError: a size or share that cannot be.
    """

    kind: Kind = "paper"
    width: int = 64
    num_blocks: int = 9
    noise_channels: int = 0
    residual: float = 0.5
    evidence: bool = False
    discriminator_width: int = 64
    pool_size: int = 50
    classes: tuple[str, ...] = ()
    least_side: int = 24
    context: float = 1.6
    size: int = 96

    def __post_init__(self) -> None:
        for name in ("width", "num_blocks", "discriminator_width", "least_side", "size"):
            if getattr(self, name) < 1:
                raise RecipeError(f"config.{name} is {getattr(self, name)}; expected 1 or more")
        for name in ("noise_channels", "pool_size"):
            if getattr(self, name) < 0:
                raise RecipeError(f"config.{name} is {getattr(self, name)}; expected 0 (none) or more")
        if not 0 < self.residual <= 2:
            raise RecipeError(f"config.residual is {self.residual}; expected above 0, at most 2")
        if self.context < 1.15:
            raise RecipeError(f"config.context is {self.context}; expected 1.15 or more: a box needs surroundings")

    @property
    def divisor(self) -> int:
        """What the sides of the networks' pictures must be divisible by."""
        return 16
