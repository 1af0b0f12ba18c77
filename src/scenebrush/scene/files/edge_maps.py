"""Edge maps: a layout of lines, for pictures made from sketches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage import feature, filters

from scenebrush.errors import InputError
from scenebrush.scene.files.opening import MAX_MEGAPIXELS, open_picture
from scenebrush.scene.label_set import LabelClass, LabelSet
from scenebrush.scene.layout import Layout

AREA, EDGE = 0, 1

EDGES = LabelSet(
    "edges",
    (LabelClass(AREA, "area", (255, 255, 255), "stuff"), LabelClass(EDGE, "edge", (0, 0, 0), "stuff")),
)
"""The classes of edge maps and sketches: area 0, edge 1."""

_MOST = 0.45  # share of a line drawing that its lines cover, at most: near half, no one knows which is the paper
_CONTRAST = 32  # grey levels between line and paper, at least


def edge_map(photo: np.ndarray, *, sigma: float = 2.0) -> Layout:
    """Returns the outlines in a photo as a layout of `EDGES`: Canny's edges, drawn 2 px wide.

    Args:
        photo: uint8 (H, W, 3).
        sigma: of the Gaussian that smooths it first, in pixels; larger leaves out more detail.

    Raises:
        InputError: no uint8 (H, W, 3), or a negative sigma.
    """
    if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
        raise InputError(f"a photo is uint8 (H, W, 3), RGB; this one is {photo.dtype} {photo.shape}")
    if not sigma >= 0:
        raise InputError(f"edge map: sigma is {sigma:g}; give 0 pixels or more")
    grey = np.asarray(Image.fromarray(photo).convert("L"), np.float64) / 255
    thin = feature.canny(grey, sigma=sigma)  # type: ignore[no-untyped-call]
    # 2 x 2 pixels: every line becomes 2 px wide and stays where it is to half a pixel.
    wide = ndimage.binary_dilation(thin, np.ones((2, 2), bool))
    return Layout(np.where(wide, EDGE, AREA), EDGES)


def read_line_drawing(path: str | Path, *, max_megapixels: float | None = MAX_MEGAPIXELS) -> Layout:
    """Returns a sketch as a layout of `EDGES`, black on white or white on black: the lines are what covers less.

    Transparent pixels are paper; where opacity varies it alone says where the lines are.

    Raises:
        InputError: missing, no picture, truncated, larger than the limit, of one shade, or half dark and half bright.
    """
    with open_picture(path, max_megapixels) as image:
        opacity = np.asarray(image.convert("RGBA"))[:, :, 3]
        grey = opacity if np.ptp(opacity) >= _CONTRAST else np.asarray(image.convert("RGB").convert("L"))
    if np.ptp(grey) < _CONTRAST:
        raise InputError(
            f"{path} is no line drawing: its shades go from {grey.min()} to {grey.max()}; draw black on white"
        )
    bright = grey > filters.threshold_otsu(grey)  # type: ignore[no-untyped-call]
    lines = bright if bright.mean() <= 0.5 else ~bright
    if lines.mean() > _MOST:
        raise InputError(
            f"{path} is no line drawing: {lines.mean():.0%} of it is {'bright' if lines is bright else 'dark'}, so"
            " lines and paper cannot be told apart; draw thin lines in black on white"
        )
    return Layout(np.where(lines, EDGE, AREA), EDGES)
