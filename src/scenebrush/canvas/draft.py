"""The draft of a fill: which source each pixel of the hole takes, before and after the blend."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from scenebrush.canvas.atlas import NOWHERE, Atlas, rim_of
from scenebrush.canvas.sources import Sources


@dataclass(eq=False)
class Draft:
    """The working state of a fill, in the atlas's frame.

    Args:
        atlas: the sources.
        inside: bool (H, W), the hole.
        classes: int16 (H, W), the class of each pixel: wanted in the hole, visible outside; `NOWHERE` unknown.
        values: float32 (H, W, 3), the picture so far.
        shifts: int32 (H, W), the flat shift of each copied pixel; 0 = not copied.
        layers: int16 (H, W), index into `sources` of each copied pixel.
        inner: bool (H*W,), the hole's pixels that have no other class near (`atlas.rim_of`) in the layout asked for.
        soft: bool (H, W), the pixels that the blend may change.
        sources: what the layers are copied from.
    """

    atlas: Atlas
    inside: np.ndarray
    classes: np.ndarray
    values: np.ndarray
    shifts: np.ndarray
    layers: np.ndarray
    inner: np.ndarray
    soft: np.ndarray
    sources: list[Sources] = field(default_factory=list)

    @classmethod
    def empty(cls, atlas: Atlas, inside: np.ndarray, classes: np.ndarray, rim: int) -> Draft:
        """Returns a draft in which nothing is copied yet; `rim`: how near another class has to be to count."""
        shape = atlas.shape
        values = atlas.photo[0].astype(np.float32)
        return cls(
            atlas,
            inside,
            classes,
            values,
            np.zeros(shape, np.int32),
            np.full(shape, -1, np.int16),
            _inner(inside, classes, rim),
            np.zeros(shape, bool),
        )

    @property
    def copied(self) -> np.ndarray:
        """bool (H, W), where a source was found."""
        copied: np.ndarray = self.shifts != 0
        return copied

    def put(self, sources: Sources, pixels: np.ndarray, shifts: np.ndarray) -> None:
        """Copies flat pixels (P,) by their shifts (P,); those with shift 0 are left alone."""
        found = shifts != 0
        pixels, shifts = pixels[found], shifts[found]
        self.values.reshape(-1, 3)[pixels] = sources.values(pixels, shifts)
        self.classes.reshape(-1)[pixels] = self.atlas.label_map.reshape(-1)[pixels + shifts]
        self.shifts.reshape(-1)[pixels] = shifts
        self.layers.reshape(-1)[pixels] = len(self.sources)
        self.sources.append(sources)

    def put_nearest(self) -> None:
        """Gives the hole's pixels that are not copied the nearest visible pixel of their class, or of any."""
        missing = self.inside & ~self.copied
        for class_id in np.unique(self.classes[missing]):
            here = missing & (self.classes == class_id)
            sources = self.atlas.label_map[0] == class_id
            if not sources.any():
                sources = self.atlas.label_map[0] != NOWHERE
            if sources.any():
                window = window_with(here, sources)
                rows, columns = ndimage.distance_transform_edt(
                    ~sources[window], return_distances=False, return_indices=True
                )
                part = here[window]
                self.values[window][part] = self.atlas.photo[0][window][rows[part], columns[part]]


def _inner(inside: np.ndarray, classes: np.ndarray, rim: int) -> np.ndarray:
    """The hole's pixels that have no other class near, bool (H*W,)."""
    window, inner = window_around(inside, rim + 1), np.zeros(inside.shape, bool)
    inner[window] = inside[window] & ~rim_of(classes[window], rim)
    return inner.reshape(-1)


def window_around(places: np.ndarray, margin: int) -> tuple[slice, slice]:
    """Returns the rows and columns of the box of some places, bool (H, W), grown by a margin."""
    rows, columns = np.flatnonzero(places.any(axis=1)), np.flatnonzero(places.any(axis=0))
    return (
        slice(max(0, int(rows[0]) - margin), int(rows[-1]) + margin + 1),
        slice(max(0, int(columns[0]) - margin), int(columns[-1]) + margin + 1),
    )


def window_with(places: np.ndarray, sources: np.ndarray) -> tuple[slice, slice]:
    """Returns the box of some places, bool (H, W), grown until it holds one of the sources, bool (H, W), of which
    there is one at least."""
    margin = 16
    while not sources[window := window_around(places, margin)].any():
        margin *= 2
    return window
