"""The whole configuration of SESAME: one frozen dataclass, one to one with recipe and model folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scenebrush.errors import RecipeError


@dataclass(frozen=True)
class SesameConfig:
    """Sizes and options of generator and discriminator.

    Args:
        num_classes: classes of the label set (for 35-class Cityscapes: 35); set from the data when training.
        network: "compact" (ours, for plain computers) or "paper" (facts 1.2).
        guided: compact only: the canvas is an extra input with a gated output.
        thing_classes: compact only: indices of the classes that are drawn, not copied, at the start.
        width: channels at full resolution (paper: ngf 64; compact: 32).
        num_blocks: compact: modulated blocks in the core; paper: SPADE blocks (5).
        num_residual: paper only: residual blocks of the encoder (4).
        skips: paper only: U-Net connections.
        wide: paper only: double width in the core.
        embedding: compact only: channels of a class embedding.
        semantics: "hole" (labels of the edited area only, the paper's claim) or "everywhere" (facts 1.8).
        discriminator: "two_stream" (the paper's) or "features" (ours: on the perceptual network's features).
        discriminator_width: ndf, channels of the discriminator's first layer (64 in the paper).
        discriminator_layers: convolutions of a stream (4 in the paper: patches of 70 px; 3: patches of 34 px).
        discriminator_mean_gate: gate by the mean over channels instead of the paper's sum (ours).
        discriminator_scales: number of scales (2 in the paper).
        window: side in pixels of the windows that the model was last trained on.

    Raises:
        RecipeError: a size that is not positive.
    """

    num_classes: int = 0
    network: Literal["compact", "paper"] = "compact"
    guided: bool = True
    thing_classes: tuple[int, ...] = ()
    width: int = 32
    num_blocks: int = 4
    num_residual: int = 4
    skips: bool = False
    wide: bool = False
    embedding: int = 16
    semantics: Literal["hole", "everywhere"] = "hole"
    discriminator: Literal["two_stream", "features"] = "two_stream"
    discriminator_width: int = 64
    discriminator_scales: int = 2
    discriminator_layers: int = 4
    discriminator_mean_gate: bool = False
    window: int = 256

    def __post_init__(self) -> None:
        for name in (
            "width",
            "num_blocks",
            "embedding",
            "discriminator_width",
            "discriminator_layers",
            "discriminator_scales",
            "window",
        ):
            if getattr(self, name) < 1:
                raise RecipeError(f"config.{name} is {getattr(self, name)}; expected 1 or more")
