"""Rendering an edit of a photo of any size: windows around what is to be drawn, drawn and put back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torch.nn import functional as F

from scenebrush.methods.sesame.inputs import WindowArrays, collate
from scenebrush.methods.sesame.networks import WindowGenerator

LEAST_WINDOW = 128  # pixels of the photo: the scale that the network was trained at
MOST_DRAWN = 256  # longest side that the network sees where it draws objects: larger ones are drawn smaller
MOST_COPIED = 512  # the same where it only mends what the canvas copied: texture must keep its size
STEP = 16  # the generator's sizes are multiples of this

Color = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Drawable:
    """What is to be drawn onto a photo, all (H, W, ...).

    Args:
        photo: uint8, everything outside `hole` as it is to stay (carried objects already in place).
        labels: int32 class indices after the edit.
        instances: int32 after the edit, 0 = none.
        hole: bool, what the network draws.
        guide, copied: the canvas (`canvas.Fill`), or None: unguided.
        things: bool, where a thing class is asked for.
    """

    photo: np.ndarray
    labels: np.ndarray
    instances: np.ndarray
    hole: np.ndarray
    guide: np.ndarray | None
    copied: np.ndarray | None
    things: np.ndarray


def draw(generator: WindowGenerator, drawable: Drawable, hints: Mapping[int, Color]) -> np.ndarray:
    """Returns the photo, uint8 (H, W, 3), with its hole drawn; outside the hole it is `drawable.photo`."""
    result = drawable.photo.copy()
    for part, window in hole_windows(drawable.hole):
        most = MOST_DRAWN if (drawable.things[window] & part).any() else MOST_COPIED
        result[window][part] = _draw_window(generator, drawable, window, most, hints)[part]
    return result


def hole_windows(hole: np.ndarray) -> list[tuple[np.ndarray, tuple[slice, slice]]]:
    """Returns the hole in parts that lie apart: per part its mask within its window, and the window.

    A window holds its part with context on every side (a third of the part's longer side, at least 24 pixels,
    and at least 128 pixels in all), as far as the photo goes.
    """
    clusters, count = ndimage.label(ndimage.maximum_filter(hole, 17))
    parts = []
    for index, around in enumerate(ndimage.find_objects(clusters, max_label=count)):
        mask = hole[around] & (clusters[around] == index + 1)
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        y = (around[0].start + rows[0], around[0].start + rows[-1] + 1)
        x = (around[1].start + columns[0], around[1].start + columns[-1] + 1)
        margin = max(24, max(y[1] - y[0], x[1] - x[0]) // 3)
        window = (_with_context(*y, margin, hole.shape[0]), _with_context(*x, margin, hole.shape[1]))
        parts.append((hole[window] & (clusters[window] == index + 1), window))
    return parts


def _with_context(begin: int, end: int, margin: int, limit: int) -> slice:
    missing = max(0, LEAST_WINDOW - (end - begin + 2 * margin))
    begin, end = begin - margin - missing // 2, end + margin + (missing + 1) // 2
    if begin < 0:  # shift into the photo before cutting off
        begin, end = 0, end - begin
    if end > limit:
        begin, end = max(0, begin - (end - limit)), limit
    return slice(begin, end)


def _draw_window(
    generator: WindowGenerator, drawable: Drawable, window: tuple[slice, slice], most: int, hints: Mapping[int, Color]
) -> np.ndarray:
    """Returns uint8 pixels of the window, (h, w, 3)."""
    height, width = drawable.hole[window].shape
    scale = min(1.0, most / max(height, width))
    size = (max(STEP, round(height * scale)), max(STEP, round(width * scale)))
    arrays = WindowArrays(
        photo=_resized(drawable.photo[window], size),
        labels=_nearest(drawable.labels[window], size),
        instances=_nearest(drawable.instances[window], size),
        hole=_covering(drawable.hole[window], size),
        guide=_resized(drawable.guide[window], size) if drawable.guide is not None else None,
        copied=_nearest(drawable.copied[window], size) if drawable.copied is not None else None,
    )
    bottom, right = -size[0] % STEP, -size[1] % STEP
    device = next(generator.parameters()).device
    batch = collate([_padded(arrays, bottom, right)], hints=[dict(hints)]).to(device)
    with torch.no_grad():
        drawing = generator(batch)
    parts = torch.cat([drawing.drawn, drawing.gate], 1)[:, :, : size[0], : size[1]]
    if size != (height, width):
        parts = F.interpolate(parts, (height, width), mode="bicubic", align_corners=False)
    drawn = ((parts[0, :3].permute(1, 2, 0).cpu().numpy() + 1) * 127.5).clip(0, 255)
    if drawable.guide is None:
        return np.rint(drawn).astype(np.uint8)
    gate = parts[0, 3].cpu().numpy().clip(0, 1)[..., None]  # the guide is mixed in at the photo's own resolution
    return np.rint(gate * drawable.guide[window] + (1 - gate) * drawn).astype(np.uint8)


def _padded(arrays: WindowArrays, bottom: int, right: int) -> WindowArrays:
    """Returns the arrays mirrored beyond their lower and right end; the hole is not continued there."""

    def pad(array: np.ndarray) -> np.ndarray:
        return np.pad(array, [(0, bottom), (0, right)] + [(0, 0)] * (array.ndim - 2), mode="symmetric")

    hole = np.pad(arrays.hole, [(0, bottom), (0, right)])
    guide = pad(arrays.guide) if arrays.guide is not None else None
    copied = pad(arrays.copied) if arrays.copied is not None else None
    return WindowArrays(pad(arrays.photo), pad(arrays.labels), pad(arrays.instances), hole, guide, copied)


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if image.shape[:2] == size:
        return image
    return np.asarray(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BICUBIC))


def _nearest(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if array.shape == size:
        return array
    rows = ((np.arange(size[0]) + 0.5) * array.shape[0] / size[0]).astype(int)
    columns = ((np.arange(size[1]) + 0.5) * array.shape[1] / size[1]).astype(int)
    return array[rows[:, None], columns]


def _covering(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns the mask at another size; a pixel that the mask touches at all is in it."""
    if mask.shape == size:
        return mask
    share = Image.fromarray(mask.astype(np.float32), mode="F").resize((size[1], size[0]), Image.Resampling.BOX)
    return np.asarray(share) > 1e-3
