"""Operations: pure functions from a scene to an edit. They keep label and instance maps true and make no pixels."""

from __future__ import annotations

from scenebrush.scene.operations.adding import Segment, add
from scenebrush.scene.operations.erasing import erase
from scenebrush.scene.operations.holes import dilate, ground_ids
from scenebrush.scene.operations.moving import move, resize
from scenebrush.scene.operations.painting import paint, relabel
from scenebrush.scene.operations.refilling import Refill, refill
from scenebrush.scene.operations.shadows import find_shadow
from scenebrush.scene.operations.warping import warped

__all__ = [
    "Refill",
    "Segment",
    "add",
    "dilate",
    "erase",
    "find_shadow",
    "ground_ids",
    "move",
    "paint",
    "refill",
    "relabel",
    "resize",
    "warped",
]
