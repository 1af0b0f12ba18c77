"""Draws what a scene of the toy world holds: camera, light, street, objects, before anything is rendered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from scenebrush.data.toy import houses as housing
from scenebrush.data.toy import street as streets
from scenebrush.data.toy.camera import Camera, Light, draw_light
from scenebrush.data.toy.cars import make_car
from scenebrush.data.toy.noise import noise_tile
from scenebrush.data.toy.parts import Outline, ToyObject
from scenebrush.data.toy.people import make_bicyclist, make_person
from scenebrush.data.toy.plants import make_lamp, make_sign, make_tree


@dataclass(frozen=True, eq=False)
class Contents:
    """All that a picture is made of.

    Args:
        camera, light: how it is seen and lit.
        backdrops: in drawing order.
        objects: the farthest first.
        house_shadows: outlines in the picture of the houses' shadows on the ground.
        grain: noise tile (256, 256) for surfaces.
        noise: float32 (H, W, 3), the camera's own noise, grey levels.
        exposure: (H, W, 3), brightness and tint by which colours are multiplied.
    """

    camera: Camera
    light: Light
    backdrops: tuple[streets.Backdrop, ...]
    objects: tuple[ToyObject, ...]
    house_shadows: tuple[Outline, ...]
    grain: np.ndarray
    noise: np.ndarray
    exposure: np.ndarray


_Maker = Callable[[np.random.Generator, int, Camera, Light, float, float, float], ToyObject]


def draw_contents(rng: np.random.Generator, size: tuple[int, int]) -> Contents:
    """Returns a random scene's contents for a picture of (width, height)."""
    camera, light = _draw_camera(rng, size), draw_light(rng)
    street, houses = streets.draw_street(rng, camera, light), housing.draw_houses(rng)
    backdrops = [streets.sky(street), *streets.far_end(rng, street), streets.pavement(street), streets.road(street)]
    fences = _draw_fences(rng, street)
    fronts = [(h.z0, housing.house_front(street, h)) for h in houses]
    backdrops += [b for _, b in sorted(fronts + fences, key=lambda pair: -pair[0])]
    objects = _Placing(rng, street, houses).draw()
    noise = rng.normal(0, rng.uniform(1.2, 3.0), (size[1], size[0], 3)).astype(np.float32)
    return Contents(
        camera,
        light,
        tuple(backdrops),
        tuple(sorted(objects, key=lambda o: -o.depth)),
        housing.house_shadows(street, houses),
        noise_tile(rng, 0.9),
        noise,
        _draw_exposure(rng, size),
    )


def _draw_camera(rng: np.random.Generator, size: tuple[int, int]) -> Camera:
    width, height = size
    focal = rng.uniform(0.8, 1.1) * min(width, height * 4 / 3)
    center = (width * rng.uniform(0.36, 0.64), height * rng.uniform(0.40, 0.50))
    return Camera(width, height, float(focal), center, float(rng.uniform(-1.6, 1.6)), float(rng.uniform(1.6, 2.3)))


def _draw_exposure(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Returns (H, W, 3): one exposure and tint, darker towards the corners."""
    x = np.linspace(-1, 1, size[0], dtype=np.float32)
    y = np.linspace(-1, 1, size[1], dtype=np.float32)[:, None]
    vignette = 1 - rng.uniform(0.02, 0.10) * (x**2 + y**2)
    exposure: np.ndarray = vignette[..., None] * (rng.uniform(1.0, 1.3) * rng.uniform(0.97, 1.03, 3)).astype(np.float32)
    return exposure


def _draw_fences(rng: np.random.Generator, street: streets.Street) -> list[tuple[float, streets.Backdrop]]:
    fences = []
    for side in (-1, 1):
        if rng.random() < 0.4:
            start = rng.uniform(3, 25)
            color = rng.uniform(70, 150) * np.array([1.0, rng.uniform(0.85, 1.0), rng.uniform(0.7, 1.0)])
            end = start + rng.uniform(6, 18)
            fences.append((start - 0.01, streets.fence(street, side, start, end, color)))
    return fences


class _Placing:
    """Puts objects where they belong and where there is room."""

    def __init__(self, rng: np.random.Generator, street: streets.Street, houses: tuple[housing.House, ...]) -> None:
        self.rng, self.street, self.houses = rng, street, houses
        self.objects: list[ToyObject] = []
        self.taken: list[tuple[float, float, float]] = []  # x, z, radius

    def draw(self) -> list[ToyObject]:
        """Returns the objects, numbered from 1."""
        self._cars()
        self._along_the_kerb()
        self._people()
        return self.objects

    def _put(self, make: _Maker, x: float, z: float, radius: float) -> None:
        if any(np.hypot(x - tx, (z - tz) * 0.7) < radius + tr for tx, tz, tr in self.taken):
            return
        self.taken.append((x, z, radius))
        lit = 0.25 if housing.in_house_shadow(self.street, self.houses, x, z) else 1.0
        own = np.random.default_rng(self.rng.integers(1 << 62))
        self.objects.append(make(own, len(self.objects) + 1, self.street.camera, self.street.light, x, z, lit))

    def _car(self, x: float, z: float, heading: float) -> None:
        def make(
            rng: np.random.Generator, number: int, camera: Camera, light: Light, x: float, z: float, lit: float
        ) -> ToyObject:
            return make_car(rng, number, camera, light, x, z, heading, lit)

        self._put(make, x, z, 1.6)

    def _cars(self) -> None:
        rng, road = self.rng, self.street.road
        for side in (-1, 1):
            heading = 0.0 if side < 0 else np.pi  # traffic keeps to the left
            if rng.random() < 0.7:  # parked
                for z in np.arange(rng.uniform(6, 14), 55, 6.2) + rng.uniform(-0.4, 0.4):
                    if rng.random() < 0.45:
                        self._car(side * (road - 1.05), float(z), heading + rng.normal(0, 0.02))
            if rng.random() < 0.6:  # driving
                self._car(side * road * rng.uniform(0.3, 0.45), rng.uniform(8, 40), heading + rng.normal(0, 0.04))
        if rng.random() < 0.22:  # crossing the street
            self._car(rng.uniform(-2, 2), rng.uniform(10, 24), rng.choice([-1, 1]) * np.pi / 2 + rng.normal(0, 0.1))

    def _along_the_kerb(self) -> None:
        rng, road = self.rng, self.street.road
        for side in (-1, 1):
            if rng.random() < 0.6:
                for z in np.arange(rng.uniform(6, 16), 70, rng.uniform(8, 15)):
                    self._put(make_tree, side * (road + 0.75), float(z), 0.7)
            if rng.random() < 0.7:
                for z in np.arange(rng.uniform(7, 14), 50, rng.uniform(16, 26)):
                    self._put(make_lamp, side * (road + 0.35), float(z), 0.3)
            if rng.random() < 0.5:
                self._put(make_sign, side * (road + 0.5), rng.uniform(6, 24), 0.4)

    def _people(self) -> None:
        rng, road, half = self.rng, self.street.road, self.street.half
        for _ in range(rng.integers(2, 8)):
            x = rng.choice([-1, 1]) * rng.uniform(road + 0.4, half - 0.4)
            self._put(make_person, float(x), float(rng.uniform(4.5, 9) * rng.uniform(1, 4)), 0.35)
        if rng.random() < 0.3:
            self._put(make_person, rng.uniform(-road, road), rng.uniform(6, 18), 0.35)
        if rng.random() < 0.4:
            self._put(make_bicyclist, rng.uniform(-road, road) * 0.8, rng.uniform(6, 20), 0.8)
