"""Holes: which pixels of a window are to be made anew.

Every generator is a pure function of its arguments and a `numpy.random.Generator`. Boxes are
`(x0, y0, x1, y1)` in pixels, ends exclusive; holes are bool (H, W), true = to be made anew.
"""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

Box = tuple[int, int, int, int]


def longer_side(box: Box) -> int:
    """Returns the longer side of a box in pixels."""
    return max(box[2] - box[0], box[3] - box[1])


def box_of(mask: np.ndarray) -> Box:
    """Returns the axis-aligned box of the true pixels of a bool (H, W); (0, 0, 0, 0) where none is true."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


# The papers' box protocol (Hong et al. 2018, SESAME 2020).


def context_window(
    box: Box, image_size: tuple[int, int], *, factor: float = 3.0, shift: tuple[float, float] = (0.0, 0.0)
) -> Box:
    """Returns the square window around a box: side = min(factor x longer side, W, H), shifted, kept inside the image.

    Args:
        box: the object's box.
        image_size: (W, H).
        factor: context; the papers use 3.
        shift: (dx, dy) in pixels, the papers' training jitter (`context_shift`).
    """
    center = (box[0] + box[2]) / 2 + shift[0], (box[1] + box[3]) / 2 + shift[1]
    return square_window(center, int(factor * longer_side(box)), image_size)


def square_window(center: tuple[float, float], side: int, image_size: tuple[int, int]) -> Box:
    """Returns a square window of this side (at most W and H) about `center` (x, y), moved to lie inside the image."""
    width, height = image_size
    side = max(1, min(side, width, height))
    x0 = min(max(int(center[0] - side / 2), 0), width - side)
    y0 = min(max(int(center[1] - side / 2), 0), height - side)
    return x0, y0, x0 + side, y0 + side


def context_shift(
    rng: np.random.Generator, box: Box, image_size: tuple[int, int], *, factor: float = 3.0
) -> tuple[float, float]:
    """Returns the papers' training shift: uniform within +-min((factor - 1) x longer side, short side of image) / 4."""
    limit = min((factor - 1) * longer_side(box), *image_size) / 4
    dx, dy = rng.uniform(-limit, limit, 2)
    return float(dx), float(dy)


def background_box(rng: np.random.Generator, image_size: tuple[int, int], sides: tuple[int, int]) -> Box:
    """Returns a box anywhere in the image, each side uniform in `sides` (both ends included)."""
    width, height = (min(int(rng.integers(sides[0], sides[1] + 1)), limit) for limit in image_size)
    x0, y0 = int(rng.integers(image_size[0] - width + 1)), int(rng.integers(image_size[1] - height + 1))
    return x0, y0, x0 + width, y0 + height


def box_hole(box: Box, window: Box, size: int) -> np.ndarray:
    """Returns bool (size, size): the box in a window that is resized to `size`; corners truncated to whole pixels."""
    x_scale, y_scale = size / (window[2] - window[0]), size / (window[3] - window[1])
    x0, x1 = (min(max(int((x - window[0]) * x_scale), 0), size) for x in (box[0], box[2]))
    y0, y1 = (min(max(int((y - window[1]) * y_scale), 0), size) for y in (box[1], box[3]))
    hole = np.zeros((size, size), bool)
    hole[y0:y1, x0:x1] = True
    return hole


# Free forms.


def stroke_hole(
    rng: np.random.Generator,
    shape: tuple[int, int],
    *,
    strokes: tuple[int, int] = (12, 16),
    segments: tuple[int, int] = (1, 5),
    turn: float = 3.0,
    length: tuple[float, float] = (10, 49),
    width: tuple[float, float] = (10, 19),
) -> np.ndarray:
    """Returns brush strokes, bool (H, W).

    Args:
        shape: (H, W).
        strokes, segments: how many, ends included (the papers' numbers by default).
        turn: the direction changes by 0 to `turn` radians from segment to segment.
        length, width: of a segment, in pixels of a 256-pixel window; scaled to this one.
    """
    scale = min(shape) / 256
    picture = Image.new("L", (shape[1], shape[0]))
    draw = ImageDraw.Draw(picture)
    for _ in range(rng.integers(strokes[0], strokes[1] + 1)):
        steps = int(rng.integers(segments[0], segments[1] + 1))
        angles = rng.uniform(0, 2 * math.pi) + np.cumsum(rng.uniform(0, turn, steps))
        moves = rng.uniform(*length, steps)[:, None] * scale * np.stack([np.cos(angles), np.sin(angles)], 1)
        start = rng.uniform(0, 1, 2) * (shape[1], shape[0])
        _draw_stroke(draw, np.vstack([start, start + np.cumsum(moves, 0)]), rng.uniform(*width) * scale)
    return np.asarray(picture) > 0


