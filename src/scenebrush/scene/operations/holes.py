"""Holes: an object's pixels, a rim for sloppy label edges, and the strip of ground at its foot."""

from __future__ import annotations

import re

import numpy as np
from scipy import ndimage

from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.objects import bounding_box
from scenebrush.scene.operations.surroundings import carrier, contact_ring, separate

_GROUND = re.compile(
    r"\b(road|street|sidewalk|pavement|ground|floor|grass|earth|sand|parking|terrain|dirt|path|field|gravel|"
    r"playingfield|runway|land|snow|mud|moss|carpet|rug|mat|railroad|platform|track)\b"
)
_CONTACT_SHARE = 0.05  # of the object's height: the strip below it that is taken whatever its brightness


def default_rim(mask: np.ndarray) -> int:
    """Returns how many pixels label edges are off, as a rule: 2 to 4, more in large pictures for large objects."""
    largest = max(4, round(0.006 * min(mask.shape)))
    return int(np.clip(round(0.03 * np.sqrt(np.count_nonzero(mask))), 2, largest))


def dilate(mask: np.ndarray, radius: int) -> np.ndarray:
    """Returns the pixels within `radius` of the mask, bool (H, W)."""
    wider = mask.copy()
    if radius <= 0 or not mask.any():
        return wider
    window = around(mask, radius + 1)
    wider[window] = ndimage.distance_transform_edt(~mask[window]) <= radius
    return wider


def around(mask: np.ndarray, margin: int) -> tuple[slice, slice]:
    """Returns the rows and columns of the mask's bounding box, grown by a margin."""
    x, y, width, height = bounding_box(mask)
    rows = slice(max(0, y - margin), min(mask.shape[0], y + height + margin))
    return rows, slice(max(0, x - margin), min(mask.shape[1], x + width + margin))


def rim(layout: Layout, mask: np.ndarray, radius: int | None, without: tuple[int, ...] = ()) -> np.ndarray:
    """Returns the pixels beside the mask that may still show it, bool (H, W).

    Never those of other objects, but for one that surrounds the mask: what a window lies on is the facade.

    Args:
        layout: what is there.
        mask: bool (H, W).
        radius: in pixels; None = `default_rim`.
        without: class ids of objects that never count as surrounding.
    """
    grown = dilate(mask, default_rim(mask) if radius is None else radius) & ~mask
    allowed: np.ndarray = grown & ~layout.label_set.is_kind(layout.label_map, "thing")
    if not (grown & ~allowed).any():
        return allowed
    for window, part in separate(mask):
        under = carrier(layout, contact_ring(part) & ~mask[window], window, without)
        if under is not None:
            allowed[window] |= under[1] & grown[window]
    return allowed


def ground_ids(label_set: LabelSet) -> tuple[int, ...]:
    """Returns the ids of the stuff classes that things stand on and cast shadows on, by their names."""
    return tuple(
        c.id for c in label_set.classes if c.kind == "stuff" and _GROUND.search(re.sub("[_-]", " ", c.name.lower()))
    )


def contact_strip(layout: Layout, mask: np.ndarray) -> np.ndarray:
    """Returns the thin strip of ground below the foot of a mask, bool (H, W), where its shadow begins."""
    beneath: np.ndarray = strip_below(mask) & np.isin(layout.label_map, ground_ids(layout.label_set))
    return beneath


def strip_below(mask: np.ndarray) -> np.ndarray:
    """Returns the thin strip below the foot of a mask, bool (H, W), whatever lies there."""
    strip: np.ndarray = _below_foot(mask, max(2, round(_CONTACT_SHARE * bounding_box(mask)[3]))) & ~mask
    return strip


def stands_on_ground(layout: Layout, mask: np.ndarray) -> bool:
    """Returns whether most of what lies just below the foot of the mask is ground."""
    below = _below_foot(mask, 2)
    if not below.any():
        return False
    return bool(np.mean(np.isin(layout.label_map[below], ground_ids(layout.label_set))) > 0.5)


def _below_foot(mask: np.ndarray, depth: int) -> np.ndarray:
    """The `depth` pixels below the lowest pixel of each column, where that lies in the lower 40 % of the mask."""
    x, y, width, height = bounding_box(mask)
    columns = np.arange(x, x + width)
    lowest = mask.shape[0] - 1 - np.argmax(mask[::-1, x : x + width], axis=0)
    of_foot = mask[:, x : x + width].any(axis=0) & (lowest >= y + 0.6 * height - 1)
    below = np.zeros_like(mask)
    for offset in range(1, depth + 1):
        rows = lowest[of_foot] + offset
        valid = rows < mask.shape[0]
        below[rows[valid], columns[of_foot][valid]] = True
    return below
