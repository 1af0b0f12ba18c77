"""What colour the objects that are drawn shall have."""

from __future__ import annotations

import numpy as np

from scenebrush.methods.sesame.inputs import Color
from scenebrush.scene.scene import Scene

PAINTS = (
    (30, 30, 32),
    (70, 72, 76),
    (120, 122, 126),
    (185, 187, 190),
    (225, 226, 228),
    (120, 25, 28),
    (30, 50, 100),
    (35, 70, 50),
)
"""Everyday paints in full light, RGB: black, greys, silver, white, red, blue, green."""

FULL_LIGHT = 215.0  # the brightness of a photo's bright end in full daylight
BRIGHTEST = 1.15  # times full light


def paint_colors(scene: Scene, instances: np.ndarray, hole: np.ndarray, seed: int) -> dict[int, Color]:
    """Returns a colour (R, G, B in [-1, 1]) for each object that lies in the hole; none for seed 0.

    The paint is drawn by the seed and dimmed to the light of the photo. An object that shows more outside of the
    hole than inside keeps the colour that it has.

    Args:
        scene: its photo tells the light.
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
            paint = np.array(PAINTS[rng.integers(len(PAINTS))]) * min(light, BRIGHTEST)
            red, green, blue = (paint.clip(0, 255) / 127.5 - 1).tolist()
            colors[instance] = (red, green, blue)
    return colors
