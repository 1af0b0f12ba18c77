"""Rendering an edit of a photo of any size: windows around what is to be drawn, drawn and put back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from scenebrush.methods.sesame.hole_windows import STEP, Box, HoleWindow, hole_windows
from scenebrush.methods.sesame.inputs import Color, WindowArrays, collate
from scenebrush.methods.sesame.networks import WindowGenerator


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
    """Returns the photo, uint8 (H, W, 3), with its hole drawn; outside the hole it is `drawable.photo`.

    Window after window: each sees what those before it drew, and takes the rest of the hole for unknown.
    `hints` gives the colours asked for instances.
    """
    result, left = drawable.photo.copy(), drawable.hole.copy()
    for place in hole_windows(drawable.hole, drawable.things):
        window = place.window
        seen = replace(_cut(drawable, window), photo=result[window], hole=left[window])
        drawn, gate = _drawn(generator, seen, place, hints)
        part = place.part
        colors = drawn[part]
        if seen.guide is not None:  # mixed in at the photo's own resolution
            share = gate[part][:, None]
            colors = share * seen.guide[part] + (1 - share) * colors
        result[window][part] = np.rint(colors).astype(np.uint8)
        left[window][part] = False
    return result


def _cut(drawable: Drawable, window: Box) -> Drawable:
    cut: dict[str, Any] = {name: None if value is None else value[window] for name, value in vars(drawable).items()}
    return Drawable(**cut)


def _drawn(
    generator: WindowGenerator, seen: Drawable, place: HoleWindow, hints: Mapping[int, Color]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the network's picture of a window, float32 (h, w, 3) in 0-255, and the gate, float32 (h, w) in 0-1."""
    size = place.part.shape[0], place.part.shape[1]
    arrays = _scaled(seen, _network_size(size, place.scale))
    height, width = arrays.hole.shape
    device = next(generator.parameters()).device
    batch = collate([_padded(arrays, -height % STEP, -width % STEP)], hints=[hints]).to(device)
    with torch.inference_mode():
        drawing = generator(batch)
        # Beyond the hole the network draws anything: what is known stands there when the picture is made larger.
        drawn = torch.where(batch.hole > 0, drawing.drawn, batch.image)
        parts = torch.cat([(drawn + 1) / 2, drawing.gate], 1)[:, :, :height, :width]
        return _enlarged(parts, size)


def _enlarged(parts: Tensor, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    if parts.shape[2:] != size:
        parts = F.interpolate(parts, size, mode="bicubic", align_corners=False)
    pixels = parts[0].clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    return pixels[..., :3] * np.float32(255), pixels[..., 3]


def _network_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Returns (height, width) of what the network sees: the window's own size, or multiples of 16."""
    if scale == 1:
        return size
    height, width = (max(STEP, round(side * scale / STEP) * STEP) for side in size)
    return height, width


def _scaled(seen: Drawable, size: tuple[int, int]) -> WindowArrays:
    return WindowArrays(
        photo=_resized(seen.photo, size),
        labels=_nearest(seen.labels, size),
        instances=_nearest(seen.instances, size),
        hole=_covering(seen.hole, size),
        guide=_resized(seen.guide, size) if seen.guide is not None else None,
        copied=_nearest(seen.copied, size) if seen.copied is not None else None,
    )


def _padded(arrays: WindowArrays, bottom: int, right: int) -> WindowArrays:
    """Returns the arrays mirrored beyond their lower and right end, hole and all; objects end at the photo's edge."""
    if not bottom and not right:
        return arrays

    def mirrored(array: np.ndarray) -> np.ndarray:
        return np.pad(array, [(0, bottom), (0, right), (0, 0)][: array.ndim], mode="symmetric")

    padded: dict[str, Any] = {k: None if v is None else mirrored(v) for k, v in vars(arrays).items()}
    return WindowArrays(**{**padded, "instances": np.pad(arrays.instances, [(0, bottom), (0, right)])})


def _resized(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if image.shape[:2] == size:
        return image
    return np.asarray(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BICUBIC))


def _nearest(array: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if array.shape == size:
        return array
    rows = ((np.arange(size[0]) + 0.5) * array.shape[0] / size[0]).astype(int)
    columns = ((np.arange(size[1]) + 0.5) * array.shape[1] / size[1]).astype(int)
    resized: np.ndarray = array[rows[:, None], columns]
    return resized


def _covering(mask: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns the mask at a smaller size; a pixel that the mask touches at all is in it."""
    if mask.shape == size:
        return mask
    rows, columns = np.nonzero(mask)
    covering = np.zeros(size, bool)
    # Both ends of each pixel: one on the border of two small pixels touches both.
    for y in (rows * size[0] // mask.shape[0], ((rows + 1) * size[0] - 1) // mask.shape[0]):
        for x in (columns * size[1] // mask.shape[1], ((columns + 1) * size[1] - 1) // mask.shape[1]):
            covering[y, x] = True
    return covering
