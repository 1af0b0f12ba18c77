"""Colour transfer: an object from one photo in the light of another."""

from __future__ import annotations

import warnings

import numpy as np
from skimage import color

_GAINS = 0.5, 1.3  # of L + 16: more would change what the object is
_MOST_TINT = 8.0  # of a, b: the same
_LIGHT = 16.0  # L + 16 is 116 times the cube root of the light
_FEWEST = 16


def fitted(pixels: np.ndarray, theirs: np.ndarray, ours: np.ndarray, *, strength: float = 0.7) -> np.ndarray:
    """Returns pixels in as much light, and as warm, as our surroundings against theirs (Reinhard et al. 2001, gently).

    Light multiplies: in the dark a white coat loses more than a black one, and colours lose with it. L + 16, a and b of
    Lab go by about the cube root of light, so one factor moves all three; then a and b are shifted, and the spread of L
    is drawn towards that of our surroundings. Where either surroundings have fewer than 16 pixels there is nothing to
    go by: the pixels come back as they are.

    Args:
        pixels: float (..., 3) RGB 0-255, the object.
        theirs: uint8 (N, 3), what surrounds it in its own photo.
        ours: uint8 (M, 3), what surrounds its new place.
        strength: 0 = as it was, 1 = the whole difference (gain and shift are limited all the same).

    Returns:
        float (..., 3) RGB 0-255.
    """
    if len(theirs) < _FEWEST or len(ours) < _FEWEST:
        return pixels
    there, here = lab_of(theirs), lab_of(ours)
    middle_there, middle_here = there.mean(0), here.mean(0)
    whole = np.clip((middle_here[0] + _LIGHT) / (middle_there[0] + _LIGHT), *_GAINS)
    gain = 1 + strength * (whole - 1)
    spread = here[:, 0].std() / max(there[:, 0].std() * whole, 1.0)
    contrast = np.clip(spread, 0.8, 1.25) ** strength
    tint = np.clip(middle_here[1:] - whole * middle_there[1:], -_MOST_TINT, _MOST_TINT) * strength
    lab = (lab_of(pixels) + [_LIGHT, 0, 0]) * gain - [_LIGHT, 0, 0]
    middle = lab[..., 0].mean()
    lab[..., 0] = middle + (lab[..., 0] - middle) * contrast
    lab[..., 1:] += tint
    return rgb_of(lab)


def rgb_of(lab: np.ndarray) -> np.ndarray:
    """Returns CIE-Lab colours (..., 3) as RGB, float 0-255; what lies outside of RGB is cut off."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Conversion from CIE-LAB")  # a shift out of the gamut is cut off: meant
        return np.asarray(color.lab2rgb(lab) * 255.0)


def lab_of(pixels: np.ndarray) -> np.ndarray:
    """Returns RGB 0-255 (..., 3) as CIE-Lab, float."""
    return np.asarray(color.rgb2lab(np.clip(np.asarray(pixels, np.float64), 0, 255) / 255.0))
