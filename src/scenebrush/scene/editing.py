"""What all editors offer: the operations as methods that may be chained, undo and redo. What an edit is, they say."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar

import numpy as np

from scenebrush.errors import EditError
from scenebrush.scene import operations
from scenebrush.scene.edit import Edit
from scenebrush.scene.scene import Scene

Operation = Callable[[Scene], Edit]

Step = TypeVar("Step")


class Editing(ABC, Generic[Step]):
    """A list of steps, the last of which can be taken back and made again. Every method returns the editor itself."""

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._undone: list[Step] = []

    @abstractmethod
    def apply(self, operation: Operation) -> Self:
        """Adds a step: any function Scene -> Edit; what it raises, it raises here, and nothing is added."""

    def erase(self, **arguments: Any) -> Self:
        """Removes an object, a class or a region: `operations.erase`."""
        return self.apply(lambda scene: operations.erase(scene, **arguments))

    def add(self, class_: str | int, **arguments: Any) -> Self:
        """Adds a class in a mask, polygon or box, or a segment of another scene: `operations.add`."""
        return self.apply(lambda scene: operations.add(scene, class_, **arguments))

    def move(self, at: tuple[int, int], by: tuple[int, int] = (0, 0), **arguments: Any) -> Self:
        """Moves, scales, turns or flips the object at a point: `operations.move`."""
        return self.apply(lambda scene: operations.move(scene, at, by, **arguments))

    def resize(self, at: tuple[int, int], *args: Any, **arguments: Any) -> Self:
        """Makes the object at a point larger or smaller: `operations.resize`."""
        return self.apply(lambda scene: operations.resize(scene, at, *args, **arguments))

    def relabel(self, at: tuple[int, int], to: str | int, **arguments: Any) -> Self:
        """Makes the object at a point one of another class: `operations.relabel`."""
        return self.apply(lambda scene: operations.relabel(scene, at, to, **arguments))

    def paint(self, class_: str | int, mask: np.ndarray, **arguments: Any) -> Self:
        """Paints a class over a region: `operations.paint`."""
        return self.apply(lambda scene: operations.paint(scene, class_, mask, **arguments))

    def undo(self) -> Self:
        """Takes the last operation back."""
        if not self._steps:
            raise EditError("there is no edit to undo")
        self._undone.append(self._steps.pop())
        return self

    def redo(self) -> Self:
        """Does again what the last `undo` took back."""
        if not self._undone:
            raise EditError("there is no undone edit to do again")
        self._steps.append(self._undone.pop())
        return self
