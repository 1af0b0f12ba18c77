"""Holes in photos: their own pixels first, segments of the bank where no copy can give what is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from scenebrush.canvas import Canvas, compose
from scenebrush.canvas.collage import MISSING, Collage, boundary_band
from scenebrush.methods.sims.bank import Bank, Match, query_of
from scenebrush.methods.sims.choosing import Chosen, Found, Making
from scenebrush.methods.sims.config import SimsConfig
from scenebrush.methods.sims.networks import SimsNetworks
from scenebrush.methods.sims.order_pairs import coarse_order
from scenebrush.methods.sims.painting import Painter
from scenebrush.methods.sims.segments import Box, Segment, segments_of
from scenebrush.scene.edit import Edit
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene

_LEAST = 24  # pixels: smaller things are left to the network
_CANDIDATES = 80  # things whose shape fits best, among which the one is chosen that needs least done to it
_INSIDE = 0.5  # of a segment that has to lie in the hole for the bank to be asked


@dataclass(frozen=True, eq=False)
class Patched:
    """A photo with its hole filled as far as real pixels go.

    `color` uint8 (H, W, 3); `present` bool (H, W), false where nothing real is; `elided` bool (H, W), pixels in the
    hole that the network is to invent again.
    """

    color: np.ndarray
    present: np.ndarray
    elided: np.ndarray


def patch(
    scene: Scene, edit: Edit, bank: Bank, config: SimsConfig, networks: SimsNetworks | None, *, rank: int = 0
) -> Patched:
    """Returns the canvas of an edit.

    Args:
        scene: what is edited.
        edit: the hole is not the whole picture.
        bank: where objects come from, and stuff that the photo does not show.
        config: the model's.
        networks: as in `canvas.assemble`.
        rank: which of the best segments each object gets, 0 = the best; beyond the last one it begins again.
    """
    own = compose(scene, edit)
    hole = edit.hole
    collage = Collage(hole.shape)
    collage.color[:] = own.photo
    real = ~hole | own.copied | own.carried
    collage.owner[real] = 0
    collage.owner[own.carried] = 1
    collage.count = 2
    before = np.where(hole, -1, scene.layout.label_map)
    palette = {int(c): scene.photo[before == c] for c in np.unique(before) if c >= 0}
    making = Making(complete=False, elide=False, palette=palette)
    painter = Painter(edit.layout, bank, config, networks, making, None, collage=collage)
    order = coarse_order(edit.layout.label_set)
    for segment in sorted(_asked(edit, own), key=lambda s: (order.get(s.class_id, len(order)), s.box[3])):
        matches = tuple(best_objects(bank, edit.layout, segment, rank + 1))
        if matches:
            found = Found(segment, matches)
            within = hole & ~own.carried
            if edit.layout.label_set.by_id[segment.class_id].kind == "stuff":
                within &= ~own.copied  # the photo's own pixels first
            painter.paint(Chosen(found, (rank % len(matches),)), within=within)
    present = collage.owner != MISSING
    rim = boundary_band(collage.owner, config.elision_band * hole.shape[0]) & hole
    drawn = np.random.default_rng(rank).random(hole.shape)
    return Patched(collage.color, present, rim & (drawn < config.elision_share) & ~own.carried)


def candidates(scene: Scene, edit: Edit, bank: Bank, k: int) -> list[Sequence[Match]]:
    """Returns the k best segments for each place that `patch` asks the bank for, largest first."""
    asked = sorted(_asked(edit, compose(scene, edit)), key=lambda s: -s.area)
    return [best_objects(bank, edit.layout, segment, k) for segment in asked]


def best_objects(bank: Bank, layout: Layout, segment: Segment, k: int) -> list[Match]:
    """Returns the k best segments for a place in a photo, best first.

    Stuff is looked for where it lies (`Bank.find`). Things by their shape wherever they lie, for users put them where
    the bank's photos had none; of the best of those, ones are preferred that need little stretching and that are not
    cut off by the edge of their photo.
    """
    query = query_of(layout, segment, bank.match_size)
    if layout.label_set.by_id[segment.class_id].kind == "stuff":
        return bank.find(query, k)
    found = bank.find(query, max(_CANDIDATES, k), invariant=True)
    at_edge = _cut_off(segment.box, (layout.shape[1], layout.shape[0]))
    return sorted(found, key=lambda match: -_fit(match, segment, layout.shape, at_edge))[:k]


def _fit(match: Match, segment: Segment, shape: tuple[int, int], at_edge: bool) -> float:
    """How well a thing fits a place: the IoU of shapes, less what stretching it costs."""
    record = match.record
    (x0, y0, x1, y1), (a0, b0, a1, b1) = segment.box, record.box
    wide, high = (x1 - x0) / (a1 - a0), (y1 - y0) / (b1 - b0)
    larger = max(0.0, np.log(max(wide, high)))  # enlarged, it would be soft
    stretched = abs(np.log(wide / high))
    cut = _cut_off(record.box, record.photo_size) and not at_edge
    return float(match.mask_iou + 0.3 * match.context_iou - 0.35 * larger - 0.5 * stretched - 0.25 * cut)


def _cut_off(box: Box, size: tuple[int, int]) -> bool:
    """Whether a box touches the edge of its picture, (W, H)."""
    return box[0] <= 0 or box[1] <= 0 or box[2] >= size[0] or box[3] >= size[1]


def _asked(edit: Edit, own: Canvas) -> Iterator[Segment]:
    """The segments of the new layout that lie mostly in the hole, and that neither the photo nor a carry has whole."""
    for segment in segments_of(edit.layout, least_area=_LEAST):
        window = segment.window
        inside = segment.mask & edit.hole[window] & ~own.carried[window]
        if np.count_nonzero(inside) > _INSIDE * segment.area and (inside & ~own.copied[window]).any():
            yield segment
