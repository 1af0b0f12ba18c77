"""The tasks: what is asked of a method, on which pictures, and what is known to be right. Each is a seeded protocol."""

from __future__ import annotations

from scenebrush.errors import InputError, nearest_name
from scenebrush.evaluation.tasks import analogy, counterfactual, manipulating, segmenting, synthesizing, windows
from scenebrush.evaluation.tasks.task import Sample, Task

__all__ = ["TASKS", "Sample", "Task", "task_by_name"]

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        windows.ADD,
        windows.ERASE,
        windows.ADD_SILHOUETTE,
        windows.ERASE_SILHOUETTE,
        manipulating.MANIPULATE,
        manipulating.RELABEL,
        manipulating.MOVE,
        synthesizing.SYNTHESIZE,
        segmenting.SEGMENT,
        analogy.ANALOGY,
        counterfactual.TOY_ADD,
        counterfactual.TOY_ERASE,
    )
}
"""Every task by its name, as `scenebrush evaluate --task` takes it."""


def task_by_name(name: str) -> Task:
    """Returns a task; `-` and `_` are alike. An unknown name is an `InputError` with the nearest one."""
    wanted = name.replace("_", "-")
    if wanted not in TASKS:
        raise InputError(f"unknown task {name!r}{nearest_name(wanted, TASKS)}; there are {', '.join(TASKS)}")
    return TASKS[wanted]
