"""`synthesize`: whole pictures from labels alone."""

from __future__ import annotations

from collections import Counter

import numpy as np

from scenebrush.data.holes import Box
from scenebrush.data.split_in_memory import LabelledPhoto
from scenebrush.data.windows import cut_map, cut_photo
from scenebrush.evaluation.edit_cases import EditCase
from scenebrush.evaluation.tasks.task import Sample, Task
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene


def _cases(sample: Sample) -> list[EditCase]:
    photos = sample.photos
    rng = np.random.Generator(np.random.Philox(np.random.SeedSequence((sample.seed, 11))))
    chosen = [photos.photos[i] for i in rng.permutation(len(photos))[: sample.n]]
    width, height = Counter(photo.size for photo in photos.photos).most_common(1)[0][0]
    scale = sample.size / min(width, height)
    size = round(width * scale), round(height * scale)
    return [_case(photo, size, photos.label_set) for photo in chosen]


def _case(photo: LabelledPhoto, size: tuple[int, int], label_set: LabelSet) -> EditCase:
    box = _middle(photo.size, size[0] / size[1])
    truth = cut_photo(photo.photo, box, size)
    labels, numbers = (cut_map(m, box, size).astype(np.int32) for m in (photo.label_map, photo.instance_map))
    layout = Layout(labels, label_set, numbers)
    everything = np.ones(labels.shape, bool)
    return EditCase(Scene(np.zeros_like(truth), layout), Edit(everything, layout), truth, photo.stem, truth)


def _middle(size: tuple[int, int], aspect: float) -> Box:
    """The largest box of an aspect (width / height) in the middle of a picture of (W, H)."""
    width = min(size[0], round(size[1] * aspect))
    height = min(size[1], round(size[0] / aspect))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    return left, top, left + width, top + height


SYNTHESIZE = Task(
    "synthesize",
    "The whole picture from its labels; nothing of the photo is shown. The photo of the same labels is one right answer"
    " among many: agreement, FID and KID say more than LPIPS. Pictures are scaled to `size` on the shorter side (cut to"
    " the split's commonest aspect).",
    _cases,
    whole=True,
)
