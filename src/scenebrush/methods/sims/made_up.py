"""Made-up silhouettes, for where only the statistics of a bank are at hand and no masks."""

from __future__ import annotations

import zlib

import numpy as np

from scenebrush.methods.sims.vocabulary import listed
from scenebrush.scene.label_set import LabelClass


def made_up(label_class: LabelClass, key: str, size: tuple[int, int], *, whole_width: bool = False) -> np.ndarray:
    """Returns a silhouette, bool (height, width): the same for the same class, key and size.

    Sky has a waved lower edge, ground widens towards the viewer, other stuff has a waved top and a thing a round one.

    Args:
        label_class: what it is of.
        key: what its waves are drawn from.
        size: (width, height) in pixels.
        whole_width: whether it goes from side to side of the picture; such ground has upright sides.
    """
    width, height = size
    rng = np.random.default_rng(zlib.crc32(key.encode()))
    rows = (np.arange(height)[:, None] + 0.5) / height
    columns = (np.arange(width)[None, :] + 0.5) / width
    wave = np.interp(columns, np.linspace(0, 1, 9), rng.uniform(0.0, 1.0, 9))
    if label_class.name in listed("above"):
        return rows < 1 - 0.3 * wave
    if label_class.name in listed("below"):
        inset = 0.0 if whole_width else 0.3 * (1 - rows)
        return (rows >= 0.08 * wave) & (columns >= inset) & (columns <= 1 - inset)
    if label_class.kind == "stuff":
        return rows >= 0.25 * wave * (1 - 0.4 * np.sin(np.pi * columns))
    across, up = np.abs(2 * columns - 1), np.clip(1 - rows / 0.6, 0, 1)
    return across**2.5 + up**2.5 <= 1
