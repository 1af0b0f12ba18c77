"""House fronts along the toy world's street, and the shadows that they throw on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scenebrush.data.toy.noise import sample
from scenebrush.data.toy.parts import Outline
from scenebrush.data.toy.street import FAR, Backdrop, Street, tone

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


def draw_houses(rng: np.random.Generator) -> tuple[House, ...]:
    """Returns the house fronts of both sides, the farthest first."""
    houses: list[House] = []
    for side in (-1, 1):
        z = 0.9
        while z < FAR * 0.8:
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
        color[on_gable] = tone(0.8, *house.color)
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
    color: np.ndarray = tone(1.0, *house.color) * (1 + grain - course)[:, None]
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
    draws = np.random.default_rng(house.seed)
    color[frame] = draws.uniform(30, 170, 3) if house.shop else tone(draws.uniform(90, 235), 1.0, 0.99, 0.96)
    panes = draws.uniform(0.15, 0.75, 256).astype(np.float32)[
        (np.floor(along).astype(np.int32) * 7 + np.floor(storey).astype(np.int32) * 31) & 255
    ]
    mirror = tone(40, 1.0, 1.15, 1.35) + (street.light.zenith - 40) * (panes * (0.35 + 0.5 * v))[:, None]
    bars = (np.abs(u - 0.5) < 0.018) | (np.abs(v - 0.55) < 0.016)
    color[glass] = mirror[glass]
    color[glass & bars & upper] = 190.0
    color[upper & (v > 0.17) & (v < 0.21) & (np.abs(u - 0.5) < 0.33)] *= 0.72
    color[y > house.height - 0.45] *= 0.82
    color[y < 0.35] *= 0.7
    return color


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
