"""Which classes of a label set a segmenter tells apart, and how its outputs stand for them."""

from __future__ import annotations

import numpy as np

from scenebrush.scene.label_set import LabelSet

IGNORED = 255
"""The output's number in a target that means: not to be learned."""


def known_ids(label_set: LabelSet) -> tuple[int, ...]:
    """Returns the ids that can be told, in the order of the outputs: all but void and the unlabelled one."""
    return tuple(c.id for c in label_set.classes if c.kind != "void" and c.id != label_set.ignore_id)


def outputs_of_indices(label_set: LabelSet) -> np.ndarray:
    """Returns int64 (256,): class index (the place in the label set; 255 = none) -> its output, 255 = not learned."""
    table = np.full(256, IGNORED, np.int64)
    known = known_ids(label_set)
    for index, class_id in enumerate(label_set.ids[:255]):
        if class_id in known:
            table[index] = known.index(class_id)
    return table
