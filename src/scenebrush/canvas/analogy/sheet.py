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
        photo: float32 (h, w, 3), 0-1; label_map: int (h, w), its labels.
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
        window = tuple(slice(max(s.start - _MARGIN, 0), s.stop + _MARGIN) for s in fit.box)
        rows, columns = np.meshgrid(
            *(np.arange(s.start, min(s.stop, n)) for s, n in zip(window, shape, strict=True)), indexing="ij"
        )
        there = [
            (axis + 0.5) * stretch + shift - 0.5
            for axis, stretch, shift in zip((rows, columns), fit.stretch, fit.shift, strict=True)
        ]
        blur = np.maximum(fit.stretch - 1, 0) * 0.5  # what shrinks is smoothed first
        shown = ndimage.map_coordinates(label_map, there, order=0, mode="nearest")
        outside = (
            (there[0] < -0.5)
            | (there[0] > photo.shape[0] - 0.5)
            | (there[1] < -0.5)
            | (there[1] > photo.shape[1] - 0.5)
        )
        # What surrounds a thing comes along, but does not cover what another thing brought: a pupil stretches more than
        # its eye.
        taken = ~outside & (fit.mask[rows, columns] | (labels[rows, columns] == NOTHING))
        rows, columns, there = rows[taken], columns[taken], [axis[taken] for axis in there]
        for channel in range(3):
            smooth = ndimage.gaussian_filter(photo[..., channel], blur) if blur.any() else photo[..., channel]
            picture[rows, columns, channel] = ndimage.map_coordinates(smooth, there, order=1, mode="nearest")
        labels[rows, columns] = shown[taken]
        used |= fit.mask
    return Sheet(picture, labels, used)
