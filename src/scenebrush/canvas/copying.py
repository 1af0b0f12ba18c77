"""Class-bound copying: each stuff class in a hole is filled with shifted copies of its own visible pixels.

Related: shift-map editing (Pritch et al. 2009), statistics of patch offsets (He and Sun 2012). An offset is
judged by what it would put onto the visible ring around the hole, class by class, against what is there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from scenebrush.canvas.atlas import NOWHERE, Atlas
from scenebrush.canvas.compositing import blended
from scenebrush.canvas.offsets import Region, choose_offsets
from scenebrush.errors import InputError
from scenebrush.scene.layout import Layout

_RING = 5  # pixels around the hole on which offsets are judged, at 128 pixels


@dataclass(frozen=True, eq=False)
class Fill:
    """A photo whose hole is filled.

    Args:
        photo: uint8 (H, W, 3); outside the hole it is the photo given.
        copied: bool (H, W), the hole's pixels that hold copied (and blended) pixels. The others hold the
            nearest visible pixel of their class, or of any class where theirs is not visible.
    """

    photo: np.ndarray
    copied: np.ndarray


def fill(
    photo: np.ndarray,
    layout_before: Layout,
    layout_after: Layout,
    hole: np.ndarray,
    *,
    max_offsets: int = 8,
    reach: int | None = None,
    blend: bool = True,
    rng: np.random.Generator | None = None,
) -> Fill:
    """Returns the photo with its hole filled by pixels of the classes that `layout_after` asks for there.

    Stuff classes are copied class by class and blended in the gradient domain. Thing classes are not
    copied (a copy of half a car is no car). Unlabelled pixels of the hole become what lies around them.

    Args:
        photo: uint8 (H, W, 3).
        layout_before: the layout of the photo as it is; sources are its pixels outside the hole.
        layout_after: the classes that are wanted in the hole.
        hole: bool (H, W), true = to be filled.
        max_offsets: at most so many different offsets per class.
        reach: how far a source may be, in pixels along x and y; None chooses by the photo's size.
        blend: False leaves the copies as they are, seams and all.
        rng: draws the pixels on which offsets are judged; None draws the same ones each time.

    Raises:
        InputError: sizes differ.
    """
    _check(photo, layout_before, layout_after, hole)
    if not hole.any():
        return Fill(photo.copy(), np.zeros(hole.shape, bool))
    rng = rng or np.random.default_rng(0)
    scale = max(1.0, max(hole.shape) / 128)
    reach = reach or round(72 * scale**0.8)
    ring = round(_RING * scale**0.5)
    classes = layout_after.label_set
    visible = np.where(
        hole | ~classes.is_kind(layout_before.label_map, "stuff", "thing"), NOWHERE, layout_before.label_map
    )
    atlas = Atlas.cut(photo, visible, _box(hole), reach + ring)
    inside = atlas.cut_map(hole, False)
    wanted = _without_void(
        atlas.cut_map(layout_after.label_map, NOWHERE), inside, atlas, classes.of_kind("stuff", "thing")
    )
    shifts = np.zeros(inside.shape, np.int32)
    for class_id in np.unique(wanted[inside]):
        if class_id in classes.of_kind("stuff"):
            region = Region.of(atlas, inside & (wanted == class_id), int(class_id), ring)
            choose_offsets(atlas, region, shifts, reach=reach, max_offsets=max_offsets, scale=scale, rng=rng)
    copied = shifts != 0
    pixels = _fallback(atlas, wanted, inside & ~copied)
    pixels[copied] = atlas.photo.reshape(-1, 3)[np.flatnonzero(copied) + shifts[copied]]
    if blend:
        pixels = blended(atlas, pixels, wanted, shifts)
    return _pasted(photo, hole, atlas, inside, pixels, copied)


def _check(photo: np.ndarray, before: Layout, after: Layout, hole: np.ndarray) -> None:
    if not photo.shape[:2] == before.shape == after.shape == hole.shape:
        raise InputError(
            f"photo {photo.shape[:2]}, layouts {before.shape} and {after.shape} and hole {hole.shape}"
            " differ in size (H, W)"
        )


def _box(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _without_void(wanted: np.ndarray, inside: np.ndarray, atlas: Atlas, known: tuple[int, ...]) -> np.ndarray:
    """The wanted classes in the hole, its unlabelled pixels as the nearest labelled one in or around it."""
    merged = np.where(inside, wanted, atlas.label_map)
    void = inside & ~np.isin(merged, known)
    if void.any():
        sources = np.isin(merged, known)
        if sources.any():
            rows, columns = ndimage.distance_transform_edt(~sources, return_distances=False, return_indices=True)
            merged[void] = merged[rows[void], columns[void]]
    return merged


def _fallback(atlas: Atlas, wanted: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """A copy of the atlas's photo whose missing pixels hold the nearest visible pixel of their class, or at all."""
    pixels = atlas.photo.copy()
    for class_id in np.unique(wanted[missing]):
        here = missing & (wanted == class_id)
        sources = atlas.label_map == class_id
        if not sources.any():
            sources = atlas.label_map != NOWHERE
        if sources.any():
            rows, columns = ndimage.distance_transform_edt(~sources, return_distances=False, return_indices=True)
            pixels[here] = atlas.photo[rows[here], columns[here]]
    return pixels


def _pasted(
    photo: np.ndarray, hole: np.ndarray, atlas: Atlas, inside: np.ndarray, pixels: np.ndarray, copied: np.ndarray
) -> Fill:
    result, where = photo.copy(), np.zeros(hole.shape, bool)
    result[hole], where[hole] = pixels[inside], copied[inside]
    return Fill(result, where)
