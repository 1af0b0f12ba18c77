"""Synthesis as an edit: render the whole new layout, keep the pixels outside the hole, match the colours, blend.

So any synthesizer can serve an edit, and all methods stand in one table.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from scenebrush.canvas import compose
from scenebrush.canvas.blending import Springs, solve
from scenebrush.canvas.color import fitted
from scenebrush.methods.base import Style, Synthesizer
from scenebrush.scene.edit import Edit
from scenebrush.scene.scene import Scene

_RING = 24  # pixels around the hole that say how drawn colours differ from real ones, at most
_LEAST = 64  # pixels of a class in the ring that speak for that class alone
_ACROSS = np.float32(0.02)  # weight of a tie between two classes
_REACH = 12.0  # pixels: how far into the hole the seam is evened out
_MOST = 60.0  # colour steps that are evened out at a seam; more is another content, not another light


def edit_by_synthesis(
    synthesizer: Synthesizer, scene: Scene, edit: Edit, *, seed: int = 0, photo_style: bool = False
) -> np.ndarray:
    """Returns the photo after an edit, uint8 (H, W, 3), its hole drawn by a synthesizer.

    The synthesizer is asked for the whole new layout; with `photo_style` in the look of the photo's visible part.
    Carried objects keep their own pixels. Where the hole is the whole picture it is the synthesizer's own.
    """
    photo, hole = scene.photo, edit.hole
    if edit.carries:
        canvas = compose(scene, edit)
        photo, hole = canvas.photo, hole & ~canvas.carried
    if not hole.any():
        return photo
    style = _style(photo, edit, hole) if photo_style and not hole.all() else None
    drawn = synthesizer.synthesize(edit.layout, seed=seed, style=style)
    return insert(drawn, photo, edit.layout.label_map, hole)


def insert(drawn: np.ndarray, photo: np.ndarray, label_map: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Returns the photo, uint8 (H, W, 3), with what was drawn in its hole, in its colours and without a seam.

    Arguments are those of `match_colors`. Where the hole is the whole picture that is the drawn one.
    """
    if hole.all():
        return drawn
    matched = match_colors(drawn, photo, label_map, hole)
    blended = blend_seam(matched, photo, label_map, hole)
    return np.where(hole[..., None], np.rint(blended).clip(0, 255).astype(np.uint8), photo)


def match_colors(drawn: np.ndarray, photo: np.ndarray, label_map: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Returns the drawn picture, float (H, W, 3) 0-255, its hole's colours shifted as the photo's around it differ.

    Both show the same layout around the hole. A class that lies there speaks for itself, the others get the mean shift.
    The pixels next to the hole are matched too: what is left of a step there, `blend_seam` has to even out.

    Args:
        drawn: uint8 (H, W, 3), the whole layout drawn.
        photo: uint8 (H, W, 3).
        label_map: int (H, W), the layout of both.
        hole: bool (H, W), where only `drawn` is to be seen.
    """
    matched = drawn.astype(np.float64)
    distance = ndimage.distance_transform_edt(~hole)
    ring, wanted = (distance > 0) & (distance <= _RING), distance < 2
    for class_id in np.unique(label_map[hole]):
        here = wanted & (label_map == class_id)
        around = ring & (label_map == class_id)
        if np.count_nonzero(around) < _LEAST:
            around = ring
        matched[here] = fitted(matched[here], drawn[around], photo[around], strength=1.0)
    return matched


def blend_seam(drawn: np.ndarray, photo: np.ndarray, label_map: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Returns the drawn picture, float (H, W, 3), with no step at the hole's rim where a class goes on across it.

    A screened Poisson equation: next to the rim the correction is what the photo differs there by, a dozen pixels
    further in it is nothing. Nothing is corrected across the boundary of two classes: that step is wanted.
    """
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    box = (
        slice(max(rows[0] - 1, 0), rows[-1] + 2),
        slice(max(columns[0] - 1, 0), columns[-1] + 2),
    )
    inside, labels = hole[box], label_map[box]
    asked = np.clip(photo[box] - drawn[box].astype(np.float64), -_MOST, _MOST).astype(np.float32)
    screen = np.float32(1 / _REACH**2)
    anchor = np.where(inside, screen, 0).astype(np.float32)
    pull = np.zeros((3, *inside.shape), np.float32)
    weights = []
    for axis in (1, 0):
        p, q = _sides(axis)
        same = labels[p] == labels[q]
        weights.append(np.where(inside[p] & inside[q], np.where(same, np.float32(1), _ACROSS), np.float32(0)))
        for here, known in ((p, q), (q, p)):
            tied = inside[here] & ~inside[known] & same
            anchor[here] += tied
            pull[(slice(None), *here)] += (asked[known] * tied[..., None]).transpose(2, 0, 1)
    correction = solve(Springs(weights[0], weights[1], anchor), np.zeros_like(pull), pull).transpose(1, 2, 0)
    blended = drawn.astype(np.float64)
    blended[box][inside] += correction[inside]
    return blended


def _sides(axis: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Returns the two sides of all pairs of neighbours along an axis."""
    if axis:
        return (slice(None), slice(None, -1)), (slice(None), slice(1, None))
    return (slice(None, -1), slice(None)), (slice(1, None), slice(None))


def _style(photo: np.ndarray, edit: Edit, hole: np.ndarray) -> Style:
    """Returns the look of what is visible, the hole's pixels replaced by the nearest visible ones."""
    nearest = ndimage.distance_transform_edt(hole, return_distances=False, return_indices=True)
    return Style(photo=photo[tuple(nearest)], layout=edit.layout, visible=~hole)
