"""Flat pieces that everything standing in the toy world is made of, and the objects they make up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from scenebrush.data.toy.camera import Camera, Light

Outline = np.ndarray  # (n, 2)


@dataclass(frozen=True, eq=False)
class Part:
    """A filled outline in the picture.

    Args:
        outline: (n, 2) picture positions (x, y).
        top, bottom: colours (3,), 0-255, at the outline's highest and lowest point; between them a gradient.
        grain: how strong the surface noise is (0.1 = 10 %).
    """

    outline: Outline
    top: np.ndarray
    bottom: np.ndarray
    grain: float = 0.04


@dataclass(frozen=True, eq=False)
class ToyObject:
    """One object of the toy world.

    Args:
        id: its number in the instance map, 1..N.
        class_name: its class in the label set.
        depth: distance in metres; nearer objects cover farther ones.
        parts: drawn in this order.
        shadows: outlines (n, 2) in the picture of its shadow on the ground.
        contact: outlines of the dark places right below it.
    """

    id: int
    class_name: str
    depth: float
    parts: tuple[Part, ...]
    shadows: tuple[Outline, ...] = ()
    contact: tuple[Outline, ...] = ()


def ellipse(x: float, y: float, rx: float, ry: float, n: int = 14) -> Outline:
    """Returns an ellipse's outline (n, 2)."""
    angles = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack([x + rx * np.cos(angles), y + ry * np.sin(angles)], axis=1)


def limb(start: tuple[float, float], end: tuple[float, float], width: float, end_width: float | None = None) -> Outline:
    """Returns the outline (4, 2) of a bar from start to end, tapering to `end_width`."""
    a, b = np.array(start, float), np.array(end, float)
    along = (b - a) / max(1e-6, float(np.hypot(*(b - a))))
    across = np.array([-along[1], along[0]]) / 2
    tip = width if end_width is None else end_width
    return np.stack([a + across * width, b + across * tip, b - across * tip, a - across * width])


@dataclass
class Billboard:
    """A builder of upright flat figures: outlines in metres (right of the foot, above the ground).

    Args:
        camera, light: of the scene.
        x, z: the foot's place in the world.
        lit: how much of the sun reaches it, 0-1.
    """

    camera: Camera
    light: Light
    x: float
    z: float
    lit: float = 1.0
    outlines: list[Outline] = field(default_factory=list)
    colors: list[tuple[np.ndarray, np.ndarray, float]] = field(default_factory=list)

    def add(
        self,
        outline: Outline,
        color: Sequence[float] | np.ndarray,
        *,
        bottom: Sequence[float] | np.ndarray | None = None,
        grain: float = 0.05,
    ) -> None:
        """Adds a part of this surface colour (0-255), a little darker below unless `bottom` is given."""
        top = np.asarray(color, np.float32)
        low = top * np.float32(0.82) if bottom is None else np.asarray(bottom, np.float32)
        self.outlines.append(outline)
        self.colors.append((top, low, grain))

    def finish(self, number: int, class_name: str, foot: float) -> ToyObject:
        """Returns the object; its shadow lies on the ground, `foot` is the radius of the dark place below it."""
        light = self.light.ambient + self.light.sun * np.float32(0.55 * self.lit)
        shades = np.array([(top, low) for top, low, _ in self.colors]) * light  # (n, 2, 3)
        shades = self.light.haze(shades, self.z)
        points = np.concatenate(self.outlines)
        x, up = self.x + points[:, 0], points[:, 1]
        dx, dz = self.light.shadow_step
        upright = self._project(x, up, np.full(len(x), self.z))
        on_ground = self._project(x + up * dx, np.zeros(len(x)), self.z + up * dz)
        parts = tuple(
            Part(outline, shade[0], shade[1], color[2])
            for outline, shade, color in zip(upright, shades, self.colors, strict=True)
        )
        ring = ellipse(self.x, self.z, foot, foot)
        contact = self.camera.project(np.column_stack([ring[:, 0], np.zeros(len(ring)), ring[:, 1]]))
        return ToyObject(number, class_name, self.z, parts, tuple(on_ground), (contact,))

    def _project(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> list[Outline]:
        picture = self.camera.project(np.column_stack([x, y, z]))
        return np.split(picture, np.cumsum([len(o) for o in self.outlines])[:-1])
