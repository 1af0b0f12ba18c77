"""What colour the objects that are drawn shall have."""

from __future__ import annotations

import re

import numpy as np

from scenebrush.methods.sesame.inputs import Color
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene

PAINTS = (
    (30, 32, 37),
    (46, 49, 55),
    (66, 69, 75),
    (110, 113, 118),
    (146, 147, 148),
    (92, 40, 40),
    (40, 50, 86),
    (42, 60, 52),
)
"""Cars and other things by their mean colour in full light, RGB, tyres and windows included: black to white, red, blue,
green. A hint is a mean in training too, so brighter ones than any real car's would come out flat and white."""

CLOTHES = (
    (18, 19, 22),
    (28, 28, 33),
    (44, 45, 49),
    (70, 70, 73),
    (74, 40, 39),
    (33, 40, 62),
    (58, 53, 44),
)
"""People, the same: mostly dark, red, blue, beige."""

PEOPLE = re.compile(r"pedestrian|person|people|rider|cyclist|human")

FULL_LIGHT = 215.0  # the brightness of a photo's bright end in full daylight
BRIGHTEST = 1.15  # times full light


def paint_colors(scene: Scene, layout: Layout, instances: np.ndarray, hole: np.ndarray, seed: int) -> dict[int, Color]:
    """Returns a colour (R, G, B in [-1, 1]) for each object that lies in the hole; none for seed 0.

    The paint is drawn by the seed and dimmed to the light of the photo. An object that shows more outside of the
    hole than inside keeps the colour that it has.

    Args:
        scene: its photo tells the light.
        layout: after the edit; it tells people from other things.
        instances: int (H, W) after the edit, 0 = none.
        hole: bool (H, W).
        seed: 0 = leave the colour to the network.
    """
    if seed == 0:
        return {}
    rng = np.random.default_rng(seed)
    light = float(np.percentile(scene.photo[::4, ::4].mean(-1), 90)) / FULL_LIGHT
    inside, counts = np.unique(instances[hole], return_counts=True)
    colors: dict[int, Color] = {}
    for instance, count in zip(inside.tolist(), counts.tolist(), strict=True):
        if instance > 0 and 2 * count > np.count_nonzero(instances == instance):
            ids = layout.label_map[hole & (instances == instance)]
            name = layout.label_set.by_id[int(np.bincount(ids).argmax())].name
            paints = CLOTHES if PEOPLE.search(name.lower()) else PAINTS
            paint = np.array(paints[rng.integers(len(paints))]) * min(light, BRIGHTEST)
            red, green, blue = (paint.clip(0, 255) / 127.5 - 1).tolist()
            colors[instance] = (red, green, blue)
    return colors
