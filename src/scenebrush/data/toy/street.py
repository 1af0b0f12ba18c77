"""The toy world's backdrop: sky, road, pavements, house fronts and fences along the street, what closes it far off.

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

_FAR = 110.0
_PLASTER = np.array(
    [
        [196, 186, 164],
        [150, 78, 60],
        [168, 120, 88],
        [206, 204, 198],
        [128, 110, 98],
        [178, 162, 120],
        [120, 66, 56],
        [150, 150, 146],
    ]
)


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


@dataclass(frozen=True)
class House:
    """A stretch of house front on side -1 or +1, from z0 to z1, metres; its look."""

    side: int
    z0: float
    z1: float
    height: float
    color: tuple[float, float, float]
    bay: float
    shop: bool
    seed: int


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
        _color(rng.uniform(92, 132), 1.0, 1.0, rng.uniform(0.98, 1.06)),
        _color(rng.uniform(128, 172), 1.02, 1.0, rng.uniform(0.9, 0.98)),
        rng.uniform(2.0, 4.0),
        rng.uniform(9, 22) if rng.random() < 0.3 else 0.0,
    )


def _color(level: float, red: float = 1.0, green: float = 1.0, blue: float = 1.0) -> np.ndarray:
    return np.array([level * red, level * green, level * blue], np.float32)


def draw_houses(rng: np.random.Generator) -> tuple[House, ...]:
    """Returns the house fronts of both sides, the farthest first."""
    houses: list[House] = []
    for side in (-1, 1):
        z = 0.9
        while z < _FAR * 0.8:
            length, height = rng.uniform(7, 16), rng.uniform(5.5, 13)
            color = _PLASTER[rng.integers(len(_PLASTER))] * rng.uniform(0.85, 1.1)
            shop = bool(rng.random() < 0.35)
            if rng.random() < 0.88:
                tint = (float(color[0]), float(color[1]), float(color[2]))
                houses.append(
                    House(side, z, z + length, height, tint, rng.uniform(2.2, 3.4), shop, int(rng.integers(1 << 30)))
                )
            z += length
    return tuple(sorted(houses, key=lambda h: -h.z0))


def sky(street: Street) -> Backdrop:
    """Returns the sky over the whole picture: a gradient, clouds, a brighter side towards the sun."""
    camera, light = street.camera, street.light

    def shade(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        up = np.clip(1 - ys / camera.center[1], 0, 1)
        color = light.horizon + (light.zenith - light.horizon) * (up**0.7)[:, None]
        flat = 60.0 / (0.25 + up)  # clouds lie in a plane above: they crowd towards the horizon
        cloud = sample(street.soft, (xs - camera.center[0]) / camera.width * flat * 2 + 400, flat * 2)
        veil = np.clip((cloud - 0.9 + 2.0 * light.clouds) * 0.55, 0, 1) * 0.8
        tint = _color(246 * (1 - 0.28 * light.clouds)) - 16 * np.clip(cloud, -1, 1)[:, None]
        mixed: np.ndarray = color + (tint - color) * veil[:, None]
        return mixed

    width, height = camera.width, camera.height
    return Backdrop("sky", (np.array([(0, 0), (width, 0), (width, height), (0, height)], float),), shade)


def road(street: Street) -> Backdrop:
    """Returns the road: asphalt with patches, a dashed line, sometimes a zebra crossing, the gutter at its rims."""
    ring = [(-street.road, 0, 0.4), (-street.road, 0, _FAR), (street.road, 0, _FAR), (street.road, 0, 0.4)]

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
        color[paint] += (_color(214, blue=0.97) - color[paint]) * worn[:, None]
        return _lit_ground(street, color, z)

    return Backdrop("road", (street.camera.project(np.array(ring, float)),), shade, is_ground=True)


def pavement(street: Street) -> Backdrop:
    """Returns both pavements and what lies beyond between the houses: flags with joints, a bright kerb."""
    rings = [
        np.array([(s * street.road, 0, 0.4), (s * street.road, 0, _FAR), (s * 60, 0, _FAR), (s * 60, 0, 0.4)], float)
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


def house_front(street: Street, house: House) -> Backdrop:
    """Returns one house front: storeys of windows with frames, a shop or a door below, courses, a cornice."""
    wall_x = house.side * street.half
    light = street.light.on((-house.side, 0.0, 0.0)) * 0.94
    ring = [
        (wall_x, 0, house.z0),
        (wall_x, house.height, house.z0),
        (wall_x, house.height, house.z1),
        (wall_x, 0, house.z1),
    ]
    gable = [
        (wall_x, 0, house.z0),
        (wall_x, house.height, house.z0),
        (wall_x * 3, house.height, house.z0),
        (wall_x * 3, 0, house.z0),
    ]

    def shade(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        z, y = street.camera.wall_at(xs, ys, wall_x)
        on_gable = z < house.z0 - 0.02
        z = np.where(on_gable, house.z0, z)
        y = np.where(on_gable, street.camera.eye - (ys - street.camera.center[1]) * house.z0 / street.camera.focal, y)
        color = _front_color(street, house, z, y)
        color[on_gable] = _color(0.8, *house.color)
        return street.light.haze(color * light, z)

    outlines = (street.camera.project(np.array(gable)), street.camera.project(np.array(ring)))
    return Backdrop("building", outlines, shade)


def _front_color(street: Street, house: House, z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns surface colours (n, 3) at wall positions (z along the street, y up)."""
    near = np.minimum(1.0, 14.0 / z)
    grain = 0.05 * near * sample(street.rough, z * 30, y * 30) + 0.05 * sample(
        street.soft, z * 8 + house.seed % 997, y * 8
    )
    course = (y % 0.3 < 0.05) * (near * 0.07)
    color: np.ndarray = _color(1.0, *house.color) * (1 + grain - course)[:, None]
    along, storey = (z - house.z0) / house.bay, (y - 0.2) / 2.9
    u, v = along % 1.0, storey % 1.0
    upper = (storey >= 1) & (y < house.height - 0.8)
    frame = upper & (np.abs(u - 0.5) < 0.29) & (np.abs(v - 0.52) < 0.31)
    glass = upper & (np.abs(u - 0.5) < 0.235) & (np.abs(v - 0.52) < 0.265)
    ground = (storey >= 0) & (storey < 1)
    if house.shop:
        frame |= ground & (v < 0.93)
        glass |= ground & (np.abs(u - 0.5) < 0.45) & (v > 0.12) & (v < 0.72)
    else:
        frame |= ground & (np.abs(u - 0.5) < 0.25) & (v < 0.80) & (v > 0.22)
        glass |= ground & (np.abs(u - 0.5) < 0.20) & (v < 0.75) & (v > 0.27)
    tone = np.random.default_rng(house.seed)
    color[frame] = tone.uniform(30, 170, 3) if house.shop else _color(tone.uniform(90, 235), 1.0, 0.99, 0.96)
    panes = tone.uniform(0.15, 0.75, 256).astype(np.float32)[
        (np.floor(along).astype(np.int32) * 7 + np.floor(storey).astype(np.int32) * 31) & 255
    ]
    mirror = _color(40, 1.0, 1.15, 1.35) + (street.light.zenith - 40) * (panes * (0.35 + 0.5 * v))[:, None]
    bars = (np.abs(u - 0.5) < 0.018) | (np.abs(v - 0.55) < 0.016)
    color[glass] = mirror[glass]
    color[glass & bars & upper] = 190.0
    color[upper & (v > 0.17) & (v < 0.21) & (np.abs(u - 0.5) < 0.33)] *= 0.72
    color[y > house.height - 0.45] *= 0.82
    color[y < 0.35] *= 0.7
    return color


