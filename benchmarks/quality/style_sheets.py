"""The pictures of whole scenes in the documentation: layouts of ours, drawn in several styles.

    python benchmarks/quality/style_sheets.py --out docs/images

Writes facades-styles.jpg (`pix2pixhd-facades`: a front laid out here by hand; seeds, then other styles of its walls and
windows) and streets-styles.jpg (`spade-sesame-street`: a street of the toy world; seeds). No photo goes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from PIL import Image

from scenebrush.data.toy import ToyWorld
from scenebrush.methods import Style, load_synthesizer
from scenebrush.methods.picture_training import colored
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout

FACADES, CAMVID = LabelSet.load("street_facades"), LabelSet.load("camvid")


@dataclass(frozen=True)
class Settings:
    """What is made.

    Args:
        facades: model of facades.
        streets: model of streets.
        out: where the sheets go.
    """

    facades: str = "pix2pixhd-facades"
    streets: str = "spade-sesame-street"
    out: Path = Path("docs/images")


def main(settings: Settings) -> None:
    """Draws both sheets."""
    front, model = facade(), load_synthesizer(settings.facades)
    styles = [None, None, None, Style(classes={"facade": 3}), Style(classes={"facade": 5, "window": 2})]
    made = [
        model.synthesize(front, seed=seed, style=style) for seed, style in zip((0, 1, 2, 0, 0), styles, strict=True)
    ]
    save([colored(front.label_map, FACADES), *made], settings.out / "facades-styles.jpg")
    street, model = ToyWorld(seed=3, size=(256, 192)).scene().layout, load_synthesizer(settings.streets)
    made = [model.synthesize(street, seed=seed) for seed in (1, 2, 3, 4, 5)]
    save([colored(street.label_map, CAMVID), *made], settings.out / "streets-styles.jpg")


def facade(side: int = 320) -> Layout:
    """Returns the layout of a front: four storeys of windows, balconies, a shop, a hedge, pavement and a car."""
    labels = np.full((side, side), FACADES.find("unlabelled").id, np.int32)
    numbers = np.zeros_like(labels)
    boxes = [("facade", (30, 40, 290, 270)), ("street", (0, 284, 320, 320)), ("vegetation", (0, 262, 120, 286))]
    for row, top in enumerate((62, 112, 162)):
        for left in (52, 114, 176, 238):
            boxes.append(("window", (left, top, left + 30, top + 32)))
        if row:
            boxes += [
                ("balcony_fence", (108, top + 22, 150, top + 38)),
                ("balcony_fence", (170, top + 22, 212, top + 38)),
            ]
    boxes += [("shop", (150, 214, 280, 268)), ("window", (52, 214, 100, 246)), ("car", (20, 264, 110, 304))]
    for number, (name, (x0, y0, x1, y1)) in enumerate(boxes, 1):
        labels[y0:y1, x0:x1] = FACADES.find(name).id
        numbers[y0:y1, x0:x1] = 0 if name in ("street", "vegetation") else number
    return Layout(labels, FACADES, numbers)


def save(pictures: Sequence[np.ndarray], path: Path) -> None:
    """Writes pictures side by side, three in a row."""
    rows = [np.hstack(pictures[i : i + 3]) for i in range(0, len(pictures), 3)]
    Image.fromarray(np.vstack(rows)).save(path, quality=92)


if __name__ == "__main__":
    main(tyro.cli(Settings, description=__doc__))
