"""Cars of the toy world: a small solid of faces, turned, lit and projected."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import ConvexHull

from scenebrush.data.toy.camera import Camera, Light
from scenebrush.data.toy.parts import Outline, Part, ToyObject

_PAINTS = np.array(
    [
        [215, 215, 215],
        [165, 168, 172],
        [40, 42, 46],
        [28, 45, 92],
        [150, 28, 26],
        [35, 72, 50],
        [95, 98, 104],
        [196, 174, 130],
    ]
)
_GLASS = np.array([46, 54, 62])
_TYRE = np.array([24, 24, 26])
_RUBBER = np.array([38, 38, 40])


@dataclass(frozen=True)
class CarShape:
    """Metres. `rear`, `front`: where the cabin's foot begins and ends along the car (0 = middle, front positive);
    `rear_slant`, `front_slant`: how far its roof draws back there."""

    width: float
    length: float
    belt: float
    roof: float
    rear: float
    front: float
    rear_slant: float
    front_slant: float


_SHAPES = (
    CarShape(1.72, 3.9, 0.92, 1.46, -1.90, 0.85, 0.35, 0.75),  # hatchback
    CarShape(1.78, 4.5, 0.92, 1.42, -1.55, 0.95, 0.55, 0.80),  # saloon
    CarShape(1.80, 4.4, 0.95, 1.50, -2.15, 0.95, 0.25, 0.75),  # estate
    CarShape(1.95, 4.9, 1.15, 2.10, -2.42, 1.60, 0.06, 0.55),  # van
)


_Point = tuple[float, float, float]
_Details = tuple[tuple[list[_Point], np.ndarray, float], ...]


class _CarBuilder:
    """Collects the faces that the camera sees, in the car's own coordinates (right, up, forward).

    Args:
        place: (x, z) of its middle in the world.
        heading: radians; 0 = drives away from the camera.
        lit: how much of the sun reaches it, 0-1.
    """

    def __init__(self, camera: Camera, light: Light, place: tuple[float, float], heading: float, lit: float) -> None:
        self.camera, self.light, self.place, self.lit = camera, light, place, lit
        self.turn = np.array([[np.cos(heading), 0, np.sin(heading)], [0, 1, 0], [-np.sin(heading), 0, np.cos(heading)]])
        self.eye = self.turn.T @ np.array([camera.x - place[0], camera.eye, -place[1]])
        self.to_sun = self.turn.T @ light.to_sun
        self.outlines: list[np.ndarray] = []
        self.colors: list[tuple[np.ndarray, np.ndarray]] = []

    def world(self, local: np.ndarray) -> np.ndarray:
        """Returns world points (n, 3) of car points."""
        turned: np.ndarray = local @ self.turn.T
        return turned + (self.place[0], 0, self.place[1])

    def face(self, corners: list[_Point], color: np.ndarray, *, gloss: float = 0.0, details: _Details = ()) -> None:
        """Draws a flat face and what is painted on it.

        It is seen from the side to which (second - first corner) x (third - first corner) points.
        """
        points = np.array(corners, float)
        (ax, ay, az), (bx, by, bz) = (points[1] - points[0]).tolist(), (points[2] - points[0]).tolist()
        normal = np.array([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx])
        if float(normal @ (self.eye - points.mean(axis=0))) <= 0:
            return
        slant = float(normal @ self.to_sun) / max(1e-9, float(normal @ normal) ** 0.5)
        light = self.light.ambient + self.light.sun * (self.lit * max(0.0, slant))
        self._draw(points, color * light * 1.05 + self.light.horizon * gloss, color * light * 0.78)
        for outline, paint, shine in details:
            shaded = paint * light
            self._draw(np.array(outline, float), shaded + self.light.horizon * shine, shaded * 0.8)

    def _draw(self, local: np.ndarray, top: np.ndarray, bottom: np.ndarray) -> None:
        self.outlines.append(local)
        self.colors.append((top, bottom))

    def finish(self, number: int, floor: np.ndarray) -> ToyObject:
        """Returns the car; `floor` (4, 3): the corners of the ground below it."""
        world = self.world(np.concatenate(self.outlines))
        outlines = np.split(self.camera.project(world), np.cumsum([len(o) for o in self.outlines])[:-1])
        shades = self.light.haze(np.array(self.colors, np.float32), self.place[1])
        parts = tuple(Part(o, shade[0], shade[1], 0.03) for o, shade in zip(outlines, shades, strict=True))
        ground = self.world(floor)
        shadow = _shadow(self.camera, self.light, np.vstack([world, ground]))
        return ToyObject(number, "car", self.place[1], parts, (shadow,), (self.camera.project(ground),))


def make_car(
    rng: np.random.Generator, number: int, camera: Camera, light: Light, x: float, z: float, heading: float, lit: float
) -> ToyObject:
    """Returns a car of a random make and paint, its middle on the ground at (x, z); `lit` 0-1: how much sun it gets."""
    shape = _SHAPES[rng.choice(len(_SHAPES), p=[0.35, 0.3, 0.2, 0.15])]
    paint = np.clip(_PAINTS[rng.integers(len(_PAINTS))] + rng.normal(0, 8, 3), 12, 235)
    builder = _CarBuilder(camera, light, (x, z), heading, lit)
    _ends(builder, shape, paint)
    _sides(builder, shape, paint)
    _cabin(builder, shape, paint)
    rim = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)])
    floor = np.column_stack([rim[:, 0] * shape.width, np.zeros(4), rim[:, 1] * shape.length])
    return builder.finish(number, floor)


def _shadow(camera: Camera, light: Light, corners: np.ndarray) -> Outline:
    dx, dz = light.shadow_step
    ground = np.column_stack([corners[:, 0] + corners[:, 1] * dx, corners[:, 2] + corners[:, 1] * dz])
    ground = ground[ConvexHull(ground).vertices]
    return camera.project(np.column_stack([ground[:, 0], np.zeros(len(ground)), ground[:, 1]]))


def _ends(car: _CarBuilder, s: CarShape, paint: np.ndarray) -> None:
    w, back, nose, low = s.width / 2, -s.length / 2, s.length / 2, 0.22
    bonnet = s.belt - 0.12

    def quad(x0: float, x1: float, y0: float, y1: float, z: float) -> list[_Point]:
        return [(x0, y0, z), (x0, y1, z), (x1, y1, z), (x1, y0, z)]

    wheels = tuple((quad(sx * w - 0.11, sx * w + 0.11, 0.0, 0.3, back + 0.3), _TYRE, 0.0) for sx in (-0.84, 0.84))
    lamp = np.array([190, 30, 24])
    rear = (
        *wheels,
        (quad(-w, w, low, 0.42, back), _RUBBER, 0.02),
        (quad(-w * 0.97, -w * 0.74, 0.58, 0.84, back), lamp, 0.05),
        (quad(w * 0.74, w * 0.97, 0.58, 0.84, back), lamp, 0.05),
        (quad(-0.26, 0.26, 0.50, 0.62, back), np.array([225, 196, 60]), 0.0),
    )
    car.face(quad(-w, w, low, s.belt, back), paint, gloss=0.03, details=rear)
    front = (
        *(([(x, y, nose - 0.3) for x, y, _ in points], tyre, shine) for points, tyre, shine in wheels),
        (quad(-w, w, low, 0.40, nose), _RUBBER, 0.02),
        (quad(-w * 0.55, w * 0.55, 0.50, 0.66, nose), _RUBBER, 0.02),
        (quad(-w * 0.97, -w * 0.62, 0.54, 0.72, nose), np.array([215, 215, 205]), 0.15),
        (quad(w * 0.62, w * 0.97, 0.54, 0.72, nose), np.array([215, 215, 205]), 0.15),
        (quad(-0.26, 0.26, 0.36, 0.47, nose), np.array([230, 230, 225]), 0.0),
    )
    car.face(quad(-w, w, low, bonnet, nose)[::-1], paint, gloss=0.03, details=front)
    car.face([(w, bonnet, nose), (w, s.belt, s.front), (-w, s.belt, s.front), (-w, bonnet, nose)], paint, gloss=0.08)
    car.face([(-w, s.belt, back), (-w, s.belt, s.rear), (w, s.belt, s.rear), (w, s.belt, back)], paint, gloss=0.08)


def _sides(car: _CarBuilder, s: CarShape, paint: np.ndarray) -> None:
    w, back, nose, low = s.width / 2, -s.length / 2, s.length / 2, 0.22
    profile = [(low, back), (s.belt, back), (s.belt, s.front), (s.belt - 0.12, nose), (low, nose)]
    for side in (-1, 1):
        corners = [(side * w, y, z) for y, z in profile]
        details: list[tuple[list[_Point], np.ndarray, float]] = []
        for center in (back + 0.75, nose - 0.8):
            details += [(_circle(side * w, center, 0.37), _TYRE, 0.0), (_circle(side * w, center, 0.32), _RUBBER, 0.0)]
            details.append((_circle(side * w, center, 0.19), np.array([135, 138, 142]), 0.05))
        ends = (back + 1.1, nose - 1.15)
        sill = [(side * w, y, z) for y, z in ((low, ends[0]), (0.3, ends[0]), (0.3, ends[1]), (low, ends[1]))]
        details.append((sill, _RUBBER, 0.0))
        for door in (-0.35, s.front - 0.15):
            line = [(side * w, y, door + dz) for y, dz in ((0.34, 0), (s.belt, 0), (s.belt, 0.03), (0.34, 0.03))]
            details.append((line, paint * 0.55, 0.0))
        car.face(corners if side > 0 else corners[::-1], paint, gloss=0.04, details=tuple(details))


def _circle(x: float, z: float, radius: float) -> list[_Point]:
    angles = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    return [(x, 0.31 + radius * float(np.sin(a)), z + radius * float(np.cos(a))) for a in angles]


def _cabin(car: _CarBuilder, s: CarShape, paint: np.ndarray) -> None:
    w, top = s.width / 2 - 0.03, s.width / 2 - 0.18
    z0, z1, z2, z3 = s.rear, s.rear + s.rear_slant, s.front - s.front_slant, s.front
    low, high = s.belt, s.roof

    def pane(points: list[_Point], share: float = 0.86) -> list[_Point]:
        middle = np.mean(points, axis=0)
        return [tuple(middle + (np.array(p) - middle) * share) for p in points]

    rear = [(-w, low, z0), (-top, high, z1), (top, high, z1), (w, low, z0)]
    wind = [(-w, low, z3), (-top, high, z2), (top, high, z2), (w, low, z3)][::-1]
    car.face(rear, paint, details=((pane(rear), _GLASS, 0.12),))
    car.face(wind, paint, details=((pane(wind), _GLASS, 0.18),))
    middle = (z1 + z2) / 2 - 0.1
    for side in (-1, 1):
        corners = [(side * w, low, z0), (side * top, high, z1), (side * top, high, z2), (side * w, low, z3)]
        back = [(side * w, low, z0), (side * top, high, z1), (side * top, high, middle), (side * w, low, middle)]
        fore = [(side * w, low, middle), (side * top, high, middle), (side * top, high, z2), (side * w, low, z3)]
        panes = tuple((pane(p, 0.84), _GLASS, 0.1) for p in (back, fore))
        car.face(corners if side > 0 else corners[::-1], paint, details=panes)
    car.face([(-top, high, z1), (-top, high, z2), (top, high, z2), (top, high, z1)], paint, gloss=0.1)
