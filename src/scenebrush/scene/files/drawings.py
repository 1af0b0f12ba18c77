"""Drawings: label maps that somebody painted, in colours that stand for classes.

An anti-aliased drawing has hundreds of colours and a handful of classes, and a JPEG of it thousands: rims are mixtures
of two neighbours, flat areas are noisy. Classes are the colours that fill areas; everything else belongs to one of
them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from scenebrush.errors import InputError, LabelError
from scenebrush.scene.files.color_names import color_name
from scenebrush.scene.files.paints import (
    NOISY,
    SAME,
    Paints,
    bins,
    calm_of,
    distances,
    lab_of,
    nearest_of,
    off_mixtures,
    peaks,
    without_one,
)
from scenebrush.scene.label_set import LabelClass, LabelSet
from scenebrush.scene.layout import Layout

LEAST_SHARE = 0.0005
"""A colour that covers less of the drawing than this, and is nowhere thick, is no class."""

_SPOT, _PATCH = np.ones((3, 3), bool), np.ones((5, 5), bool)
_THICK = 9  # pixels whose whole 3 x 3 surroundings are of the colour: a spot of 5 x 5
_MIXED = 48.0  # levels of RGB: what is nearer to the line between two classes' colours is a mixture of them
_CLEAN = 0.98  # share of the flat areas that the 40 commonest colours make up, in a drawing that was no JPEG
_FREQUENT = 1000  # bins of the histogram that a line's colour is looked for in
_LINES = 24  # colours of lines, at most
_FAR = 24.0  # Lab: a colour farther than this from all classes, and no mixture, is none of theirs
_PIXEL = 12.0  # Lab: what a pixel of distance counts when a rim is divided
_RIM = 0.01  # of the rim's pixels: a class that has no more of them does not touch it
_REACH = 8.0  # pixels: farther away is as good as nowhere


@dataclass(frozen=True, eq=False)
class Drawing:
    """What a drawing shows.

    Args:
        label_map: int32 (H, W), ids of `label_set`.
        label_set: the classes found, the largest first; ids count from 0, names are those of their colours. What
            touches the picture's rim is stuff, the rest are things. `to_json` makes a file of it that can be edited
            (names, kinds) and read by `LabelSet.load`.
        shares: of the picture, one per class.
    """

    label_map: np.ndarray
    label_set: LabelSet
    shares: tuple[float, ...]

    @property
    def layout(self) -> Layout:
        """The drawing as a layout."""
        return Layout(self.label_map, self.label_set)


def cluster_colors(drawing: np.ndarray, *, most: int = 12, name: str = "drawing") -> Drawing:
    """Returns the classes of a drawing and where they are.

    Args:
        drawing: uint8 (H, W, 3), anti-aliased or noisy as it may be.
        most: there are no more classes than this; the nearest colours are made one until that holds.
        name: of the label set.

    Raises:
        InputError: no uint8 (H, W, 3), or fewer than 1 class allowed.
    """
    _check(drawing)
    if most < 1:
        raise InputError(f"a drawing of at most {most} classes cannot be; allow 1 or more")
    paints = _paints_of(drawing)
    while len(paints.rgb) > most:
        paints = without_one(paints)
    labels = _divided(drawing, paints)
    counts = np.bincount(labels.ravel(), minlength=len(paints.rgb))
    order = [int(i) for i in np.argsort(-counts, kind="stable") if counts[i]]
    position = np.zeros(len(counts), np.int32)
    position[order] = np.arange(len(order))
    names = _unique([color_name(paints.rgb[i]) for i in order])
    rim = _on_rim(labels, len(counts))
    classes = tuple(
        LabelClass(new, text, _triple(paints.rgb[old]), "stuff" if rim[old] else "thing")
        for new, (old, text) in enumerate(zip(order, names, strict=True))
    )
    shares = tuple(float(counts[i] / labels.size) for i in order)
    return Drawing(position[labels], LabelSet(name, classes), shares)


def _on_rim(labels: np.ndarray, count: int) -> np.ndarray:
    """Returns which classes touch the picture's rim with more than a few pixels, bool (count,)."""
    rim = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    touching: np.ndarray = np.bincount(rim, minlength=count) > _RIM * len(rim)
    return touching


