"""What a method gives to the training loop."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn


class Memory(Protocol):
    """What a trainee remembers beside its networks (an image pool): plain tensors, kept in checkpoints."""

    def state_dict(self) -> Mapping[str, Tensor]: ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> object: ...


class Trainee(Protocol):
    """The networks, data and losses of one method; `loop.train` does the rest.

    `generator` and `discriminator` are what is trained (the discriminator may be None). The loop puts its wrapped
    networks in their place. `memories` is what else a resumed run must have back.
    """

    generator: nn.Module
    discriminator: nn.Module | None
    memories: Mapping[str, Memory]

    def num_windows(self, stage: int) -> int:
        """Returns how many distinct windows an epoch of that stage has."""
        ...

    def batch(self, stage: int, indices: list[int], rng: torch.Generator) -> Any:
        """Returns the batch of these windows on the CPU; it has `.to(device)`. Every random choice comes from `rng`."""
        ...

    def generator_step(self, batch: Any, stage: int, ramp: float) -> tuple[Tensor, Mapping[str, Tensor], Any]:
        """Returns the generator's loss, its parts by name, and what `discriminator_step` needs of it.

        `ramp`, 0 to 1, multiplies the adversarial loss.
        """
        ...

    def discriminator_step(self, batch: Any, made: Any, stage: int) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Returns the discriminator's loss and its parts."""
        ...

    def adversarial(self, stage: int) -> bool:
        """Returns whether the discriminator is trained in this stage."""
        ...

    def sample(self, generator: nn.Module) -> np.ndarray:
        """Returns a sheet of a few fixed windows, uint8 (H, W, 3): hole, what there is to go by, result, truth."""
        ...

    def export(self, generator: nn.Module, folder: Path, facts: Mapping[str, Any]) -> None:
        """Writes the model folder of a trained generator."""
        ...
