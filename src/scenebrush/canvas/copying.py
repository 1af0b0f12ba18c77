"""Class-bound copying: each stuff class in a hole is filled with shifted copies of its own visible pixels.

Related: shift-map editing (Pritch et al. 2009), statistics of patch offsets (He and Sun 2012). An offset is
judged by what it would put onto the visible ring around the hole, class by class, against what is there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from scenebrush.canvas.atlas import NOWHERE, Atlas, Box, Variant, cut_out
from scenebrush.canvas.boundaries import fill_boundaries
from scenebrush.canvas.compositing import blend, soften
from scenebrush.canvas.draft import Draft, window_around, window_with
from scenebrush.canvas.plan import ALL_PARTS, Parts, Plan
from scenebrush.canvas.regions import fill_class
from scenebrush.canvas.sources import dear_sources, reach_of_dear
from scenebrush.errors import InputError
from scenebrush.scene.layout import Layout

UNSEEN = np.uint8(128)
"""The grey of pixels of a hole for which nothing is visible in the whole photo."""


@dataclass(frozen=True, eq=False)
class Fill:
    """A photo whose hole is filled.

    Args:
        photo: uint8 (H, W, 3); outside the hole it is the photo given.
        copied: bool (H, W), the hole's pixels that hold copied (and blended) pixels. The others hold the
            nearest visible pixel of their class, or of any class where theirs is not visible; where nothing is
            visible at all they are a medium grey.
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
    surfaces: bool = False,
    parts: Parts = ALL_PARTS,
    rng: np.random.Generator | None = None,
) -> Fill:
    """Returns the photo with its hole filled by pixels of the classes that `layout_after` asks for there.

    Stuff classes are copied class by class and blended in the gradient domain. Thing classes are not
    copied (a copy of half a car is no car). Unlabelled pixels of the hole become what lies around them.
    The photo's own pixels inside the hole are never looked at.

    Args:
        photo: uint8 (H, W, 3).
        layout_before: the layout of the photo as it is; sources are its pixels outside the hole.
        layout_after: the classes that are wanted in the hole.
        hole: bool (H, W), true = to be filled.
        max_offsets: at most so many different offsets per class.
        reach: how far a source may be, in pixels along x and y; None chooses by the photo's size.
        surfaces: True copies things as well where they run on: the hole's part of an object whose number is
            seen outside of the hole at least as large (a facade behind a window that goes).
        parts: what is done; all by default.
        rng: draws the pixels on which offsets are judged; None draws the same ones each time.

    Raises:
        InputError: sizes differ.
    """
    _check(photo, layout_before, layout_after, hole)
    if not hole.any():
        return Fill(photo.copy(), np.zeros(hole.shape, bool))
    plan = Plan.of(hole, max_offsets, reach, rng, parts)
    copyable = layout_after.label_set.of_kind("stuff")
    if surfaces:
        copyable += _running_on(layout_before, layout_after, hole)
    window = window_around(hole, plan.margin + reach_of_dear(plan.scale))
    before, after = (Layout(layout.label_map[window], layout.label_set) for layout in (layout_before, layout_after))
    draft = _draft(photo[window], before, after, hole[window], copyable, plan)
    for class_id in np.unique(draft.classes[draft.inside]):
        if class_id in copyable:
            fill_class(draft, int(class_id), plan)
    if parts.boundaries:
        fill_boundaries(draft, plan)
    draft.put_nearest()
    if parts.blend:
        blend(draft)
        soften(draft)
    return _pasted(photo, hole, draft)


def _check(photo: np.ndarray, before: Layout, after: Layout, hole: np.ndarray) -> None:
    if not photo.shape[:2] == before.shape == after.shape == hole.shape:
        raise InputError(
            f"photo {photo.shape[:2]}, layouts {before.shape} and {after.shape} and hole {hole.shape}"
            " differ in size (H, W)"
        )


def _running_on(before: Layout, after: Layout, hole: np.ndarray) -> tuple[int, ...]:
    """The thing classes of which most in the hole belongs to objects seen outside of it at least as large."""
    if before.instance_map is None or after.instance_map is None:
        return ()
    found = []
    for class_id in np.unique(after.label_map[hole & after.label_set.is_kind(after.label_map, "thing")]):
        numbers, counts = np.unique(after.instance_map[hole & (after.label_map == class_id)], return_counts=True)
        seen = before.instance_map[~hole & (before.label_map == class_id)]
        large = [
            number > 0 and np.count_nonzero(seen == number) >= n for number, n in zip(numbers, counts, strict=True)
        ]
        if counts[large].sum() > 0.9 * counts.sum():
            found.append(int(class_id))
    return tuple(found)


def _draft(
    photo: np.ndarray, before: Layout, after: Layout, hole: np.ndarray, copyable: tuple[int, ...], plan: Plan
) -> Draft:
    labels = before.label_map
    things = ~np.isin(labels, copyable) & ~hole
    visible = np.where(hole | ~before.label_set.is_kind(labels, "stuff", "thing"), NOWHERE, labels)
    dear = dear_sources(things, plan.scale)
    variants = (Variant(mirrored=True),) if plan.parts.mirrored else ()
    shown = photo.copy()
    shown[hole] = UNSEEN  # nothing of what the hole hides may tell, wherever the search looks
    atlas = Atlas.cut(shown, visible, dear, _box(hole), plan.margin, variants, rim=plan.rim)
    inside = cut_out(hole, atlas.frame, False)
    wanted = cut_out(after.label_map.astype(np.int16), atlas.frame, NOWHERE)
    known = after.label_set.of_kind("stuff", "thing")
    classes = _without_void(np.where(inside, wanted, atlas.label_map[0]), inside, known)
    return Draft.empty(atlas, inside, classes, plan.rim)


def _box(mask: np.ndarray) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _without_void(classes: np.ndarray, inside: np.ndarray, known: tuple[int, ...]) -> np.ndarray:
    """The classes, those of the hole's unlabelled pixels as the nearest labelled pixel's in or around it."""
    table = np.zeros(max((*known, int(classes.max()))) + 2, bool)  # the last entry is for NOWHERE, -1
    table[list(known)] = True
    sources = table[classes]
    void = inside & ~sources
    if void.any() and sources.any():
        window = window_with(void, sources)
        part, near = classes[window], void[window]
        rows, columns = ndimage.distance_transform_edt(~sources[window], return_distances=False, return_indices=True)
        part[near] = part[rows[near], columns[near]]
    return classes


def _pasted(photo: np.ndarray, hole: np.ndarray, draft: Draft) -> Fill:
    result, copied = photo.copy(), np.zeros(hole.shape, bool)
    result[hole] = np.clip(np.rint(draft.values[draft.inside]), 0, 255).astype(np.uint8)
    copied[hole] = draft.copied[draft.inside]
    return Fill(result, copied)
