"""`toy-add`, `toy-erase`: the toy world draws the same street with and without an object, so the truth is known."""

from __future__ import annotations

from functools import partial

from scipy import ndimage

from scenebrush.data.toy import draw_counterfactuals
from scenebrush.data.toy.world import Counterfactual
from scenebrush.errors import InputError
from scenebrush.evaluation.edit_cases import EditCase, blacked
from scenebrush.evaluation.tasks.task import Sample, Task
from scenebrush.scene.edit import Edit
from scenebrush.scene.scene import Scene

_RIM = 2  # px that the hole reaches beyond object and shadow


def _cases(erase: bool, sample: Sample) -> list[EditCase]:
    if sample.data is not None:
        raise InputError("the toy tasks draw their own streets; leave --data out")
    size = (sample.size * 4 // 3, sample.size)
    drawn = draw_counterfactuals(sample.n, size=size, seed=sample.seed, least_object=max(12, sample.size // 10))
    return [_case(pair, erase, i) for i, pair in enumerate(drawn)]


def _case(pair: Counterfactual, erase: bool, index: int) -> EditCase:
    before, after = (pair.present, pair.absent) if erase else (pair.absent, pair.present)
    hole = ndimage.binary_dilation(pair.influence, iterations=_RIM)
    scene = Scene(blacked(before.photo, hole), before.layout)
    labels_before = before.layout.label_map
    return EditCase(
        scene, Edit(hole, after.layout), before.photo, f"street {index}", after.photo, labels_before=labels_before
    )


TOY_ADD = Task(
    "toy-add",
    "The toy world without one object; its labels are asked for, and the same street with it is the truth. The hole is"
    " the object and its shadow.",
    partial(_cases, False),
    needs_data=False,
)
TOY_ERASE = Task(
    "toy-erase",
    "The toy world with one object, which is to go: the same street without it and without its shadow is the truth."
    " The hole is the object and its shadow.",
    partial(_cases, True),
    needs_data=False,
)
