"""Lending: an object that is asked for and that nothing brings takes the look of one that the photo shows.

As in semi-parametric synthesis (Qi et al. 2018), but with this one photo for a memory: among the visible
objects of the class the one whose shape, mirrored or not, fits best is stretched over the new shape.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scenebrush.scene.edit import Carry, Edit
from scenebrush.scene.layout import Layout
from scenebrush.scene.objects import bounding_box, objects_of, things_within
from scenebrush.scene.scene import Scene

_SIDE = 24  # shapes are compared on a grid of this side
_LEAST_FIT = 0.55  # shared part of two shapes' union
_LEAST_PIXELS = 60
_STRETCH_COST = 0.12  # of fit, for each factor of e that an object is stretched or its proportions are changed
_CUT_OFF_COST = 0.2  # of fit, for an object that the picture's edge cuts off


def lend(scene: Scene, edit: Edit) -> tuple[Carry, ...]:
    """Returns carries for the things in the hole that `edit` asks for and that no carry of its own brings.

    Their shadows stay behind: ground that is not asked for is not touched.
    """
    brought = np.zeros(edit.hole.shape, bool)
    for carry in edit.carries:
        brought |= carry.target
    carries = []
    for region in things_within(edit.layout, edit.hole & ~brought):
        if np.count_nonzero(region) >= _LEAST_PIXELS and not _runs_on(scene.layout, edit, region):
            class_id = int(edit.layout.label_map[region][0])
            found = _best(region, _visible(scene.layout, class_id, edit.hole))
            if found is not None:
                mask, flip = found
                carries.append(Carry(scene, mask, _stretch(mask, region, flip), region))
    return tuple(carries)


def _runs_on(layout: Layout, edit: Edit, region: np.ndarray) -> bool:
    """Whether the object is seen outside of the hole as well: then it is no new one."""
    if layout.instance_map is None or edit.layout.instance_map is None:
        return False
    number = edit.layout.instance_map[region][0]
    return bool(number > 0 and (layout.instance_map[~edit.hole] == number).any())


def _visible(layout: Layout, class_id: int, hole: np.ndarray) -> Iterator[np.ndarray]:
    """The objects of a class that lie wholly outside of the hole."""
    for found in objects_of(layout, class_id):
        if np.count_nonzero(found.mask) >= _LEAST_PIXELS and not (found.mask & hole).any():
            yield found.mask


def _best(region: np.ndarray, candidates: Iterator[np.ndarray]) -> tuple[np.ndarray, bool] | None:
    """The candidate that fits best and whether it does so mirrored; None if none fits well."""
    best, best_fit = None, _LEAST_FIT
    shape, (_, _, width, height) = _shape(region), bounding_box(region)
    for mask in candidates:
        x, y, w, h = bounding_box(mask)
        stretches = abs(np.log(width / w)), abs(np.log(height / h)), abs(np.log(width * h / (w * height)))
        cut_off = _CUT_OFF_COST * (x == 0 or y == 0 or x + w == mask.shape[1] or y + h == mask.shape[0])
        for flip in (False, True):
            other = _shape(mask)[:, ::-1] if flip else _shape(mask)
            fit = (shape & other).sum() / (shape | other).sum() - _STRETCH_COST * max(stretches) - cut_off
            if fit > best_fit:
                best, best_fit = (mask, flip), fit
    return best


def _shape(mask: np.ndarray) -> np.ndarray:
    """A mask's box, sampled on a small square grid, bool."""
    x, y, width, height = bounding_box(mask)
    steps = (np.arange(_SIDE) + 0.5) / _SIDE
    shape: np.ndarray = mask[(y + steps * height).astype(int)[:, None], (x + steps * width).astype(int)]
    return shape


def _stretch(mask: np.ndarray, region: np.ndarray, flip: bool) -> np.ndarray:
    """The matrix (2, 3) that maps the box of an object onto the box of a region."""
    x, y, width, height = bounding_box(mask)
    to_x, to_y, to_width, to_height = bounding_box(region)
    scale_x, scale_y = to_width / width, to_height / height
    if flip:
        scale_x, to_x = -scale_x, to_x + to_width
    # pixel centres lie at whole numbers, the box's edges half a pixel outside of them
    return np.array([[scale_x, 0, to_x - 0.5 - scale_x * (x - 0.5)], [0, scale_y, to_y - 0.5 - scale_y * (y - 0.5)]])
