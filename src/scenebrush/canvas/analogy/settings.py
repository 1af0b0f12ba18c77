"""What a rendering by analogy can be told."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scenebrush.errors import InputError


@dataclass(frozen=True)
class AnalogySettings:
    """What counts how much when patches are compared, and how long is searched.

    Args:
        guide: the classes around a pixel, beside the colours of its patch.
        place: that a pixel comes from where it would be expected to come from.
        coherence: how much more a match costs that goes on nowhere where its neighbours do; high = large pieces.
        reach: pixels, at every size: how near a class has to be to matter.
        passes: searches and votes at each size.
        last_passes: the same at the finest size.
        patch: side of the patches that are compared at the two finest sizes, odd; coarser ones have 7.
        last_patch: side of the patches that the picture is made of in the end, odd; 1 is sharpest, more hides seams.

    Raises:
        InputError: a weight below 0 or no number, an even patch, or anything else below 1.
    """

    guide: float = 3.0
    place: float = 0.5
    coherence: float = 1.0
    reach: float = 10.0
    passes: int = 4
    last_passes: int = 2
    patch: int = 5
    last_patch: int = 3

    def __post_init__(self) -> None:
        for name in ("guide", "place", "coherence"):
            if not 0 <= getattr(self, name) < math.inf:
                raise InputError(f"analogy: {name} is {getattr(self, name):g}; expected 0 or more")
        if min(self.patch, self.last_patch) < 1 or self.patch % 2 == 0 or self.last_patch % 2 == 0:
            raise InputError(f"analogy: patch {self.patch} and last_patch {self.last_patch}; expected odd numbers")
        if not 1 <= self.reach < math.inf or min(self.passes, self.last_passes) < 1:
            passes = f"passes {self.passes} and {self.last_passes}"
            raise InputError(f"analogy: reach {self.reach:g}, {passes}; expected 1 or more")
