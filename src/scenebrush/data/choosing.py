"""Which object the next window is about."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from scenebrush.data import holes
from scenebrush.data.split_in_memory import ObjectRecord, SplitInMemory

CLASS_WEIGHTS: Mapping[str, float] = {"car": 4.0, "pedestrian": 4.0, "person": 4.0, "bicyclist": 2.0, "rider": 2.0}
"""How often a class's objects are chosen, relative to 1 for a class that is not named."""


class ObjectChooser:
    """Draws objects of a split: first the class by its weight, then one of its objects, larger ones more often.

    Args:
        objects: what to choose from.
        weights: weight per class id; classes not named have weight 1.
        size_bias: within a class an object's weight is its longer side to this power.
    """

    def __init__(self, objects: tuple[ObjectRecord, ...], weights: Mapping[int, float], size_bias: float = 0.5) -> None:
        self.objects = objects
        single = np.array([holes.longer_side(o.box) ** size_bias for o in objects])
        classes = np.array([o.class_id for o in objects], int)
        for class_id in np.unique(classes):
            own = classes == class_id
            single[own] *= weights.get(int(class_id), 1.0) / single[own].sum()
        self._cumulative = np.cumsum(single)

    def __bool__(self) -> bool:
        return bool(self._cumulative.size and self._cumulative[-1] > 0)

    def draw(self, rng: np.random.Generator) -> ObjectRecord:
        """Returns one object."""
        at = np.searchsorted(self._cumulative, rng.uniform(0, self._cumulative[-1]), side="right")
        return self.objects[min(int(at), len(self.objects) - 1)]


def class_weights_by_id(split: SplitInMemory, weights: Mapping[str, float] | None) -> dict[int, float]:
    """Returns the weights by class id; names that the caller gives must exist (`LabelError`), default ones may not."""
    if weights is not None:
        return {split.label_set.find(name).id: weight for name, weight in weights.items()}
    return {c.id: CLASS_WEIGHTS[c.name] for c in split.label_set.classes if c.name in CLASS_WEIGHTS}
