"""An object cut out of a photo of any size by its box: the segmenter's mask, refined at the photo's own resolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from scenebrush.data.box_crops import box_plane
from scenebrush.data.holes import Box, box_of, longer_side
from scenebrush.errors import InputError
from scenebrush.methods.seigan.networks import SeiganNetworks
from scenebrush.methods.seigan.refining import refined


def cut_out(networks: SeiganNetworks, photo: np.ndarray, box: Box) -> np.ndarray:
    """Returns the soft mask of the object in a box, float32 (H, W) in [0, 1]; 0 outside the box.

    The segmenter sees the square window of `config.context` times the box's longer side, as it was trained; beyond the
    photo's edge the photo goes on mirrored. Its mask is brought back to the photo's size and follows the photo's edges.

    Args:
        networks: trained generators in evaluation mode.
        photo: uint8 (H, W, 3) RGB, of any size.
        box: (x0, y0, x1, y1) in the photo, ends exclusive.

    Raises:
        InputError: a box that is empty, or not inside the photo.
    """
    check_box(box, (photo.shape[1], photo.shape[0]))
    window = _window(box, photo.shape[:2], networks.config.context)
    seen = _seen(photo, window, networks.config.size)
    inside = slice(box[1], box[3]), slice(box[0], box[2])
    mask = np.zeros(photo.shape[:2], np.float32)
    mask[inside] = refined(photo[inside], _coarse_mask(networks, seen.pixels, box, window), seen.place_of(box))
    return mask


def check_box(box: Box, size: tuple[int, int]) -> None:
    """Raises `InputError` for a box (x0, y0, x1, y1) that is empty, or not inside a photo of (W, H)."""
    x0, y0, x1, y1 = box
    said = f"box {x0},{y0},{x1 - x0},{y1 - y0} (x, y, width, height)"
    if x1 <= x0 or y1 <= y0:
        raise InputError(f"{said} is empty; give sides of one pixel or more")
    if x0 < 0 or y0 < 0 or x1 > size[0] or y1 > size[1]:
        raise InputError(f"{said} does not lie inside the photo of {size[0]}x{size[1]}; give one inside")


def _window(box: Box, shape: tuple[int, ...], context: float) -> Box:
    """Returns the square around a box, moved into a photo of (H, W) as far as there is room; else it sticks out."""
    side = max(1, round(context * longer_side(box)))
    left, top = (_begin(box[axis], box[axis + 2], side, shape[1 - axis]) for axis in (0, 1))
    return left, top, left + side, top + side


def _begin(first: int, last: int, side: int, whole: int) -> int:
    begin = int((first + last - side) / 2)
    return min(max(begin, 0), whole - side) if side <= whole else (whole - side) // 2


@dataclass(frozen=True, eq=False)
class _Seen:
    """A window as the network sees it, uint8 (size, size, 3), and the photo's part of it, here and in the photo."""

    pixels: np.ndarray
    part: Box
    photo_part: Box

    def place_of(self, box: Box) -> tuple[float, float, float, float]:
        """Returns where a box of the photo lies in `pixels`."""

        def place(end: int) -> float:
            axis = end % 2
            first, last = self.photo_part[axis], self.photo_part[axis + 2]
            here = self.part[axis + 2] - self.part[axis]
            return self.part[axis] + (box[end] - first) * here / (last - first)

        return place(0), place(1), place(2), place(3)


def _seen(photo: np.ndarray, window: Box, size: int) -> _Seen:
    scale = size / (window[2] - window[0])
    spans, inner = [], []
    for axis in (0, 1):
        whole = photo.shape[1 - axis]
        first = min(max(round(-window[axis] * scale), 0), size - 1)
        spans.append((first, min(max(round((whole - window[axis]) * scale), first + 1), size)))
        inner.append((max(window[axis], 0), min(window[axis + 2], whole)))
    (left, right), (top, bottom) = spans
    (x0, x1), (y0, y1) = inner
    resized = Image.fromarray(photo[y0:y1, x0:x1]).resize((right - left, bottom - top), Image.Resampling.BICUBIC)
    beyond = (top, size - bottom), (left, size - right), (0, 0)
    pixels = np.pad(np.array(resized), beyond, mode="symmetric")
    return _Seen(pixels, (left, top, right, bottom), (x0, y0, x1, y1))


def _coarse_mask(networks: SeiganNetworks, pixels: np.ndarray, box: Box, window: Box) -> np.ndarray:
    """Returns the network's mask of a window, float32 (size, size); outside the box it goes on as at the box's edge.

    The network is told to say 0 there, which tells nothing of the object.
    """
    plane = box_plane(box, window, networks.config.size)
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    image = image.contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        mask = networks.segmenter(image, torch.from_numpy(plane[None, None]).float())[0, 0].numpy()
    left, top, right, bottom = box_of(plane)
    rows, columns = (np.arange(networks.config.size).clip(a, b - 1) for a, b in ((top, bottom), (left, right)))
    extended: np.ndarray = mask[rows[:, None], columns]
    return extended
