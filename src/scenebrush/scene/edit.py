"""Edits: what one or several operations turn a scene into, before any pixel is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from scenebrush.scene.layout import Layout

if TYPE_CHECKING:
    from scenebrush.scene.scene import Scene


@dataclass(frozen=True, eq=False)
class Carry:
    """An object that brings its own pixels along (move, resize, add from another scene).

    Args:
        donor: the scene that the pixels come from.
        mask: bool (H, W) in the donor: the object's pixels.
        matrix: float (2, 3): maps a donor position (x, y, 1) to a position (x, y) in the edited photo.
        target: bool (H, W) in the edited photo: where the object lies now (what is visible of it).
        shadow: bool (H, W) in the donor: ground darkened by the object, to come along; None = none was found.
            Where it falls in the edited photo is part of the hole.
    """

    donor: Scene
    mask: np.ndarray
    matrix: np.ndarray
    target: np.ndarray
    shadow: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Edit:
    """The hole and the new layout; any method renders it. It holds no pixels of its own.

    Several edits are rendered one after another, each on the scene that the one before it made (`Scene.apply`):
    an object moved twice brings along the pixels of its first place, which no single edit could say.

    Args:
        hole: bool (H, W), true = to be made anew. Outside the hole nothing changes. A carried object's
            `target` lies inside the hole.
        layout: the layout after the edit, same size.
        carries: objects that bring their own pixels, in the order in which they are painted.
    """

    hole: np.ndarray
    layout: Layout
    carries: tuple[Carry, ...] = field(default=())
