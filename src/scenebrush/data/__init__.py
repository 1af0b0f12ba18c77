"""Data sets on disk, training and measuring windows, and the toy world; numpy, scipy and Pillow only."""

from scenebrush.data.choosing import CLASS_WEIGHTS
from scenebrush.data.measuring import TASKS, MeasuringWindows, Task, measuring_windows
from scenebrush.data.split_in_memory import LabelledPhoto, ObjectRecord, SplitInMemory
from scenebrush.data.windows import HOLE_KINDS, TrainingWindows, Window

__all__ = [
    "CLASS_WEIGHTS",
    "HOLE_KINDS",
    "TASKS",
    "LabelledPhoto",
    "MeasuringWindows",
    "ObjectRecord",
    "SplitInMemory",
    "Task",
    "TrainingWindows",
    "Window",
    "measuring_windows",
]