def _draw_stroke(draw: ImageDraw.ImageDraw, points: np.ndarray, width: float) -> None:
    draw.line([(x, y) for x, y in points.tolist()], fill=255, width=max(1, round(width)))
    radius = width / 2
    for x, y in points.tolist():
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> np.ndarray:
    """Returns smooth noise, float32 (H, W) in [-1, 1], whose bumps are about `cell` pixels wide."""
    grid = (max(2, math.ceil(shape[0] / cell)), max(2, math.ceil(shape[1] / cell)))
    coarse = Image.fromarray(rng.uniform(-1, 1, grid).astype(np.float32))
    fine = coarse.resize((shape[1], shape[0]), Image.Resampling.BICUBIC)
    noise: np.ndarray = np.clip(np.asarray(fine), -1, 1)
    return noise


# Silhouettes: what a user paints who knows what goes.


def silhouette_hole(
    rng: np.random.Generator,
    silhouette: np.ndarray,
    *,
    dilate: tuple[float, float] = (0.02, 0.12),
    roughness: float = 1.0,
    below: float = 0.12,
) -> np.ndarray:
    """Returns the silhouette, dilated by a random amount with a rough rim; it covers the object and its gaps.

    Args:
        silhouette: bool (H, W), the object's own pixels.
        dilate: range of the mean dilation, as a share of the object's longer side; at least 1 pixel.
        roughness: 0 = an even rim; 1 = the rim may come back to the object's own edge.
        below: the object is first drawn out downwards by up to this share of its height, for its shadow.
    """
    x0, y0, x1, y1 = box_of(silhouette)
    longer = max(x1 - x0, y1 - y0)
    if not longer:
        return np.zeros_like(silhouette, bool)
    radius = max(1.0, longer * rng.uniform(*dilate))
    down = int((y1 - y0) * rng.uniform(0, below))
    margin = math.ceil(2 * radius) + 1
    rows = slice(max(0, y0 - margin), y1 + margin + down)
    columns = slice(max(0, x0 - margin), x1 + margin)
    part = _drawn_down(silhouette[rows, columns], down)
    distance = ndimage.distance_transform_edt(~part)
    rim = radius * (1 + roughness * smooth_noise(rng, part.shape, max(4.0, longer / 4)))
    hole = np.zeros(silhouette.shape, bool)
    hole[rows, columns] = ndimage.binary_fill_holes(part | (distance <= rim))
    return hole


def _drawn_down(mask: np.ndarray, down: int) -> np.ndarray:
    result = mask.copy()
    for step in range(1, down + 1):
        result[step:] |= mask[:-step]
    return result


def foreign_silhouette_hole(
    rng: np.random.Generator,
    silhouette: np.ndarray,
    free: np.ndarray,
    *,
    near: tuple[int, int] | None = None,
    spread: tuple[float, float] = (0.5, 0.04),
    tries: int = 16,
) -> np.ndarray | None:
    """Returns another photo's silhouette laid where this photo is free, bool (H, W), or None if no try fits.

    This is the erase situation with a known truth: the hole looks like an object, and what belongs
    into it is the photo itself.

    Args:
        silhouette: bool (h, w), cut out to its box (`silhouette_hole` first, for a sloppy rim).
        free: bool (H, W): where the hole may lie (no thing pixels).
        near: (x, y) of the silhouette's upper left corner in its own photo: objects stand at the height
            where they stood; None = anywhere.
        spread: how far from `near` it is laid, as shares of W and H.
        tries: how many places are tried.
    """
    (height, width), (h, w) = free.shape, silhouette.shape
    if h > height or w > width:
        return None
    for _ in range(tries):
        x, y = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
        if near is not None:
            dx, dy = rng.uniform(-1, 1, 2) * spread * (width, height)
            x, y = min(max(near[0] + int(dx), 0), width - w), min(max(near[1] + int(dy), 0), height - h)
        if free[y : y + h, x : x + w][silhouette].all():
            hole = np.zeros(free.shape, bool)
            hole[y : y + h, x : x + w] = silhouette
            return hole
    return None


def class_region_hole(
    rng: np.random.Generator,
    label_map: np.ndarray,
    *,
    share: tuple[float, float] = (0.01, 0.5),
    leave_out: tuple[int, ...] = (),
) -> np.ndarray | None:
    """Returns the whole region of one class of the window, or None if no class's share of it lies in `share`.

    Args:
        label_map: integer (H, W).
        share: least and largest share of the window.
        leave_out: class ids that are never chosen (void).
    """
    ids, counts = np.unique(label_map, return_counts=True)
    shares = counts / label_map.size
    fitting = ids[(shares >= share[0]) & (shares <= share[1]) & ~np.isin(ids, leave_out)]
    return label_map == rng.choice(fitting) if fitting.size else None
