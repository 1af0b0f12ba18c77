"""`add` and `erase`: the papers' box protocol and ours by silhouette; the truth is the photo itself."""

from __future__ import annotations

from functools import partial
from typing import cast

from scenebrush.data.measuring import Task as WindowTask
from scenebrush.data.measuring import measuring_windows
from scenebrush.evaluation.edit_cases import EditCase, edit_case
from scenebrush.evaluation.tasks.task import Sample, Task


def _cases(task: WindowTask, sample: Sample) -> list[EditCase]:
    photos = sample.photos
    windows = measuring_windows(
        photos,
        "",
        task,
        sample.n,
        sample.seed,
        sample.size,
        context=sample.context,
        least_object=sample.least_object,
    )
    by_stem = {photo.stem: photo.photo for photo in photos.photos}
    return [edit_case(window, photos.label_set, by_stem[window.stem]) for window in windows]


def _task(name: str, summary: str) -> Task:
    return Task(name, summary, partial(_cases, cast(WindowTask, name.replace("-", "_"))))


ADD = _task(
    "add",
    "An object's box is the hole, its true labels are given, the photo with the object is the truth (SESAME's addition:"
    " the box protocol).",
)
ERASE = _task(
    "erase",
    "A box of background, as large as another photo's object, is the hole; it holds no thing, so the photo is the"
    " truth (what SESAME calls removal; no object is really there).",
)
ADD_SILHOUETTE = _task(
    "add-silhouette",
    "An object's outline, dilated, is the hole, its true labels are given, the photo is the truth.",
)
ERASE_SILHOUETTE = _task(
    "erase-silhouette",
    "A background hole with the outline of another photo's object, dilated; it holds no thing, so the photo is the"
    " truth.",
)
