"""The toy world's backdrop: sky, road, pavements, fences along the street, what closes it far off.

Each `Backdrop` knows its outline in the picture and gives colours for picture positions, so that only what is
visible is ever shaded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scenebrush.data.toy.camera import Camera, Light
from scenebrush.data.toy.noise import noise_tile, sample
from scenebrush.data.toy.parts import Outline

Shader = Callable[[np.ndarray, np.ndarray], np.ndarray]

FAR = 110.0
"""How far the street goes, metres."""


@dataclass(frozen=True, eq=False)
class Backdrop:
    """A piece of backdrop: class name, outlines (drawn in order), colours at (xs, ys), does it take shadows."""

    class_name: str
    outlines: tuple[Outline, ...]
    shade: Shader
    is_ground: bool = False


@dataclass(frozen=True, eq=False)
class Street:
    """What the street is like: half widths in metres (road; road and pavement), kerbs and texture.

    `rough`, `soft`: noise tiles. `asphalt`, `flags`: colours. `dashes`: metres. `zebra`: depth of a crossing, 0 = none.
    """

    camera: Camera
    light: Light
    road: float
    half: float
    rough: np.ndarray
    soft: np.ndarray
    asphalt: np.ndarray
    flags: np.ndarray
    dashes: float
    zebra: float


def draw_street(rng: np.random.Generator, camera: Camera, light: Light) -> Street:
    """Returns a random street."""
    road = rng.uniform(3.4, 4.8)
    return Street(
        camera,
        light,
        road,
        road + rng.uniform(1.8, 3.2),
        noise_tile(rng, 0.4),
        noise_tile(rng, 1.6),
        tone(rng.uniform(92, 132), 1.0, 1.0, rng.uniform(0.98, 1.06)),
        tone(rng.uniform(128, 172), 1.02, 1.0, rng.uniform(0.9, 0.98)),
        rng.uniform(2.0, 4.0),
        rng.uniform(9, 22) if rng.random() < 0.3 else 0.0,
    )


def tone(level: float, red: float = 1.0, green: float = 1.0, blue: float = 1.0) -> np.ndarray:
    """Returns a colour, float32 (3,): a grey level, or its share in each channel."""
    return np.array([level * red, level * green, level * blue], np.float32)


def sky(street: Street) -> Backdrop:
    """Returns the sky over the whole picture: a gradient, clouds, a brighter side towards the sun."""
    camera, light = street.camera, street.light

    def shade(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        up = np.clip(1 - ys / camera.center[1], 0, 1)
        color = light.horizon + (light.zenith - light.horizon) * (up**0.7)[:, None]
        flat = 60.0 / (0.25 + up)  # clouds lie in a plane above: they crowd towards the horizon
        cloud = sample(street.soft, (xs - camera.center[0]) / camera.width * flat * 2 + 400, flat * 2)
        veil = np.clip((cloud - 0.9 + 2.0 * light.clouds) * 0.55, 0, 1) * 0.8
        tint = tone(246 * (1 - 0.28 * light.clouds)) - 16 * np.clip(cloud, -1, 1)[:, None]
        mixed: np.ndarray = color + (tint - color) * veil[:, None]
        return mixed

    width, height = camera.width, camera.height
    return Backdrop("sky", (np.array([(0, 0), (width, 0), (width, height), (0, height)], float),), shade)


def road(street: Street) -> Backdrop:
    """Returns the road: asphalt with patches, a dashed line, sometimes a zebra crossing, the gutter at its rims."""
    ring = [(-street.road, 0, 0.4), (-street.road, 0, FAR), (street.road, 0, FAR), (street.road, 0, 0.4)]

    def shade(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        x, z = street.camera.ground_at(xs, ys)
        near = np.minimum(1.0, 9.0 / z)
        grain = 0.10 * near * sample(street.rough, x * 40, z * 40) + 0.05 * sample(street.soft, x * 9, z * 2.5)
        wheel = 0.05 * np.exp(-(((np.abs(np.abs(x) - street.road * 0.5) - 0.75) / 0.25) ** 2))
        color = street.asphalt * (1 + grain - wheel)[:, None]
        paint = (np.abs(x) < 0.07) & (z % (street.dashes * 2) < street.dashes)
        if street.zebra:
            paint |= (np.abs(z - street.zebra) < 1.4) & (np.abs(x) < street.road - 0.3) & (x % 1.0 < 0.5)
        paint |= np.abs(np.abs(x) - street.road + 0.35) < 0.05
        worn = 0.75 + 0.12 * sample(street.soft, x[paint] * 20, z[paint] * 20)
        color[paint] += (tone(214, blue=0.97) - color[paint]) * worn[:, None]
        return _lit_ground(street, color, z)

    return Backdrop("road", (street.camera.project(np.array(ring, float)),), shade, is_ground=True)


def pavement(street: Street) -> Backdrop:
    """Returns both pavements and what lies beyond between the houses: flags with joints, a bright kerb."""
    rings = [
        np.array([(s * street.road, 0, 0.4), (s * street.road, 0, FAR), (s * 60, 0, FAR), (s * 60, 0, 0.4)], float)
        for s in (-1, 1)
    ]

    def shade(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        x, z = street.camera.ground_at(xs, ys)
        near = np.minimum(1.0, 7.0 / z)
        grain = 0.07 * near * sample(street.rough, x * 40, z * 40) + 0.05 * sample(street.soft, x * 12, z * 6)
        joint = ((x % 0.6 < 0.035) | (z % 0.9 < 0.05)) * near
        color = street.flags * (1 + grain - 0.22 * joint)[:, None]
        over = np.abs(x) - street.road
        color[over < 0.16] *= 1.16
        color[over < 0.04] *= 0.62
        return _lit_ground(street, color, z)

    return Backdrop("pavement", tuple(street.camera.project(r) for r in rings), shade, is_ground=True)


def _lit_ground(street: Street, color: np.ndarray, depth: np.ndarray) -> np.ndarray:
    return street.light.haze(color * street.light.on((0.0, 1.0, 0.0)), depth)


def fence(street: Street, side: int, z0: float, z1: float, color: np.ndarray) -> Backdrop:
    """Returns a fence along the pavement's outer rim."""
    wall_x = side * (street.half - 0.15)
    ring = [(wall_x, 0, z0), (wall_x, 1.15, z0), (wall_x, 1.15, z1), (wall_x, 0, z1)]
    light = street.light.on((-side, 0.0, 0.0))

    def shade(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        z, y = street.camera.wall_at(xs, ys, wall_x)
        board = z % 0.35 < 0.28
        shade_of_board = np.where(board, np.float32(1), np.float32(0.45)) * (
            1 + 0.1 * sample(street.soft, np.floor(z / 0.35) * 13, y * 20)
        )
        rail = np.abs(y - 0.95) < 0.06
        return street.light.haze(color * np.where(rail, np.float32(1.1), shade_of_board)[:, None] * light, z)

    return Backdrop("fence", (street.camera.project(np.array(ring)),), shade)


def far_end(rng: np.random.Generator, street: Street) -> tuple[Backdrop, ...]:
    """Returns what closes the street: hazy house blocks across it and a line of trees before them."""
    camera = street.camera
    edges = np.linspace(-70, 70, 15) + rng.uniform(-3, 3, 15)
    tops = rng.uniform(5, 16, 14)
    rings = [
        camera.project(np.array([(a, 0, FAR), (a, h, FAR), (b, h, FAR), (b, 0, FAR)]))
        for a, b, h in zip(edges, edges[1:], tops, strict=False)
    ]
    line = np.linspace(-70, 70, 120)
    hedge = 2.2 + np.abs(np.cumsum(rng.normal(0, 0.5, 120))) % 3.5
    low = np.column_stack([line[[-1, 0]], np.zeros(2), np.full(2, FAR * 0.97)])
    bushes = camera.project(np.vstack([np.column_stack([line, hedge, np.full(120, FAR * 0.97)]), low]))

    def houses(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        windows = ((xs * 0.9 % 3 < 1.2) & (ys * 0.9 % 4 < 2.0)) * np.float32(22)
        blocks = sample(street.rough, np.floor(xs / 9) * 17, np.zeros_like(xs)) * 10
        return street.light.haze((132 + blocks - windows)[:, None] * tone(0.8, 1.0, 0.95, 0.9), FAR)

    def trees(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        leaves = 1 + 0.2 * sample(street.rough, xs * 2, ys * 2)
        return street.light.haze(tone(0.85, 70, 84, 50) * leaves[:, None], FAR * 0.7)

    return Backdrop("building", tuple(rings), houses), Backdrop("tree", (bushes,), trees)
