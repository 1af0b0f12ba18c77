"""Training canvases C': photos spoilt as canvases of retrieved segments are (section 5 of the paper; facts 2.7).

Stencilling: of each segment only those pixels are kept that the best of some random training segments of its class
covers too. Colour transfer: some segments take on their donor's colours. Boundary elision: random pixels along the
boundaries of what is left are taken out. Label noise: turned masks and donors that jut out make labels unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from scenebrush.canvas.collage import MISSING, boundary_band
from scenebrush.canvas.color_transfer import transferred
from scenebrush.data.holes import Box
from scenebrush.data.split_in_memory import LabelledPhoto, SplitInMemory
from scenebrush.data.windows import cut_map, cut_photo
from scenebrush.methods.sims.config import SimsConfig
from scenebrush.methods.sims.segments import Segment, segments_of
from scenebrush.scene.layout import Layout

_GRID = (48, 64)  # (rows, columns) on which random donors are compared
_MOST_COLORS = 2000  # pixels that a colour transfer goes by


@dataclass(frozen=True, eq=False)
class Spoilt:
    """A photo, or a cut-out of one, made a training canvas.

    Args:
        color: uint8 (H, W, 3): the photo, colours transferred where they were; also where nothing is `present`.
        present: bool (H, W), where the canvas holds a segment.
        elided: bool (H, W), pixels of segments that were taken out.
        unknown: bool (H, W), where the layout given to the network does not know the class.
    """

    color: np.ndarray
    present: np.ndarray
    elided: np.ndarray
    unknown: np.ndarray

    def cut(self, box: Box, size: tuple[int, int], *, flip: bool = False) -> Spoilt:
        """Returns a box of it, resized to (width, height), mirrored if `flip`."""
        step = -1 if flip else 1
        planes = [cut_photo(self.color, box, size)]
        planes += [cut_map(m, box, size) for m in (self.present, self.elided, self.unknown)]
        return Spoilt(*(np.ascontiguousarray(plane[:, ::step]) for plane in planes))  # torch takes no negative steps


class Donor(NamedTuple):
    """A segment of another training photo: indices into `DonorShapes.photos` and `DonorShapes.segments[photo]`."""

    photo: int
    segment: int


class DonorShapes:
    """All segments of a split, to draw donors from.

    Args:
        photos: the split.
        least_area: smaller segments (share of the picture) are neither stencilled nor donors.
    """

    def __init__(self, photos: SplitInMemory, least_area: float) -> None:
        self.photos = photos.photos
        self.segments: list[list[Segment]] = []
        places: dict[int, list[Donor]] = {}
        shapes: dict[int, list[np.ndarray]] = {}
        self._shape_of: dict[Donor, np.ndarray] = {}
        for index, photo in enumerate(photos.photos):
            layout = Layout(photo.label_map, photos.label_set, photo.instance_map)
            least = max(1, round(least_area * photo.label_map.size))
            self.segments.append(segments_of(layout, least_area=least))
            for number, segment in enumerate(self.segments[-1]):
                donor = Donor(index, number)
                packed = _packed(segment, layout.shape)
                places.setdefault(segment.class_id, []).append(donor)
                shapes.setdefault(segment.class_id, []).append(packed)
                self._shape_of[donor] = packed
        self._places = places
        self._shapes = {class_id: np.stack(found) for class_id, found in shapes.items()}

    def best_of(self, rng: np.random.Generator, wanted: Donor, count: int) -> Donor | None:
        """Returns that of `count` random segments of other photos whose mask overlaps best (IoU); None = no other."""
        class_id = self.segments[wanted.photo][wanted.segment].class_id
        places = self._places[class_id]
        drawn = [i for i in rng.integers(len(places), size=count) if places[i].photo != wanted.photo]
        if not drawn:
            return None
        shape, others = self._shape_of[wanted], self._shapes[class_id][drawn]
        shared = np.bitwise_count(others & shape).sum(1, dtype=np.int64)
        union = np.bitwise_count(others | shape).sum(1, dtype=np.int64)
        best = int(np.argmax(shared / np.maximum(union, 1)))
        return places[int(drawn[best])]


def spoil(shapes: DonorShapes, index: int, config: SimsConfig, rng: np.random.Generator, box: Box) -> Spoilt:
    """Returns photo `index` as a training canvas.

    Args:
        shapes: the split that it is one of.
        index: which.
        config: how it is spoilt.
        rng: draws everything.
        box: (x0, y0, x1, y1), the part that is looked at: segments elsewhere are left out.
    """
    photo = shapes.photos[index]
    shape = photo.label_map.shape
    color, owner, unknown = photo.photo.copy(), np.full(shape, MISSING, np.int32), np.zeros(shape, bool)
    for number, segment in enumerate(shapes.segments[index]):
        if not _meet(segment.box, box):
            continue
        donor = shapes.best_of(rng, Donor(index, number), config.donors)
        if donor is None:
            continue
        theirs = shapes.segments[donor.photo][donor.segment]
        cover = _cover(theirs, shapes.photos[donor.photo], shape)
        kept = segment.mask & cover[segment.window]
        owner[segment.window][kept] = number
        if rng.random() < config.transfer_share:
            part = color[segment.window]  # a view
            source, target = part[segment.mask], shapes.photos[donor.photo].photo[theirs.window][theirs.mask]
            part[segment.mask] = transferred(source, _some(rng, source), _some(rng, target), by=config.transfer)
        if config.label_noise:
            jut = cover.copy()
            jut[segment.window] |= _turned(segment.mask, rng.uniform(-1, 1) * config.label_noise)
            jut[segment.window] &= ~segment.mask
            unknown |= jut
    present = owner != MISSING
    band = boundary_band(owner, config.elision_band * shape[0])
    elided = band & present & (rng.random(shape) < config.elision_share)
    return Spoilt(color, present, elided, unknown)


def shown(color: np.ndarray, present: np.ndarray, elided: np.ndarray, *, white: bool) -> tuple[np.ndarray, np.ndarray]:
    """Returns canvas, uint8 (H, W, 3), and what of it counts as present, bool (H, W): as the network is given them.

    Where nothing is, the canvas is black. Elided pixels are white and present if `white`, else they are missing too.
    """
    seen = present if white else present & ~elided
    canvas = np.where(seen[..., None], color, np.uint8(0))
    if white:
        canvas[elided & present] = 255
    return canvas, seen


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _cover(segment: Segment, photo: LabelledPhoto, shape: tuple[int, ...]) -> np.ndarray:
    whole = segment.whole_mask((photo.label_map.shape[0], photo.label_map.shape[1]))
    if whole.shape != shape:
        whole = cut_map(whole, (0, 0, whole.shape[1], whole.shape[0]), (shape[1], shape[0]))
    return whole


def _turned(mask: np.ndarray, degrees: float) -> np.ndarray:
    """A mask turned about the middle of its box; what leaves the box is cut off."""
    turned: np.ndarray = ndimage.rotate(mask.astype(np.uint8), degrees, reshape=False, order=0) > 0
    return turned


def _some(rng: np.random.Generator, pixels: np.ndarray) -> np.ndarray:
    if len(pixels) <= _MOST_COLORS:
        return pixels
    chosen: np.ndarray = pixels[rng.integers(len(pixels), size=_MOST_COLORS)]
    return chosen


def _packed(segment: Segment, shape: tuple[int, int]) -> np.ndarray:
    """The mask on a small grid over the whole picture, bit-packed, uint8 (n,)."""
    rows = ((np.arange(_GRID[0]) + 0.5) * shape[0] / _GRID[0]).astype(int)
    columns = ((np.arange(_GRID[1]) + 0.5) * shape[1] / _GRID[1]).astype(int)
    return np.packbits(segment.whole_mask(shape)[rows[:, None], columns])


def classes_with_unknown(labels: np.ndarray, unknown: np.ndarray, num_classes: int) -> np.ndarray:
    """Returns class indices, int64 (H, W), `num_classes` where they are not known or no class at all (255)."""
    return np.where(unknown | (labels >= num_classes), num_classes, labels).astype(np.int64)
