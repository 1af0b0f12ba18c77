"""Simple names of colours, for classes that have no other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from skimage import color

_NAMED = {
    "black": "#000000",
    "dark-grey": "#505050",
    "grey": "#8c8c8c",
    "light-grey": "#c8c8c8",
    "white": "#ffffff",
    "dark-red": "#8b1010",
    "red": "#e02020",
    "pink": "#ffa0b4",
    "magenta": "#e020d0",
    "orange": "#ff8c1e",
    "brown": "#82502d",
    "dark-brown": "#4b2d1e",
    "beige": "#e1cfa5",
    "skin": "#f0be96",
    "yellow": "#f5e61e",
    "gold": "#cda52d",
    "olive": "#787d1e",
    "light-green": "#a0e682",
    "green": "#32b432",
    "dark-green": "#14691e",
    "sage": "#8ca078",
    "turquoise": "#32c8be",
    "teal": "#148282",
    "light-blue": "#96c8ff",
    "blue": "#2850e6",
    "dark-blue": "#142878",
    "steel-blue": "#4682b4",
    "purple": "#7828a0",
    "violet": "#9664e6",
    "lavender": "#cdbef5",
}


def color_name(rgb: Sequence[float] | np.ndarray) -> str:
    """Returns the nearest simple name of a colour (R, G, B) in 0-255, for instance `"dark-green"`."""
    return list(_NAMED)[int(np.linalg.norm(_LAB - _lab_of(np.asarray(rgb)), axis=1).argmin())]


def _lab_of(rgb: np.ndarray) -> np.ndarray:
    return np.asarray(color.rgb2lab(np.asarray(rgb, np.float64) / 255))


_LAB = _lab_of(np.array([list(bytes.fromhex(code[1:])) for code in _NAMED.values()]))
