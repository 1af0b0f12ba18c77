"""Where in the photo each pixel of a new layout would come from if nothing spoke against it.

Stuff stays where it is. A thing takes its pixels from the thing of its class that is most like it: as it lies, moved,
or stretched from one box onto the other, so that what belongs at its top left comes from the other's top left.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import numpy as np
from scipy import ndimage

from scenebrush.scene.layout import Layout

_LEAST = 0.02  # of a class's largest part; smaller parts are raggedness, and go with the stuff
_ACROSS, _DOWN = 0.6, 0.15  # how far stuff may come from without regret, in shares of width and height
_MOVED, _STRETCHED = 0.05, 0.15  # how much better a thing has to fit before it is moved, and before it is stretched
_THING = 0.15  # the same for a thing, in shares of its box's diagonal


class Fit(NamedTuple):
    """A thing of the photo and where it is wanted: source = (target + 0.5) * stretch + shift - 0.5, (rows, columns).

    Args:
        mask: bool (H, W), where in the target.
        box: its rows and columns.
        stretch, shift: float64 (2,), as above.
        size: float64 (2,), height and width of the photo's thing.
        score: how well both fit, at most 1.
    """

    mask: np.ndarray
    box: tuple[slice, slice]
    stretch: np.ndarray
    shift: np.ndarray
    size: np.ndarray
    score: float


class Prior(NamedTuple):
    """Per pixel of the target, float32 (H, W): the source's row and column, and how far from there is far.

    `fits` are the target's things that the photo has a thing for.
    """

    rows: np.ndarray
    columns: np.ndarray
    reach_rows: np.ndarray
    reach_columns: np.ndarray
    fits: list[Fit]


class _Part(NamedTuple):
    """An object: bool (H, W), its rows and columns, and its pixels' number."""

    mask: np.ndarray
    box: tuple[slice, slice]
    area: int

    @property
    def corner(self) -> np.ndarray:
        """Top and left."""
        return np.array([self.box[0].start, self.box[1].start], np.float64)

    @property
    def size(self) -> np.ndarray:
        """Height and width."""
        return np.array([s.stop - s.start for s in self.box], np.float64)


def prior(source: Layout, target: Layout) -> Prior:
    """Returns where the pixels of `target` would come from; both layouts have one label set."""
    height, width = target.shape
    scale = np.array(source.shape) / np.array(target.shape)
    rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    rows = ((rows + 0.5) * scale[0] - 0.5).astype(np.float32)
    columns = ((columns + 0.5) * scale[1] - 0.5).astype(np.float32)
    down = np.full(target.shape, _DOWN * source.shape[0], np.float32)
    across = np.full(target.shape, _ACROSS * source.shape[1], np.float32)
    fits = []
    for label_class in target.label_set.classes:
        if label_class.kind != "thing":
            continue
        there, wanted = _parts(source, label_class.id), _parts(target, label_class.id)
        if not there:
            continue
        for part in wanted:
            fit = max((fit for model in there for fit in _fits(model, part)), key=lambda one: one.score)
            fits.append(fit)
            places = np.argwhere(part.mask)
            mapped = (places + 0.5) * fit.stretch + fit.shift - 0.5
            rows[part.mask], columns[part.mask] = mapped.T.astype(np.float32)
            reach = np.float32(max(2.0, _THING * np.hypot(*fit.size)))
            down[part.mask] = across[part.mask] = reach
    return Prior(
        rows.clip(0, source.shape[0] - 1),
        columns.clip(0, source.shape[1] - 1),
        np.maximum(down, 2),
        np.maximum(across, 2),
        fits,
    )


def _parts(layout: Layout, class_id: int) -> list[_Part]:
    """The objects of a class, by instance map or connected, the largest first; specks are left out."""
    inside = layout.label_map == class_id
    if not inside.any():
        return []
    numbers = ndimage.label(inside, np.ones((3, 3)))[0]
    if layout.instance_map is not None:
        # An instance of several connected parts is one object: what passes behind a lamp post is.
        named = inside & (layout.instance_map > 0)
        numbers = np.where(
            named,
            numbers.max() + np.unique(layout.instance_map, return_inverse=True)[1].reshape(inside.shape) + 1,
            numbers,
        )
    parts = []
    boxes = cast(list[tuple[slice, slice] | None], ndimage.find_objects(numbers))  # None: a number that is not there
    for number, box in enumerate(boxes, start=1):
        if box is None:
            continue
        mask = np.zeros(inside.shape, bool)
        mask[box] = numbers[box] == number
        parts.append(_Part(mask, box, int(np.count_nonzero(mask[box]))))
    parts.sort(key=lambda part: -part.area)
    return [part for part in parts if part.area >= _LEAST * parts[0].area]


def _fits(model: _Part, part: _Part) -> list[Fit]:
    """How a thing of the photo might be laid onto one that is wanted: as it lies, moved, or moved and stretched."""
    one = np.ones(2)
    centre, wanted = model.corner + model.size / 2, part.corner + part.size / 2
    stretch = model.size / part.size
    cases = (
        (one, np.zeros(2), 0.0),
        (one, np.rint(centre - wanted), _MOVED),
        (stretch, model.corner - part.corner * stretch, _STRETCHED),
    )
    return [
        Fit(part.mask, part.box, scale, shift, model.size, _overlap(model, part, scale, shift) - dislike)
        for scale, shift, dislike in cases
    ]


def _overlap(model: _Part, part: _Part, stretch: np.ndarray, shift: np.ndarray) -> float:
    """Intersection over union of the thing that is wanted and the photo's, laid onto it."""
    places = np.argwhere(part.mask[part.box]) + [s.start for s in part.box]
    mapped = np.floor((places + 0.5) * stretch + shift).astype(np.int64)
    inside = ((mapped >= 0) & (mapped < model.mask.shape)).all(1)
    common = np.count_nonzero(model.mask[mapped[inside, 0], mapped[inside, 1]])
    laid = model.area / float(stretch.prod())
    return common / max(part.area + laid - common, 1.0)
