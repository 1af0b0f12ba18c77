"""A history of fakes for discriminators (Shrivastava et al. 2017; CycleGAN, SEIGAN; off in pix2pixHD's own scripts)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class ImagePool:
    """Gives the discriminator, half of the time, an older fake in place of the new one.

    What it keeps are whole discriminator inputs, condition and picture together: an old fake under a new condition
    would be wrong for another reason. When the pictures' size changes, those of another size are dropped.
    """

    def __init__(self, size: int) -> None:
        """Makes an empty pool of at most `size` pairs; 0 = none, and every fake comes back as it is."""
        self.size = size
        self.kept: list[Tensor] = []

    def query(self, condition: Tensor, image: Tensor, *, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Returns conditions (B, S, H, W) and images (B, 3, H, W) to be judged as fake, without gradients.

        While the pool is not full every pair is kept and comes back. Then each is, with probability 1/2, exchanged
        for a random one of the pool. `generator` is a CPU generator.
        """
        condition, image = condition.detach(), image.detach()
        if not self.size:
            return condition, image
        pairs = torch.cat([condition, image], 1)
        self.kept = [pair for pair in self.kept if pair.shape == pairs[0].shape]  # of a coarser phase
        chosen = torch.stack([self._exchange(pair, generator) for pair in pairs])
        return chosen[:, : condition.shape[1]], chosen[:, condition.shape[1] :]

    def state_dict(self) -> dict[str, Tensor]:
        """Returns what a checkpoint must hold for a run to go on as if it had not stopped."""
        return {f"kept.{place}": pair.clone() for place, pair in enumerate(self.kept)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Takes the pairs of a checkpoint."""
        self.kept = [state[f"kept.{place}"].clone() for place in range(min(len(state), self.size))]

    def _exchange(self, pair: Tensor, generator: torch.Generator) -> Tensor:
        if len(self.kept) < self.size:
            self.kept.append(pair.clone())
            return pair
        if torch.rand((), generator=generator) < 0.5:
            return pair
        place = int(torch.randint(self.size, (), generator=generator))
        older, self.kept[place] = self.kept[place].to(pair.device), pair.clone()
        return older
