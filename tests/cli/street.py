"""A small street on disk, in CamVid ids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

SKY, BUILDING, ROAD, CAR, PEDESTRIAN = 0, 1, 3, 8, 9
HEIGHT, WIDTH = 96, 128
CARS = ((20, 60), (36, 60))
"""(x, y) of the top left of two cars of 16x10 that touch each other."""
WALKER = (90, 52)
"""(x, y) of the top left of a person of 6x16."""


@dataclass
class Street:
    """Paths of a photo and its maps, in CamVid ids."""

    folder: Path
    photo: Path
    labels: Path
    instances: Path

    def arguments(self, *edits: str, out: str = "out.png", photo: Path | None = None) -> list[str]:
        """Returns the command line of an edit of this street with the canvas."""
        maps = ["--labels", str(self.labels), "--instances", str(self.instances), "--label-set", "camvid"]
        return ["edit", str(photo or self.photo), *maps, "--model", "canvas", *edits, "-o", str(self.folder / out)]

    @classmethod
    def write(cls, folder: Path) -> Self:
        """Writes photo, label map and instance map as PNGs."""
        label_map, instance_map = draw_maps()
        made = cls(folder, folder / "photo.png", folder / "labels.png", folder / "instances.png")
        Image.fromarray(draw_photo(label_map, instance_map)).save(made.photo)
        Image.fromarray(label_map.astype(np.uint8)).save(made.labels)
        Image.fromarray(instance_map.astype(np.uint16)).save(made.instances)
        return made


def draw_maps() -> tuple[np.ndarray, np.ndarray]:
    """Returns label and instance map, (96, 128): sky, building, road, two touching cars and a person."""
    label_map = np.full((HEIGHT, WIDTH), ROAD, np.int32)
    label_map[:56] = BUILDING
    label_map[:24] = SKY
    instance_map = np.zeros((HEIGHT, WIDTH), np.int32)
    for number, (x, y) in enumerate(CARS, start=1):
        label_map[y : y + 10, x : x + 16] = CAR
        instance_map[y : y + 10, x : x + 16] = number
    x, y = WALKER
    label_map[y : y + 16, x : x + 6] = PEDESTRIAN
    instance_map[y : y + 16, x : x + 6] = 3
    return label_map, instance_map


def draw_photo(label_map: np.ndarray, instance_map: np.ndarray) -> np.ndarray:
    """Returns the photo, uint8 (96, 128, 3): a colour per class, a gradient and grain."""
    colors = {SKY: (150, 190, 240), BUILDING: (150, 120, 100), ROAD: (90, 90, 95), CAR: (200, 30, 30)}
    photo = np.zeros((*label_map.shape, 3))
    for class_id, color in (colors | {PEDESTRIAN: (30, 60, 160)}).items():
        photo[label_map == class_id] = color
    photo[instance_map == 2] = (30, 160, 60)
    rng = np.random.default_rng(7)
    light = np.linspace(-12, 12, WIDTH)[None, :, None]
    return np.clip(photo + light + rng.normal(0, 3, photo.shape), 0, 255).astype(np.uint8)
