"""People and cyclists of the toy world: upright flat figures."""

from __future__ import annotations

import numpy as np

from scenebrush.data.toy.camera import Camera, Light
from scenebrush.data.toy.parts import Billboard, ToyObject, ellipse, limb

_SKIN = np.array([[224, 182, 152], [196, 148, 116], [140, 96, 70], [92, 62, 46]])
_COATS = np.array(
    [
        [38, 40, 46],
        [120, 30, 34],
        [36, 58, 104],
        [88, 92, 70],
        [190, 186, 176],
        [70, 60, 52],
        [168, 96, 40],
        [40, 92, 92],
    ]
)
_TROUSERS = np.array([[32, 34, 40], [48, 60, 88], [70, 66, 60], [104, 96, 80]])
_HAIR = np.array([[36, 28, 22], [84, 60, 38], [150, 120, 80], [120, 118, 114]])


def _pick(rng: np.random.Generator, colors: np.ndarray) -> np.ndarray:
    picked: np.ndarray = np.clip(colors[rng.integers(len(colors))] + rng.normal(0, 7, 3), 8, 240)
    return picked


def make_person(
    rng: np.random.Generator, number: int, camera: Camera, light: Light, x: float, z: float, lit: float
) -> ToyObject:
    """Returns a standing or walking person with the feet at (x, z)."""
    figure = Billboard(camera, light, x, z, lit)
    tall = rng.uniform(1.55, 1.9)
    stride, broad = rng.uniform(0.0, 0.32), rng.uniform(0.40, 0.5)
    _legs(figure, rng, tall, stride, _pick(rng, _TROUSERS))
    _upper_body(figure, rng, tall, broad, stride * 0.7)
    return figure.finish(number, "pedestrian", 0.3)


def _legs(figure: Billboard, rng: np.random.Generator, tall: float, stride: float, color: np.ndarray) -> None:
    hip, shoe = 0.5 * tall, np.array([30, 26, 24])
    for side in (-1, 1):
        knee = (side * (0.06 + stride * 0.3), 0.27 * tall)
        foot = (side * (0.07 + stride * 0.5), 0.05)
        figure.add(limb((side * 0.08, hip), knee, 0.19, 0.15), color * (0.9 if side < 0 else 1.0))
        figure.add(limb((knee[0], knee[1] + 0.03), foot, 0.15, 0.11), color * (0.86 if side < 0 else 0.96))
        figure.add(ellipse(foot[0] + 0.03, 0.045, 0.12, 0.05), shoe)


def _upper_body(figure: Billboard, rng: np.random.Generator, tall: float, broad: float, swing: float) -> None:
    coat, skin = _pick(rng, _COATS), _pick(rng, _SKIN)
    hem, shoulder = 0.5 * tall - rng.uniform(0.0, 0.25), 0.83 * tall
    half = broad / 2
    figure.add(limb((half - 0.03, shoulder - 0.05), (half + 0.04 + swing * 0.4, 0.47 * tall), 0.13, 0.09), coat * 0.8)
    torso = [(-half * 0.8, hem), (-half * 0.86, 0.6 * tall), (-half, shoulder - 0.06), (-half * 0.6, shoulder)]
    figure.add(np.array(torso + [(-px, py) for px, py in reversed(torso)]), coat * 1.05, bottom=coat * 0.75)
    figure.add(
        limb((-half + 0.03, shoulder - 0.05), (-half - 0.04 - swing * 0.4, 0.47 * tall), 0.13, 0.09), coat * 0.92
    )
    for side in (-1, 1):
        figure.add(ellipse(side * (half + 0.04 + swing * 0.4), 0.46 * tall, 0.05, 0.06), skin)
    if rng.random() < 0.35:  # a bag
        side = rng.choice([-1, 1])
        figure.add(limb((side * half, 0.62 * tall), (side * half, 0.44 * tall), 0.26), _pick(rng, _COATS))
    figure.add(limb((0, shoulder - 0.03), (0, shoulder + 0.06), 0.12), skin * 0.85)
    figure.add(ellipse(0, 0.92 * tall, 0.095, 0.125), skin * 1.04, bottom=skin * 0.85)
    hair = ellipse(0, 0.945 * tall, 0.105, 0.115)
    figure.add(hair[hair[:, 1] > 0.92 * tall], _pick(rng, _HAIR))


def make_bicyclist(
    rng: np.random.Generator, number: int, camera: Camera, light: Light, x: float, z: float, lit: float
) -> ToyObject:
    """Returns a person on a bicycle seen from the side, the wheels on the ground at (x, z)."""
    figure = Billboard(camera, light, x, z, lit)
    metal, tyre = np.array([70, 72, 80]), np.array([26, 26, 28])
    for center in (-0.52, 0.52):
        spokes = ellipse(center, 0.34, 0.34, 0.34, 22)
        for i in range(22):
            a, b = spokes[i], spokes[(i + 1) % 22]
            figure.add(limb((a[0], a[1]), (b[0], b[1]), 0.055), tyre)
    for start, end in (((-0.52, 0.34), (-0.1, 0.36)), ((-0.1, 0.36), (-0.2, 0.86)), ((-0.2, 0.8), (0.4, 0.84))):
        figure.add(limb(start, end, 0.055), metal)
    for start, end in (((-0.1, 0.36), (0.4, 0.84)), ((0.52, 0.34), (0.38, 1.0)), ((-0.52, 0.34), (-0.2, 0.8))):
        figure.add(limb(start, end, 0.055), metal)
    trousers, coat, skin = _pick(rng, _TROUSERS), _pick(rng, _COATS) * 1.1, _pick(rng, _SKIN)
    pedal = rng.uniform(-0.12, 0.16)
    for knee_y, foot_y, shade in ((0.80 + pedal, 0.38 + pedal, 0.8), (0.74 - pedal, 0.30 - pedal / 2, 1.0)):
        figure.add(limb((-0.2, 0.95), (0.12, knee_y), 0.17, 0.14), trousers * shade)
        figure.add(limb((0.12, knee_y), (-0.03, foot_y), 0.13, 0.09), trousers * shade)
        figure.add(ellipse(0.02, foot_y - 0.02, 0.12, 0.05), np.array([30, 26, 24]))
    figure.add(limb((-0.22, 0.9), (0.06, 1.42), 0.28, 0.34), coat, bottom=coat * 0.8)
    figure.add(limb((0.08, 1.34), (0.36, 1.04), 0.11, 0.08), coat * 0.9)
    figure.add(ellipse(0.15, 1.58, 0.1, 0.125), skin)
    figure.add(ellipse(0.13, 1.64, 0.11, 0.09), _pick(rng, _COATS))
    return figure.finish(number, "bicyclist", 0.5)
