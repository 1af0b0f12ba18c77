"""The whole configuration of the segmenter: one frozen dataclass, one to one with recipe and model folder."""

from __future__ import annotations

from dataclasses import dataclass

from scenebrush.errors import RecipeError


@dataclass(frozen=True)
class SegmenterConfig:
    """Sizes of the network; the defaults make 0.9 MB in half precision for a dozen classes.

    Args:
        num_outputs: classes that it tells apart, those of the label set that are not void; set from the data when
            training.
        widths: channels at 1/4, 1/8, 1/16 and 1/32 of the photo's size; multiples of 16 are fast.
        depths: residual blocks at each of them.
        decoder_width: channels on the way back.
        group_width: channels that the 3x3 convolutions from 1/8 on see together.
        longer_side: photos that are larger are segmented at this longer side, in pixels, and the scores are enlarged.
        scales: shares of that size that each photo is read at; the chances are averaged.

    Raises:
        RecipeError: a size that is not positive, other than four widths and depths, or widths that do not divide by
            `group_width`.
    """

    num_outputs: int = 0
    widths: tuple[int, int, int, int] = (32, 64, 96, 112)
    depths: tuple[int, int, int, int] = (2, 2, 3, 2)
    decoder_width: int = 64
    group_width: int = 16
    longer_side: int = 640
    scales: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        for name in ("decoder_width", "group_width", "longer_side"):
            if getattr(self, name) < 1:
                raise RecipeError(f"config.{name} is {getattr(self, name)}; expected 1 or more")
        for name in ("widths", "depths"):
            if min(getattr(self, name)) < 1:
                raise RecipeError(f"config.{name} is {list(getattr(self, name))}; expected four numbers of 1 or more")
        if not self.scales or min(self.scales) <= 0 or max(self.scales) > 2:
            raise RecipeError(f"config.scales is {list(self.scales)}; expected one or more numbers above 0, at most 2")
        for name, widths in (("widths", self.widths[1:3]), ("decoder_width", (self.decoder_width,))):
            if any(width % self.group_width for width in widths):
                raise RecipeError(
                    f"config.{name} holds {', '.join(map(str, widths))}; expected multiples of config.group_width,"
                    f" {self.group_width}"
                )