def labels_of(drawing: np.ndarray, label_set: LabelSet, *, source: str = "the drawing") -> np.ndarray:
    """Returns the label map, int32 (H, W), of a later drawing in the colours of these classes.

    Args:
        drawing: uint8 (H, W, 3).
        label_set: its classes' colours are the drawing's.
        source: the file, for messages.

    Raises:
        InputError: no uint8 (H, W, 3).
        LabelError: a colour that is none of the classes' nor a mixture of two: which, in how many pixels, and where.
    """
    _check(drawing)
    paints = Paints(np.array([c.color for c in label_set.classes], np.float64), np.zeros(len(label_set.classes)))
    foreign = _foreign(drawing, paints) | _foreign_areas(drawing, paints)
    if np.count_nonzero(foreign) >= max(1, LEAST_SHARE * foreign.size):
        raise LabelError(_foreign_message(drawing, foreign, label_set, paints, source))
    ids: np.ndarray = np.array(label_set.ids, np.int32)[_divided(drawing, paints)]
    return ids


def _paints_of(drawing: np.ndarray) -> Paints:
    """The colours that fill areas, then those of lines."""
    smooth = ndimage.median_filter(drawing, size=(3, 3, 1), mode="nearest")
    calm = calm_of(smooth)
    noisy = calm.any() and _is_noisy(drawing[calm])
    paints = peaks(smooth[calm] if calm.any() else drawing.reshape(-1, 3), NOISY if noisy else SAME)
    paints = _thick_ones(smooth, calm, paints)
    least = max(1, round(LEAST_SHARE * drawing[..., 0].size))
    for _ in range(_LINES):
        foreign = _foreign(drawing, paints)
        found = _line_color(drawing[foreign], paints.lab, least)
        if found is None:
            break
        paints = Paints(np.vstack([paints.rgb, found]), np.append(paints.counts, foreign.sum()))
    return paints


def _is_noisy(pixels: np.ndarray) -> bool:
    """Whether flat areas, uint8 (N, 3), have many colours."""
    codes = pixels.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
    counts = np.unique(codes, return_counts=True)[1]
    return bool(np.sort(counts)[-40:].sum() < _CLEAN * len(codes))


def _thick_ones(smooth: np.ndarray, calm: np.ndarray, paints: Paints) -> Paints:
    """Leaves out what is only the seam of two others, or next to nothing; the most frequent colours stay."""
    nearest = nearest_of(smooth, paints.lab)
    kept: list[int] = []
    for index in np.argsort(-paints.counts, kind="stable"):
        here = nearest == index
        share = (here & calm).mean()
        mixed = len(kept) > 1 and off_mixtures(paints.rgb[index][None], paints.rgb[kept])[0] < _MIXED
        if kept and (mixed or share < LEAST_SHARE):
            needed = max(_THICK, (4 * LEAST_SHARE if mixed else 0) * here.size)
            if ndimage.binary_erosion(here, _SPOT).sum() < needed:
                continue
        kept.append(int(index))
    return Paints(paints.rgb[kept], paints.counts[kept])


def _foreign(drawing: np.ndarray, paints: Paints) -> np.ndarray:
    """Where a colour is far from all classes' and no mixture of two: bool (H, W)."""
    means, _, inverse = bins(drawing.reshape(-1, 3))
    far = distances(lab_of(means), paints.lab).min(axis=1) > _FAR
    far[far] = off_mixtures(means[far], paints.rgb) > _MIXED
    foreign: np.ndarray = far[inverse].reshape(drawing.shape[:2])
    return foreign


def _foreign_areas(drawing: np.ndarray, paints: Paints) -> np.ndarray:
    """Where a flat area has another colour than all classes, be it a mixture of two: bool (H, W)."""
    smooth = ndimage.median_filter(drawing, size=(3, 3, 1), mode="nearest")
    means, _, inverse = bins(smooth.reshape(-1, 3))
    other = (distances(lab_of(means), paints.lab).min(axis=1) > 2 * SAME)[inverse].reshape(drawing.shape[:2])
    areas: np.ndarray = ndimage.binary_opening(other & calm_of(smooth), _PATCH)
    return areas


