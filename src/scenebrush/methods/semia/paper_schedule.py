"""How the paper's networks are taught, as functions of how far the schedule is (`share`, 0 to 1)."""

from __future__ import annotations

from typing import Final, NamedTuple

ITERATIONS: Final = 2500
GENERATOR_STEPS: Final = 10
RECONSTRUCT_EVERY: Final = 5
SWAP: Final = 0.5
"""Of the iterations in sample mode, the share in which the augmented pair is the source and the photo the target."""
BETAS: Final = (0.0, 0.9)
_TURN: Final = 0.4  # iteration 1,000 of 2,500: the augmentation is at its full strength, the rates begin to fall
_RATE: Final = 0.01
_FALL: Final = 0.009  # 6e-6 an iteration


class Rates(NamedTuple):
    """Learning rates of Adam."""

    generator: float
    discriminator: float
    auxiliary: float


def strength(share: float) -> float:
    """Returns the strength of the augmentation: from 0 to 1 over the first 1,000 of 2,500 iterations, to two digits."""
    return round(min(1.0, share / _TURN), 2)


def rates(share: float) -> Rates:
    """Returns the rates: generator half, discriminator twice a base of .01 (TTUR), which falls from iteration 1,001 on.

    The auxiliary classifier's does not fall. The released code skips 30 of the 1,500 decays, since a loop variable is
    used twice; here there is none to skip.
    """
    base = _RATE - _FALL * max(0.0, share - _TURN) / (1 - _TURN)
    return Rates(base / 2, base * 2, _RATE / 2)


def reconstructs(iteration: int) -> bool:
    """Returns whether an iteration is in reconstruction mode."""
    return iteration % RECONSTRUCT_EVERY == 0
