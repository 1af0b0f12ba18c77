"""`segment`: whole photos become label maps."""

from __future__ import annotations

import numpy as np

from scenebrush.evaluation.edit_cases import EditCase
from scenebrush.evaluation.tasks.task import Sample, Task
from scenebrush.scene.edit import Edit
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene


def _cases(sample: Sample) -> list[EditCase]:
    photos = sample.photos
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((sample.seed, 13))))
    cases = []
    for index in rng.permutation(len(photos))[: sample.n]:
        photo = photos.photos[index]
        layout = Layout(photo.label_map.astype(np.int32), photos.label_set, photo.instance_map.astype(np.int32))
        edit = Edit(np.zeros(layout.shape, bool), layout)
        cases.append(EditCase(Scene(photo.photo, layout), edit, photo.photo, photo.stem, photo.photo))
    return cases


SEGMENT = Task(
    "segment",
    "Photos without labels, at their own size, become label maps; the data's labels are the truth.",
    _cases,
    makes_maps=True,
)
