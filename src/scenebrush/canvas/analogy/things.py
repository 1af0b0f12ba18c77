"""Things that an edit asks for and that nothing brings, made of what the photo shows: others of their class, if any."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from scenebrush.canvas.analogy.rendering import Analogy
from scenebrush.scene.edit import Edit
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene

_LEAST_PIXELS = 60  # of a thing that others are made of
_AROUND = 64  # pixels around what is wanted that are looked at, or as many as it is wide or tall
_RIM = 2  # pixels around things that are made along with them
_LARGEST = 400_000  # pixels that are searched; where all things of the classes span more, only what is near is searched

Window = tuple[slice, slice]


def draw_things(
    scene: Scene, edit: Edit, picture: np.ndarray, *, carried: np.ndarray | None = None, seed: int = 0
) -> np.ndarray:
    """Returns the picture of an edit, uint8 (H, W, 3), with its hole's things made by analogy.

    What the photo shows inside the hole is not looked at. Of a class that is seen nowhere, what fits best is taken.

    Args:
        scene: what is edited.
        edit: the edit.
        picture: uint8 (H, W, 3), what there is so far.
        carried: bool (H, W), pixels that an object was carried to; they stay.
        seed: of the search.
    """
    wanted = edit.hole if carried is None else edit.hole & ~carried
    things = wanted & edit.layout.label_set.is_kind(edit.layout.label_map, "thing")
    if not things.any():
        return picture
    window = _searched(scene.layout, edit, things)
    usable = ~edit.hole[window]
    if not usable.any():
        return picture
    start = np.where(usable[..., None], scene.photo[window], np.uint8(0))
    made = Analogy(start, _cut(scene.layout, window), usable).render(_cut(edit.layout, window), seed=seed).picture
    shown = ndimage.binary_dilation(things[window], iterations=_RIM) & wanted[window]
    drawn = picture.copy()
    drawn[window][shown] = made[shown]
    return drawn


def _searched(layout: Layout, edit: Edit, things: np.ndarray) -> Window:
    """The part of the photo around what is wanted and, if that is not too much, around all things of its classes."""
    near = _window(things)
    seen = np.isin(layout.label_map, np.unique(edit.layout.label_map[things])) & ~edit.hole
    numbers, count = ndimage.label(seen, np.ones((3, 3)))
    if not count:
        return near
    areas = ndimage.sum_labels(seen, numbers, range(count + 1))
    whole = _window(things | (areas >= _LEAST_PIXELS)[numbers])
    tall, wide = (min(s.stop, n) - s.start for s, n in zip(whole, layout.shape, strict=True))
    return whole if tall * wide <= _LARGEST else near


def _window(mask: np.ndarray) -> Window:
    """The box of a mask, with what lies around it."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return _grown(int(rows[0]), int(rows[-1]) + 1), _grown(int(columns[0]), int(columns[-1]) + 1)


def _grown(first: int, last: int) -> slice:
    more = max(_AROUND, last - first)
    return slice(max(0, first - more), last + more)


def _cut(layout: Layout, window: Window) -> Layout:
    instances = None if layout.instance_map is None else layout.instance_map[window]
    return Layout(layout.label_map[window], layout.label_set, instances)
