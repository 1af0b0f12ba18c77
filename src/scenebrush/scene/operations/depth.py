"""Which objects stay in front of one that is placed behind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scenebrush.scene.layout import Layout

Behind = bool | str | Sequence[str | int]
"""False: in front of all. True: behind other objects. Class names or ids: behind these classes only."""


def in_front(layout: Layout, behind: Behind) -> np.ndarray:
    """Returns bool (H, W): what stays in front of an object that is placed `behind`.

    Raises:
        LabelError: an unknown class.
    """
    if behind is False:
        return np.zeros(layout.shape, bool)
    if behind is True:
        return layout.label_set.is_kind(layout.label_map, "thing")
    names = [behind] if isinstance(behind, str) else behind
    return np.isin(layout.label_map, [layout.label_set.find(name).id for name in names])
