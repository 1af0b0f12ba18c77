"""Things at another size: a second source beside the photo, where they are already stretched to what is wanted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from scenebrush.canvas.analogy.prior import Fit

_MARGIN = 8  # pixels around a thing's box that come along: patches at its rim need its surroundings
_SAME = 0.06  # stretched by less than this, a thing keeps its own pixels
NOTHING = -2
"""In `Sheet.label_map`: no pixel lies here."""


class Sheet(NamedTuple):
    """Stretched things in the frame of the target.

    Args:
        picture: float32 (H, W, 3), 0-1.
        label_map: int (H, W), what each pixel shows; `NOTHING` where there is none.
        used: bool (H, W), the things' pixels that are to come from here.
    """

    picture: np.ndarray
    label_map: np.ndarray
    used: np.ndarray


def stretched(photo: np.ndarray, label_map: np.ndarray, fits: list[Fit], shape: tuple[int, int]) -> Sheet | None:
    """Returns the things that are wanted at another size, or None where there are none.

    Args:
        photo: float32 (h, w, 3), 0-1.
        label_map: int (h, w), its labels.
        fits: which things go where, the largest are painted first.
        shape: (H, W) of the target.
    """
    fits = sorted(fits, key=lambda fit: -np.count_nonzero(fit.mask))
    fits = [fit for fit in fits if np.abs(np.log(fit.stretch)).max() > _SAME]
    if not fits:
        return None
    picture = np.zeros((*shape, 3), np.float32)
    labels = np.full(shape, NOTHING, np.int32)
    used = np.zeros(shape, bool)
    for fit in fits:
        rows, columns, there = _brought(fit, shape)
        outside = np.zeros(rows.shape, bool)
        for axis, length in zip(there, photo.shape[:2], strict=True):
            outside |= (axis < -0.5) | (axis > length - 0.5)
        # What surrounds a thing comes along, but does not cover what another thing brought: a pupil stretches more than
        # its eye.
        taken = ~outside & (fit.mask[rows, columns] | (labels[rows, columns] == NOTHING))
        rows, columns, there = rows[taken], columns[taken], [axis[taken] for axis in there]
        picture[rows, columns] = _colors(photo, there, fit.stretch)
        labels[rows, columns] = ndimage.map_coordinates(label_map, there, order=0, mode="nearest")
        used |= fit.mask
    return Sheet(picture, labels, used)


def _brought(fit: Fit, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Rows and columns, int (h, w), of a thing's box and its surroundings, and both in the photo, float64 (h, w)."""
    window = [
        np.arange(max(s.start - _MARGIN, 0), min(s.stop + _MARGIN, n)) for s, n in zip(fit.box, shape, strict=True)
    ]
    rows, columns = np.meshgrid(*window, indexing="ij")
    there = [
        (axis + 0.5) * stretch + shift - 0.5
        for axis, stretch, shift in zip((rows, columns), fit.stretch, fit.shift, strict=True)
    ]
    return rows, columns, there


def _colors(photo: np.ndarray, there: list[np.ndarray], stretch: np.ndarray) -> np.ndarray:
    """The photo's colours at these rows and columns, (N, 3); what shrinks is smoothed first."""
    blur = np.maximum(stretch - 1, 0) * 0.5
    smooth = [ndimage.gaussian_filter(photo[..., c], blur) if blur.any() else photo[..., c] for c in range(3)]
    return np.stack([ndimage.map_coordinates(plane, there, order=1, mode="nearest") for plane in smooth], -1)
