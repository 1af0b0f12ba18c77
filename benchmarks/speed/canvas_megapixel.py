"""Time of the canvas on a hole of a megapixel, in seconds and as a multiple of OpenCV's Telea.

python benchmarks/speed/canvas_megapixel.py [--runs 3] [--width 2000 --height 1500] [--out megapixel.json]
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from PIL import Image
from timing import interleaved, machine, street

from scenebrush.canvas import fill
from scenebrush.errors import ScenebrushError
from scenebrush.evaluation.baselines import Telea
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene


@dataclass(frozen=True)
class Settings:
    """What is timed.

    Args:
        runs: runs of each.
        width: of the made-up photo in pixels.
        height: of the made-up photo.
        megapixels: of the hole, a box in the middle.
        picture: where to write the filled photo, or None.
        out: a JSON file to write, or None.
    """

    runs: int = 3
    width: int = 2000
    height: int = 1500
    megapixels: float = 1.0
    picture: Path | None = None
    out: Path | None = None


def main(settings: Settings) -> None:
    """Times and prints."""
    photo, label_map = street(settings.width, settings.height)
    layout = Layout(label_map, LabelSet.load("camvid"))
    hole = middle_box(settings)
    photo[hole] = 0
    scene, edit, telea = Scene(photo, layout), Edit(hole, layout), Telea()
    times = interleaved(
        {"canvas": lambda: fill(photo, layout, layout, hole), "telea": lambda: telea.edit(scene, edit)}, settings.runs
    )
    print(f"hole of {hole.sum() / 1e6:.2f} megapixels in {settings.width}x{settings.height}, median of {settings.runs}")
    print(f"{machine()}\n")
    print("| what | wall s | CPU s | wall / Telea |\n|---|---|---|---|")
    for name, timing in times.items():
        ratio = timing.median_wall / times["telea"].median_wall
        print(f"| {name} | {timing.median_wall:.2f} | {timing.median_cpu:.2f} | {ratio:.2f} |")
    if settings.picture:
        Image.fromarray(fill(photo, layout, layout, hole).photo).save(settings.picture)
    if settings.out:
        document = {"machine": machine(), "hole": int(hole.sum()), "runs": {n: vars(t) for n, t in times.items()}}
        settings.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def middle_box(settings: Settings) -> np.ndarray:
    """Returns the hole, bool (H, W): a square box of the size asked for, cut off at the photo's rim."""
    side = round((settings.megapixels * 1e6) ** 0.5)
    top, left = max(0, (settings.height - side) // 2), max(0, (settings.width - side) // 2)
    hole = np.zeros((settings.height, settings.width), bool)
    hole[top : top + side, left : left + side] = True
    return hole


if __name__ == "__main__":
    try:
        main(tyro.cli(Settings, description=__doc__))
    except ScenebrushError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
