"""What learns one photo: the same turns for the paper's networks and for ours."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol, cast

import numpy as np
from torch import Tensor

from scenebrush.methods.semia.config import SemiaConfig, SemiaKind
from scenebrush.methods.semia.source import Source

PUPILS: Final[Mapping[SemiaKind, tuple[str, str]]] = {
    "paper": ("paper_fit", "PaperPupil"),
    "compact": ("compact_fit", "CompactPupil"),
}
"""Kind -> the module beside this one, and its class: `Class(source, config, *, seed) -> Pupil`."""


class Pupil(Protocol):
    """What learns one photo; `training.fitting.fit` gives it its turns.

    `total` is the number of iterations of its own schedule (the paper's: 2,500), None where any number will do.
    """

    @property
    def total(self) -> int | None: ...

    def iterate(self, iteration: int, share: float) -> Mapping[str, float]:
        """Makes one iteration, with all its steps, and returns its losses by name; `"loss"` is the one to show.

        Every random draw depends on (seed, iteration) alone, so that a fit that goes on is the fit that never stopped.

        Args:
            iteration: from 0.
            share: of the schedule that is over, in [0, 1).
        """
        ...

    def picture(self) -> np.ndarray:
        """Returns a sheet, uint8 (H, W, 3), by the averaged networks: layouts above their pictures."""
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """Returns all that a fit goes on from, as plain tensors: networks, averages, optimisers."""
        ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> object:
        """Takes what `state_dict` returned; `RuntimeError` or `ValueError` for what does not fit."""
        ...

    def export(self, folder: Path, facts: Mapping[str, Any]) -> None:
        """Writes the model folder, whole or not at all; `facts` are of the training."""
        ...


def build_pupil(source: Source, config: SemiaConfig, *, seed: int = 0) -> Pupil:
    """Returns what learns a photo with this configuration, before its first iteration."""
    module, name = PUPILS[config.kind]
    return cast(Pupil, getattr(import_module(f"scenebrush.methods.semia.{module}"), name)(source, config, seed=seed))
