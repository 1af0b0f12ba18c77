"""Trees, street lamps and signs of the toy world."""

from __future__ import annotations

import numpy as np

from scenebrush.data.toy.camera import Camera, Light
from scenebrush.data.toy.parts import Billboard, ToyObject, ellipse, limb

_LEAVES = np.array([[62, 88, 40], [80, 100, 46], [48, 76, 44], [104, 104, 52], [122, 92, 46]])


def make_tree(
    rng: np.random.Generator, number: int, camera: Camera, light: Light, x: float, z: float, lit: float
) -> ToyObject:
    """Returns a tree with the trunk's foot at (x, z): trunk, boughs and a crown of many small clumps."""
    tree = Billboard(camera, light, x, z, lit)
    tall, crown = rng.uniform(4.2, 7.5), rng.uniform(1.2, 2.1)
    bark = np.array([82, 68, 54]) * rng.uniform(0.75, 1.15)
    fork = tall - 1.5 * crown
    tree.add(limb((0, 0), (rng.normal(0, 0.08), fork + 0.6), 0.34, 0.2), bark, grain=0.2)
    for _ in range(5):
        tip = (rng.uniform(-0.8, 0.8) * crown, fork + crown * rng.uniform(0.5, 1.4))
        tree.add(limb((0, fork * rng.uniform(0.85, 1.05)), tip, 0.13, 0.05), bark * 0.9, grain=0.2)
    _crown(tree, rng, crown, tall - crown)
    return tree.finish(number, "tree", 0.35)


def _crown(tree: Billboard, rng: np.random.Generator, crown: float, middle: float) -> None:
    """Clumps from the back to the front: dark below and inside, bright towards the sun."""
    leaf = _LEAVES[rng.integers(len(_LEAVES))] * rng.uniform(0.85, 1.15)
    count = 70
    angle, reach = rng.uniform(0, 2 * np.pi, count), np.sqrt(rng.uniform(0, 1, count))
    xs, ys = reach * np.cos(angle) * crown, middle + reach * np.sin(angle) * crown * rng.uniform(0.9, 1.25)
    sizes = crown * rng.uniform(0.11, 0.28, count) * (1.15 - 0.45 * reach)
    sun_x = float(tree.light.to_sun[0])
    bright = 0.72 + 0.30 * (ys - middle) / crown + 0.22 * sun_x * xs / crown + rng.normal(0, 0.09, count)
    ring = ellipse(0, 0, 1.25, 1.0, 9) + rng.normal(0, 0.16, (count, 9, 2))
    blobs = np.stack([xs, ys], axis=1)[:, None] + sizes[:, None, None] * ring  # (count, 9, 2)
    for i in np.argsort(bright + rng.normal(0, 0.12, count)):
        shade = leaf * max(0.35, float(bright[i]))
        tree.add(blobs[i], shade * 1.08, bottom=shade * 0.8, grain=0.34)


def make_lamp(
    rng: np.random.Generator, number: int, camera: Camera, light: Light, x: float, z: float, lit: float
) -> ToyObject:
    """Returns a street lamp whose arm reaches over the road."""
    pole = Billboard(camera, light, x, z, lit)
    tall, reach, paint = rng.uniform(4.5, 7.0), -np.sign(x) * rng.uniform(0.5, 1.2), rng.uniform(45, 110) * np.ones(3)
    pole.add(limb((0, 0), (0, 1.0), 0.2, 0.16), paint)
    pole.add(limb((0, 0.9), (0, tall), 0.14, 0.09), paint)
    pole.add(limb((0, tall - 0.05), (reach, tall + 0.12), 0.08, 0.06), paint)
    pole.add(ellipse(reach * 1.1, tall + 0.08, 0.3, 0.1), paint * 0.8, bottom=(225, 222, 205))
    return pole.finish(number, "pole", 0.2)


def make_sign(
    rng: np.random.Generator, number: int, camera: Camera, light: Light, x: float, z: float, lit: float
) -> ToyObject:
    """Returns a traffic sign on its post (all of class `sign_symbol`)."""
    sign = Billboard(camera, light, x, z, lit)
    height = rng.uniform(2.0, 2.5)
    sign.add(limb((0, 0), (0, height), 0.09), (120, 122, 126))
    red, white, blue = np.array([190, 30, 34]), np.array([232, 232, 228]), np.array([30, 74, 160])
    kind = int(rng.integers(3))
    if kind == 0:
        sign.add(ellipse(0, height, 0.36, 0.36, 22), red)
        sign.add(ellipse(0, height, 0.27, 0.27, 22), white)
    elif kind == 1:
        triangle = np.array([(-0.42, -0.3), (0.42, -0.3), (0, 0.44)])
        sign.add(triangle + (0, height), red)
        sign.add(triangle * 0.66 + (0, height - 0.01), white)
    else:
        sign.add(limb((0, height - 0.36), (0, height + 0.36), 0.72), blue)
        sign.add(limb((0, height - 0.2), (0, height + 0.2), 0.22), white)
    return sign.finish(number, "sign_symbol", 0.15)
