"""What a photo itself tells of the object in a box, before anything is learned: three cues, no weights, no torch.

* Barrier: how large a step in colour must be crossed on the best way from outside the box (minimum barrier distance,
  Strand et al. 2013; in sweeps as Zhang et al., ICCV 2015). What runs into the box without a step is background.
* Colour: how much more common a pixel's colour is in the object than around it, by two histograms that are refitted to
  the object found so far (the idea of GrabCut, Rother et al. 2004).
* Place: objects fill the middle of their boxes more than the corners.

What they say is smoothed among pixels that lie near each other and have like colours (a bilateral filter, Tomasi and
Manduchi 1998), in which everything outside the box counts as background.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from scenebrush.canvas.color import lab_of

_ROUNDS = 2  # of four sweeps each; a third changes next to nothing
_FAR = 1e4  # more than any barrier in Lab
_TOP = 0.95  # quantile of the barrier in a box that counts as 1
_BINS = 16  # of a colour channel
_BLUR = 0.8  # bins
_LEAST = 1e-6  # share of a colour that was never seen
_REFITS = 2
_OFFSETS = (-3, -2, -1, 0, 1, 2, 3)  # of neighbours, in steps
_STEPS = 48  # a step is the crop's side by this
_NEAR, _ALIKE = 2.5, 8.0  # deviations of the filter: steps, and Lab
_SMOOTHINGS = 2
_SURE = 4.0  # largest logit that is handed on: one that is very sure would drown its neighbours
_COLOR, _BARRIER, _PLACE, _THRESHOLD, _SHARPNESS = 0.5, 2.0, 2.0, 0.8, 4.0


@dataclass(frozen=True, eq=False)
class BoxEvidence:
    """Cues of a batch of crops, each float32 (B, H, W).

    Args:
        barrier: 0 outside the box, about 1 where the step is among the largest in it; at most 1.5.
        color: log of how much more common the colour is in the object than outside, in [-8, 8].
        place: 1 in the middle of the box, 0 on the ellipse that touches its sides, below 0 in its corners; at least -1.
        logits: of all three, smoothed, in [-4, 4]; above 0 = rather object. Outside the box they are -4.
    """

    barrier: np.ndarray
    color: np.ndarray
    place: np.ndarray
    logits: np.ndarray


def box_evidence(photos: np.ndarray, boxes: np.ndarray) -> BoxEvidence:
    """Returns the cues of crops with some surroundings around their boxes.

    Args:
        photos: uint8 (B, H, W, 3) RGB.
        boxes: bool (B, H, W), true inside each crop's box. One that is empty, or all of the crop, gives no cue but
            place.
    """
    colors = lab_of(photos).astype(np.float32)
    barrier = _relative(barrier_distance(colors, boxes), boxes)
    neighbours = _Neighbours(colors)
    place = box_place(boxes)
    bins = _color_bins(photos)
    weight = boxes.astype(np.float32)
    for _ in range(_REFITS):
        color = _color_ratio(bins, weight)
        score = _BARRIER * barrier + _COLOR * color + _PLACE * place - _THRESHOLD
        logits = neighbours.smoothed(_SHARPNESS * score, boxes)
        weight = boxes / (1 + np.exp(-logits.clip(-30, 30)))
    return BoxEvidence(barrier, color, place, logits)


class _Neighbours:
    """Which pixels near each other are alike, in crops of Lab colours (B, H, W, 3)."""

    def __init__(self, colors: np.ndarray) -> None:
        self.step = max(1, round(max(colors.shape[1:3]) / _STEPS))
        planes = np.moveaxis(colors, -1, 0)
        shifts = [(y * self.step, x * self.step) for y in _OFFSETS for x in _OFFSETS]
        self.weights = {}
        for shift in shifts:
            apart = np.square(planes - self._shifted(planes, shift)).sum(0)
            away = (shift[0] ** 2 + shift[1] ** 2) / (2 * (_NEAR * self.step) ** 2)
            self.weights[shift] = np.exp(-apart / (2 * _ALIKE**2) - away)
        self.total = sum(self.weights.values())

    def smoothed(self, logits: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        """Returns logits (B, H, W) in [-4, 4], averaged over pixels alike; outside the boxes they are -4."""
        said = np.where(boxes, logits.clip(-_SURE, _SURE), -_SURE).astype(np.float32)
        for _ in range(_SMOOTHINGS):
            added = np.zeros_like(said)
            for shift, weight in self.weights.items():
                added += weight * self._shifted(said, shift)
            said = np.where(boxes, added / self.total, np.float32(-_SURE))
        return said

    def _shifted(self, planes: np.ndarray, shift: tuple[int, int]) -> np.ndarray:
        """The planes (..., H, W) with each pixel's neighbour in its place; edges go on."""
        rows, columns = (
            (np.arange(planes.shape[axis]) + by).clip(0, planes.shape[axis] - 1)
            for axis, by in zip((-2, -1), shift, strict=True)
        )
        shifted: np.ndarray = planes[..., rows[:, None], columns]
        return shifted


