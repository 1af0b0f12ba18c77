"""Colour transfer: an object from one photo in the light of another."""

from __future__ import annotations

import warnings

import numpy as np
from skimage import color

_MOST_SHIFT = np.array([18.0, 8.0, 8.0])  # of L, a, b: more would change what the object is
_FEWEST = 16


def fitted(pixels: np.ndarray, theirs: np.ndarray, ours: np.ndarray, *, strength: float = 0.7) -> np.ndarray:
    """Returns pixels shifted and scaled in Lab as their surroundings differ from ours (Reinhard et al. 2001, gently).

    Where either surroundings have fewer than 16 pixels there is nothing to go by: the pixels come back as they are.

    Args:
        pixels: float (..., 3) RGB 0-255, the object.
        theirs: uint8 (N, 3), what surrounds it in its own photo.
        ours: uint8 (M, 3), what surrounds its new place.
        strength: 0 = as it was, 1 = the whole difference (each channel's shift is limited all the same).

    Returns:
        float (..., 3) RGB 0-255.
    """
    if len(theirs) < _FEWEST or len(ours) < _FEWEST:
        return pixels
    there, here = lab_of(theirs), lab_of(ours)
    shift = np.clip(here.mean(0) - there.mean(0), -_MOST_SHIFT, _MOST_SHIFT) * strength
    contrast = np.clip(here[:, 0].std() / max(there[:, 0].std(), 1.0), 0.8, 1.25) ** strength
    lab = lab_of(pixels)
    middle = lab[..., :1].mean()
    lab[..., 0] = middle + (lab[..., 0] - middle) * contrast
    return rgb_of(lab + shift)


def rgb_of(lab: np.ndarray) -> np.ndarray:
    """Returns CIE-Lab colours (..., 3) as RGB, float 0-255; what lies outside of RGB is cut off."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Conversion from CIE-LAB")  # a shift out of the gamut is cut off: meant
        return np.asarray(color.lab2rgb(lab) * 255.0)


def lab_of(pixels: np.ndarray) -> np.ndarray:
    """Returns RGB 0-255 (..., 3) as CIE-Lab, float."""
    return np.asarray(color.rgb2lab(np.clip(np.asarray(pixels, np.float64), 0, 255) / 255.0))
