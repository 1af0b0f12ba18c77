"""The blend of a draft: which neighbours are tied, how stiffly, and what difference is wanted."""

from __future__ import annotations

import numpy as np

from scenebrush.canvas.atlas import NOWHERE
from scenebrush.canvas.blending import Springs, solve
from scenebrush.canvas.draft import Draft

_ACROSS_CLASSES = np.float32(0.02)  # weight of a tie between two classes in the hole
_LARGEST_STEP = 40.0  # colour steps that are made up for across a seam; more is another content, not another light
_TRUST = 100.0  # colour steps off the others at which a known pixel is trusted half

_Window = tuple[slice, slice]


def blend(draft: Draft) -> None:
    """Blends the draft's copied pixels with one another and with the visible pixels around the hole.

    Wanted differences: the source's where two neighbours share an offset, the mean of both sources'
    across a seam inside a class, the copied one (weakly) across classes. Visible pixels of the same class
    hold what touches them.
    """
    soft = draft.soft
    if not soft.any():
        return
    rows, columns = np.flatnonzero(soft.any(axis=1)), np.flatnonzero(soft.any(axis=0))
    box = slice(rows[0] - 1, rows[-1] + 2), slice(columns[0] - 1, columns[-1] + 2)
    anchor = np.zeros(soft[box].shape, np.float32)
    charge, pull = np.zeros((3, *anchor.shape), np.float32), np.zeros((3, *anchor.shape), np.float32)
    weights = [_tie(draft, box, axis, charge) for axis in (1, 0)]
    for axis in (1, 0):
        first, second = _pair(axis)
        _hold(draft, box, first, second, anchor, pull)
        _hold(draft, box, second, first, anchor, pull)
    correction = solve(Springs(weights[0], weights[1], anchor), charge, pull).transpose(1, 2, 0)
    draft.values[box][soft[box]] += correction[soft[box]]


def soften(draft: Draft) -> None:
    """Takes the stairs off the edges between two classes that were filled apart: no lens draws an edge that sharp."""
    hard = np.zeros(draft.inside.shape, bool)
    seen = draft.classes != NOWHERE  # beyond the picture's border there is nothing to soften with
    for axis in (1, 0):
        p, q = _pair(axis)
        apart = (draft.classes[p] != draft.classes[q]) & (draft.shifts[p] != draft.shifts[q]) & seen[p] & seen[q]
        hard[p] |= apart
        hard[q] |= apart
    hard &= draft.inside
    rows, columns = np.nonzero(hard)
    mean, total = np.zeros((len(rows), 3), np.float32), np.zeros((len(rows), 1), np.float32)
    for dy, weight_y in ((-1, 0.25), (0, 0.5), (1, 0.25)):
        for dx, weight_x in ((-1, 0.25), (0, 0.5), (1, 0.25)):
            weight = np.float32(weight_y * weight_x) * seen[rows + dy, columns + dx, None]
            mean += weight * draft.values[rows + dy, columns + dx]
            total += weight
    draft.values[hard] = 0.5 * (draft.values[hard] + mean / total)


def _pair(axis: int) -> tuple[_Window, _Window]:
    """The two sides of all pairs of neighbours along an axis."""
    if axis:
        return (slice(None), slice(None, -1)), (slice(None), slice(1, None))
    return (slice(None, -1), slice(None)), (slice(1, None), slice(None))


def _indices(draft: Draft, box: _Window, side: _Window, mask: np.ndarray) -> np.ndarray:
    """The flat indices of the true pixels of one side of the pairs in a box."""
    rows, columns = np.nonzero(mask)
    top, left = (whole.start + (part.start or 0) for whole, part in zip(box, side, strict=True))
    indices: np.ndarray = (rows + top) * draft.inside.shape[1] + columns + left
    return indices


def _tie(draft: Draft, box: _Window, axis: int, charge: np.ndarray) -> np.ndarray:
    """Returns the weights between copied neighbours along an axis, and charges the seams.

    The unknown is what is added to the copy: a difference that is kept asks for 0.
    """
    p, q = _pair(axis)
    shifts, classes, soft = draft.shifts[box], draft.classes[box], draft.soft[box]
    both = soft[p] & soft[q]
    same = classes[p] == classes[q]
    seam = both & same & ((shifts[p] != shifts[q]) | (shifts[p] == 0))
    at_p, at_q = _indices(draft, box, p, seam), _indices(draft, box, q, seam)
    asked = 0.5 * (_excess(draft, at_p, at_q) - _excess(draft, at_q, at_p))
    np.clip(asked, -_LARGEST_STEP, _LARGEST_STEP, out=asked)
    charge[(slice(None), *p)][:, seam] += asked.T
    charge[(slice(None), *q)][:, seam] -= asked.T
    return np.where(both, np.where(same, np.float32(1), _ACROSS_CLASSES), np.float32(0))


def _excess(draft: Draft, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """How far the copies at flat pixels q lie above what the sources of their neighbours p would give them."""
    flat = draft.values.reshape(-1, 3)
    excess: np.ndarray = flat[q] - flat[p]
    shift, layer = draft.shifts.reshape(-1)[p], draft.layers.reshape(-1)[p]
    for number in np.unique(layer[layer >= 0]):
        sources = draft.sources[number]
        own = np.flatnonzero(layer == number)
        goes_on = own[sources.usable[q[own] + shift[own]]]
        excess[goes_on] = flat[q[goes_on]] - sources.values(q[goes_on], shift[goes_on])
    return excess


def _hold(draft: Draft, box: _Window, p: _Window, q: _Window, anchor: np.ndarray, pull: np.ndarray) -> None:
    """Anchors soft pixels `p` to visible neighbours `q` of their class, by the source's difference if there is one."""
    shifts, classes, labels = draft.shifts[box], draft.classes[box], draft.atlas.label_map[0][box]
    tied = draft.soft[box][p] & (labels[q] == classes[p])
    if not tied.any():
        return
    here, known, shift = _indices(draft, box, p, tied), _indices(draft, box, q, tied), shifts[p][tied]
    asked = _asked(draft, here, known, shift, draft.layers[box][p][tied])
    weight = _trust(asked, shift)
    anchor[p][tied] += weight
    pull[(slice(None), *p)][:, tied] += weight * asked.T


def _asked(draft: Draft, here: np.ndarray, known: np.ndarray, shift: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """What each known neighbour asks to be added to the copy, float32 (N, 3)."""
    photo = draft.atlas.photo.reshape(-1, 3)
    asked: np.ndarray = photo[known] - draft.values.reshape(-1, 3)[here]
    for number in np.unique(layer[layer >= 0]):
        sources = draft.sources[number]
        own = np.flatnonzero(layer == number)
        follows = own[sources.usable[known[own] + shift[own]]]
        asked[follows] = photo[known[follows]] - sources.values(known[follows], shift[follows])
    return asked


def _trust(asked: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """How far each known value is trusted, float32 (N,): little where it is an outlier among those of its shift.

    The rim of a hole may show remains of what was erased: its shadow, its reflection.
    """
    order = np.argsort(shift, kind="stable")
    middle = np.zeros_like(asked)
    for part in np.split(order, np.flatnonzero(np.diff(shift[order])) + 1):
        middle[part] = np.median(asked[part], axis=0)
    apart = np.abs(asked - middle).mean(axis=1)
    trust: np.ndarray = (1 / (1 + (apart / _TRUST) ** 4)).astype(np.float32)
    return trust