def _foreign_message(drawing: np.ndarray, foreign: np.ndarray, label_set: LabelSet, paints: Paints, source: str) -> str:
    means, counts, inverse = bins(drawing[foreign])
    commonest = int(counts.argmax())
    rows, columns = np.nonzero(foreign)
    first = int(np.flatnonzero(inverse == commonest)[0])
    nearest = label_set.classes[int(distances(lab_of(means[commonest])[None], paints.lab)[0].argmin())]
    return (
        f"{source} has the colour {_hex(means[commonest])} in {len(rows)} pixels (one at x {columns[first]},"
        f" y {rows[first]}), which is no class of label set {label_set.name!r}; nearest is {nearest.name!r},"
        f" {_hex(np.array(nearest.color))}: recolour it, or add a class of that colour"
    )


def _line_color(pixels: np.ndarray, known: np.ndarray, least: int) -> np.ndarray | None:
    """The colour of lines among pixels (N, 3): of the frequent ones the farthest from what is known, or None."""
    if len(pixels) < least:
        return None
    means, counts, _ = bins(pixels)
    most = np.argsort(-counts, kind="stable")[:_FREQUENT]
    lab, counts = lab_of(means[most]), counts[most]
    near = (distances(lab, lab) < SAME) @ counts  # pixels of about this colour
    frequent = near >= max(least / 2, near.max() / 4)
    away = np.where(frequent, distances(lab, known).min(axis=1), -1)
    best = int(away.argmax())
    if away[best] < 0:
        return None
    members = distances(lab_of(pixels.astype(np.float64)), lab[best][None])[:, 0] < SAME
    return np.asarray(np.median(pixels[members], axis=0))


def _divided(drawing: np.ndarray, paints: Paints) -> np.ndarray:
    """Every pixel's class, int32 (H, W): in flat areas the nearest colour, on rims the nearest in colour and place."""
    means, _, inverse = bins(drawing.reshape(-1, 3))
    off = distances(lab_of(means), paints.lab)
    flat = off.argmin(axis=1)[inverse].reshape(drawing.shape[:2])
    near = (off.min(axis=1) < SAME)[inverse].reshape(flat.shape)
    sure = _sure(flat, near, calm_of(drawing), paints.rgb)
    best: np.ndarray = flat
    cost: np.ndarray = np.where(sure, -1.0, np.inf)
    for index in range(len(paints.rgb)):
        there = sure & (flat == index)
        away = ndimage.distance_transform_edt(~there) if there.any() else np.full(flat.shape, _REACH)
        here = off[inverse, index].reshape(flat.shape) + _PIXEL * np.minimum(away, _REACH)
        best, cost = np.where(here < cost, index, best), np.minimum(here, cost)
    labels: np.ndarray = best.astype(np.int32)
    return labels


def _sure(flat: np.ndarray, near: np.ndarray, calm: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """Where the nearest colour is the class: flat areas, and lines, whose colour no two neighbours mix to."""
    sure: np.ndarray = calm | near
    close = [ndimage.binary_dilation(calm & (flat == k), _PATCH) for k in range(len(rgb))]
    for first, second in zip(*np.triu_indices(len(rgb), 1), strict=True):
        between = off_mixtures(rgb, rgb[[first, second]]) < _MIXED
        between[[first, second]] = False
        if between.any():
            sure &= calm | ~(between[flat] & close[first] & close[second])
    return sure


def _unique(names: list[str]) -> list[str]:
    """Numbers what occurs again: red, red-2, red-3."""
    return [f"{n}-{names[:i].count(n) + 1}" if n in names[:i] else n for i, n in enumerate(names)]


def _triple(rgb: np.ndarray) -> tuple[int, int, int]:
    r, g, b = (int(v) for v in np.rint(rgb).clip(0, 255))
    return r, g, b


def _hex(rgb: np.ndarray) -> str:
    return "#" + bytes(_triple(rgb)).hex()


def _check(drawing: np.ndarray) -> None:
    if drawing.dtype != np.uint8 or drawing.ndim != 3 or drawing.shape[2] != 3 or not drawing.size:
        raise InputError(f"a drawing is uint8 (H, W, 3), RGB; this one is {drawing.dtype} {drawing.shape}")
