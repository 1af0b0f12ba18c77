"""The toy world's camera and light.

World coordinates are metres: x to the right, y up, z into the picture; the camera looks along z.
Picture coordinates are pixels (x, y) with y down.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks down the street.

    Args:
        width, height: of the picture in pixels.
        focal: focal length in pixels.
        center: (x, y) of the vanishing point in the picture; y is the horizon.
        x, eye: the camera's place across the street and its height above it, metres.
    """

    width: int
    height: int
    focal: float
    center: tuple[float, float]
    x: float
    eye: float

    def project(self, points: np.ndarray) -> np.ndarray:
        """Returns picture positions (n, 2) of world points (n, 3).

        What lies behind is held just before the lens, what lies far outside the picture 8000 pixels off.
        """
        scale = self.focal / np.maximum(points[:, 2], 0.3)
        picture = np.empty((len(points), 2))
        picture[:, 0] = self.center[0] + (points[:, 0] - self.x) * scale
        picture[:, 1] = self.center[1] + (self.eye - points[:, 1]) * scale
        return np.clip(picture, -8000, 8000, out=picture)

    def ground_at(self, xs: np.ndarray, ys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Returns the ground's world (x, z) seen at picture positions below the horizon."""
        depth = self.focal * self.eye / np.maximum(ys - self.center[1], 0.5)
        return self.x + (xs - self.center[0]) * depth / self.focal, depth

    def wall_at(self, xs: np.ndarray, ys: np.ndarray, wall_x: float) -> tuple[np.ndarray, np.ndarray]:
        """Returns the world (z, y) that a wall along the street at `wall_x` shows at picture positions."""
        across = xs - self.center[0]
        across = np.where(np.abs(across) < 0.5, np.float32(0.5 if wall_x > self.x else -0.5), across)
        depth = np.abs(self.focal * (wall_x - self.x) / across)
        return depth, self.eye - (ys - self.center[1]) * depth / self.focal


@dataclass(frozen=True, eq=False)
class Light:
    """Sun and sky.

    Args:
        to_sun: unit vector (3,) towards the sun.
        sun, ambient: colours (3,) of direct and of sky light; they multiply surface colours.
        shadow: how dark a cast shadow is, 0 = overcast.
        zenith, horizon: colours (3,) of the sky, 0-255.
        clouds: 0 = clear to 1 = covered.
    """

    to_sun: np.ndarray
    sun: np.ndarray
    ambient: np.ndarray
    shadow: float
    zenith: np.ndarray
    horizon: np.ndarray
    clouds: float

    def on(self, normal: tuple[float, float, float] | np.ndarray) -> np.ndarray:
        """Returns the light (3,) that falls on a surface with this unit normal."""
        light: np.ndarray = self.ambient + self.sun * max(0.0, float(np.dot(normal, self.to_sun)))
        return light

    @property
    def shadow_step(self) -> tuple[float, float]:
        """(dx, dz): how far a shadow reaches on the ground per metre of height."""
        return -float(self.to_sun[0] / self.to_sun[1]), -float(self.to_sun[2] / self.to_sun[1])

    def haze(self, color: np.ndarray, depth: float | np.ndarray) -> np.ndarray:
        """Returns colours (..., 3) with the air between; `depth` in metres."""
        share = 1 - np.exp(np.asarray(depth, np.float32) / np.float32(-220.0))[..., None]
        mixed: np.ndarray = color + (self.horizon - color) * share
        return mixed


def draw_light(rng: np.random.Generator) -> Light:
    """Returns a random time of day and weather."""
    elevation, side = rng.uniform(0.5, 1.0), rng.choice([-1, 1])
    azimuth = side * rng.uniform(0.25, 1.35) + (np.pi if rng.random() < 0.5 else 0.0)  # 0 = ahead, pi = behind
    flat = np.cos(elevation)
    to_sun = np.array([flat * np.sin(azimuth), np.sin(elevation), flat * np.cos(azimuth)])
    clouds = float(rng.beta(0.9, 1.2))
    warm = rng.uniform(0, 1) * (1 - clouds)
    strength = 1.0 - 0.75 * clouds
    sun = strength * (np.array([1.0, 0.97, 0.90]) - warm * np.array([-0.06, 0.06, 0.22])) * 0.95
    ambient = (0.46 + 0.36 * clouds) * np.array([0.95, 0.98, 1.06])
    zenith = np.array([88, 130, 190]) * (1 - clouds) + np.array([165, 170, 178]) * clouds
    horizon = np.array([205, 215, 225]) + warm * np.array([18, 0, -30])
    shadow = 0.62 * strength
    return Light(to_sun, _single(sun), _single(ambient), shadow, _single(zenith), _single(horizon), clouds)


def _single(color: np.ndarray) -> np.ndarray:
    return color.astype(np.float32)  # float64 would spread through all shading and halve its speed
