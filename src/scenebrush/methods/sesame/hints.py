"""What colour the objects that are drawn shall have."""

from __future__ import annotations

import numpy as np

from scenebrush.scene.scene import Scene

PAINTS = np.array(
    [[30, 30, 32], [70, 72, 76], [120, 122, 126], [185, 187, 190], [225, 226, 228], [120, 25, 28], [30, 50, 100], [35, 70, 50]],
    np.float32,
)
"""Everyday paints in full light, RGB: black, greys, silver, white, red, blue, green."""

FULL_LIGHT = 215.0  # the brightness of a photo's bright end in full daylight


def paint_colors(
    scene: Scene, instances: np.ndarray, hole: np.ndarray, seed: int
) -> dict[int, tuple[float, float, float]]:
    """Returns a colour (R, G, B in [-1, 1]) for each object in the hole; none for seed 0.

    The paint is drawn by the seed and dimmed to the light of the photo.
    """
    if seed == 0:
        return {}
    rng = np.random.default_rng(seed)
    light = float(np.percentile(scene.photo[::4, ::4].mean(-1), 90)) / FULL_LIGHT
    ids = np.unique(instances[hole])
    colors = {}
    for instance in ids[ids > 0]:
        paint = np.clip(PAINTS[rng.integers(len(PAINTS))] * min(light, 1.15), 0, 255) / 127.5 - 1
        colors[int(instance)] = (float(paint[0]), float(paint[1]), float(paint[2]))
    return colors
