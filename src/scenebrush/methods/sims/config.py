"""The whole configuration of SIMS: one frozen dataclass, one to one with recipe and model folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scenebrush.errors import RecipeError

NetworkName = Literal["paper", "compact"]
FootprintName = Literal["layout", "segment"]


@dataclass(frozen=True)
class SimsConfig:
    """Sizes of the three networks, how canvases are made and how they are spoilt for training.

    Defaults are the paper's where it says so; what is ours is told.

    Args:
        num_classes: classes of the label set; set from the data when training. One more index means "unknown".
        network: the synthesis network: "paper" (encoder and CRN decoder) or "compact" (ours, for a CPU).
        width: channels of its finest level: 64 in the paper, whose other levels follow; 24 for "compact".
        resolution: "paper" only: rows of its pictures, 256, 512 or 1024 (they are twice as wide).
        body_width: channels of the first group of the transformation and the ordering network (64).
        working_rows: rows of the pictures that those two see; twice as many columns (256).
        least_area: segments that cover a smaller share of the picture are left to the synthesis network (.0076).
        footprint: "layout": pasted pixels stay within the segment that the layout asks for, so that the picture keeps
            to it (ours); "segment": a segment brings its own footprint and the layout is revised, as in the paper.
        elision_band: width of the band along segments' boundaries that is elided, as a share of the rows (.05).
        elision_share: how many of the band's pixels are elided (.8).
        elided_white: elided pixels are white and count as present (paper); else they are missing like others (ours).
        donors: how many training segments are drawn, the best of which stencils (100).
        transfer_share: how often a segment's colours are transferred (.2).
        transfer: by which method: "monge_kantorovich" (released code) or "reinhard".
        label_noise: largest turn in degrees of the masks that make neighbours' labels unknown (2.5); 0 = none.
        discriminator: "none" (paper) or "features": SESAME's two streams on the perceptual network's features (ours).
        discriminator_width: channels of its first layer.

    Raises:
        RecipeError: a size or share that cannot be.
    """

    num_classes: int = 0
    network: NetworkName = "paper"
    width: int = 64
    resolution: int = 256
    body_width: int = 64
    working_rows: int = 256
    least_area: float = 0.0076
    footprint: FootprintName = "layout"
    elision_band: float = 0.05
    elision_share: float = 0.8
    elided_white: bool = True
    donors: int = 100
    transfer_share: float = 0.2
    transfer: Literal["monge_kantorovich", "reinhard"] = "monge_kantorovich"
    label_noise: float = 2.5
    discriminator: Literal["none", "features"] = "none"
    discriminator_width: int = 64

    def __post_init__(self) -> None:
        for name in ("width", "body_width", "donors", "discriminator_width"):
            if getattr(self, name) < 1:
                raise RecipeError(f"config.{name} is {getattr(self, name)}; expected 1 or more")
        for name in ("least_area", "elision_band", "elision_share", "transfer_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise RecipeError(f"config.{name} is {getattr(self, name)}; expected a share, 0 to 1")
        if self.resolution not in (256, 512, 1024):
            raise RecipeError(f"config.resolution is {self.resolution}; expected 256, 512 or 1024")
        if self.working_rows < 32 or self.working_rows % 32:
            raise RecipeError(f"config.working_rows is {self.working_rows}; expected a multiple of 32")

    @property
    def working_size(self) -> tuple[int, int]:
        """(H, W) of what the transformation and the ordering network see."""
        return self.working_rows, 2 * self.working_rows

    @property
    def unknown(self) -> int:
        """The class index that means: not known here."""
        return self.num_classes

    @property
    def divisor(self) -> int:
        """What the sides of the synthesis network's pictures must be divisible by."""
        return 16 if self.network == "compact" else self.resolution // 4