def fence(street: Street, side: int, z0: float, z1: float, color: np.ndarray) -> Backdrop:
    """Returns a fence along the pavement's outer rim."""
    wall_x = side * (street.half - 0.15)
    ring = [(wall_x, 0, z0), (wall_x, 1.15, z0), (wall_x, 1.15, z1), (wall_x, 0, z1)]
    light = street.light.on((-side, 0.0, 0.0))

    def shade(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        z, y = street.camera.wall_at(xs, ys, wall_x)
        board = z % 0.35 < 0.28
        tone = np.where(board, np.float32(1), np.float32(0.45)) * (
            1 + 0.1 * sample(street.soft, np.floor(z / 0.35) * 13, y * 20)
        )
        rail = np.abs(y - 0.95) < 0.06
        return street.light.haze(color * np.where(rail, np.float32(1.1), tone)[:, None] * light, z)

    return Backdrop("fence", (street.camera.project(np.array(ring)),), shade)


def far_end(rng: np.random.Generator, street: Street) -> tuple[Backdrop, ...]:
    """Returns what closes the street: hazy house blocks across it and a line of trees before them."""
    camera = street.camera
    edges = np.linspace(-70, 70, 15) + rng.uniform(-3, 3, 15)
    tops = rng.uniform(5, 16, 14)
    rings = [
        camera.project(np.array([(a, 0, _FAR), (a, h, _FAR), (b, h, _FAR), (b, 0, _FAR)]))
        for a, b, h in zip(edges, edges[1:], tops, strict=False)
    ]
    line = np.linspace(-70, 70, 120)
    hedge = 2.2 + np.abs(np.cumsum(rng.normal(0, 0.5, 120))) % 3.5
    low = np.column_stack([line[[-1, 0]], np.zeros(2), np.full(2, _FAR * 0.97)])
    bushes = camera.project(np.vstack([np.column_stack([line, hedge, np.full(120, _FAR * 0.97)]), low]))

    def houses(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        windows = ((xs * 0.9 % 3 < 1.2) & (ys * 0.9 % 4 < 2.0)) * np.float32(22)
        blocks = sample(street.rough, np.floor(xs / 9) * 17, np.zeros_like(xs)) * 10
        return street.light.haze((132 + blocks - windows)[:, None] * _color(0.8, 1.0, 0.95, 0.9), _FAR)

    def trees(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
        tone = 1 + 0.2 * sample(street.rough, xs * 2, ys * 2)
        return street.light.haze(_color(0.85, 70, 84, 50) * tone[:, None], _FAR * 0.7)

    return Backdrop("building", tuple(rings), houses), Backdrop("tree", (bushes,), trees)


def house_shadows(street: Street, houses: tuple[House, ...]) -> tuple[Outline, ...]:
    """Returns outlines in the picture of what the houses' shadows cover of the street."""
    dx, dz = street.light.shadow_step
    outlines = []
    for house in houses:
        if house.side * dx < 0:  # its shadow falls into the street
            x, reach, slide = house.side * street.half, dx * house.height, dz * house.height
            ring = [
                (x, 0, house.z0),
                (x, 0, house.z1),
                (x + reach, 0, house.z1 + slide),
                (x + reach, 0, house.z0 + slide),
            ]
            outlines.append(street.camera.project(np.array(ring)))
    return tuple(outlines)


def in_house_shadow(street: Street, houses: tuple[House, ...], x: float, z: float) -> bool:
    """Returns whether the ground at (x, z) lies in a house's shadow."""
    dx, dz = street.light.shadow_step
    for house in houses:
        if house.side * dx < 0:
            up = (x - house.side * street.half) / dx  # height of the edge that throws its shadow here
            if 0 <= up <= house.height and house.z0 <= z - up * dz <= house.z1:
                return True
    return False