def barrier_distance(colors: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Returns for each pixel of boxes the smallest range of colours on a way from outside, summed over channels.

    Sweeps down, up, right and left, twice; ways that wind more often are not found.

    Args:
        colors: float32 (B, H, W, C).
        boxes: bool (B, H, W).

    Returns:
        float32 (B, H, W), 0 outside the boxes and wherever no way leads outside.
    """
    values = np.ascontiguousarray(np.moveaxis(colors, -1, 1), np.float32)
    inside = np.broadcast_to(boxes[:, None], values.shape)
    state = np.stack([np.where(inside, np.float32(_FAR), np.float32(0)), values, values])
    for _ in range(_ROUNDS):
        for flipped, turned in ((False, False), (True, False), (False, True), (True, True)):
            _sweep(_seen_from(state, flipped, turned), _seen_from(values, flipped, turned))
    distance = state[0]
    return np.where(boxes, np.where(distance < _FAR, distance, 0).sum(1), 0).astype(np.float32)


def box_place(boxes: np.ndarray) -> np.ndarray:
    """Returns 1 - r, at least -1, with r the distance from a box's middle, 1 on the ellipse that touches its sides.

    `boxes` is bool (B, H, W); float32 (B, H, W).
    """
    offsets = []
    for axis in (1, 2):
        along = boxes.any(axis=3 - axis)
        count = np.maximum(along.sum(1, keepdims=True), 1)
        positions = np.arange(along.shape[1], dtype=np.float32)
        middle = (along * positions).sum(1, keepdims=True) / count
        offsets.append((positions - middle) / (count / 2))
    radius = np.hypot(offsets[0][:, :, None], offsets[1][:, None])
    place: np.ndarray = (1 - radius).clip(-1, 1).astype(np.float32)
    return place


def _seen_from(array: np.ndarray, flipped: bool, turned: bool) -> np.ndarray:
    """A view (..., rows, columns) whose rows run the way that a sweep goes."""
    seen = array.swapaxes(-1, -2) if turned else array
    return seen[..., ::-1, :] if flipped else seen


def _sweep(state: np.ndarray, values: np.ndarray) -> None:
    """Hands the ways on from row to row: straight and to both sides. Changes `state` (distance, highest, lowest)."""
    width = values.shape[-1]
    for row in range(1, values.shape[-2]):
        here, before, value = state[..., row, :], state[..., row - 1, :], values[..., row, :]
        for shift in (0, -1, 1):
            to = slice(max(shift, 0), width + min(shift, 0))
            come = slice(max(-shift, 0), width + min(-shift, 0))
            highest = np.maximum(before[1][..., come], value[..., to])
            lowest = np.minimum(before[2][..., come], value[..., to])
            found = np.where(before[0][..., come] < _FAR, highest - lowest, np.float32(_FAR))
            better = found < here[0][..., to]
            for plane, new in zip(here, (found, highest, lowest), strict=True):
                np.copyto(plane[..., to], new, where=better)


def _relative(barrier: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    tops = [np.quantile(b[box], _TOP) if box.any() else 1.0 for b, box in zip(barrier, boxes, strict=True)]
    relative: np.ndarray = (barrier / np.maximum(tops, 1.0)[:, None, None]).clip(0, 1.5).astype(np.float32)
    return relative


def _color_bins(photos: np.ndarray) -> np.ndarray:
    """Returns the number of each pixel's colour, (B, H, W)."""
    steps = photos.astype(np.int64) * _BINS // 256
    return (steps[..., 0] * _BINS + steps[..., 1]) * _BINS + steps[..., 2]


def _color_ratio(bins: np.ndarray, weight: np.ndarray) -> np.ndarray:
    ratios = [
        (_log_shares(numbers, inside) - _log_shares(numbers, 1 - inside))[numbers]
        for numbers, inside in zip(bins, weight, strict=True)
    ]
    ratio: np.ndarray = np.stack(ratios).clip(-8, 8).astype(np.float32)
    return ratio


def _log_shares(numbers: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Returns the log of how common each colour is among weighted pixels, (_BINS ** 3,)."""
    counts = np.bincount(numbers.ravel(), weight.ravel(), _BINS**3).reshape((_BINS,) * 3)
    smooth = ndimage.gaussian_filter(counts, _BLUR, mode="constant").ravel()
    shares: np.ndarray = np.log(smooth / max(smooth.sum(), 1.0) + _LEAST)
    return shares
