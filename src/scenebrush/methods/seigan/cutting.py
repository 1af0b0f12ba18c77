"""An object cut out of a photo of any size by its box: the segmenter's mask, refined at the photo's own resolution."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from scenebrush.data.box_crops import box_plane
from scenebrush.data.holes import Box, longer_side
from scenebrush.errors import InputError
from scenebrush.methods.seigan.networks import SeiganNetworks
from scenebrush.methods.seigan.refining import refined

_ENDS = 0.03, 0.97  # the networks' masks never reach 0 and 1 (`Segmenter`); what lies this near is taken for them


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
    x0, y0, x1, y1 = window = _window(box, photo.shape[:2], networks.config.context)
    part = slice(max(y0, 0), min(y1, photo.shape[0])), slice(max(x0, 0), min(x1, photo.shape[1]))
    coarse = _coarse_mask(networks, photo, box, window)
    mask = np.zeros(photo.shape[:2], np.float32)
    mask[part] = refined(photo[part], coarse, reach=(x1 - x0) / networks.config.size)
    inside = slice(box[1], box[3]), slice(box[0], box[2])
    result = np.zeros_like(mask)
    low, high = _ENDS
    result[inside] = ((mask[inside] - low) / (high - low)).clip(0, 1)
    return result


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


def _coarse_mask(networks: SeiganNetworks, photo: np.ndarray, box: Box, window: Box) -> np.ndarray:
    """Returns the network's mask of the part of a window that lies inside the photo, float32 (h, w), small."""
    size = networks.config.size
    pixels, inside = _seen(photo, window, size)
    image = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 127.5 - 1
    plane = torch.from_numpy(box_plane(box, window, size)[None, None]).float()
    with torch.inference_mode():
        mask: np.ndarray = networks.segmenter(image.contiguous(memory_format=torch.channels_last), plane)[0, 0].numpy()
    return mask[inside]


def _seen(photo: np.ndarray, window: Box, size: int) -> tuple[np.ndarray, tuple[slice, slice]]:
    """Returns a window as the network sees it, uint8 (size, size, 3), and which of its rows and columns are photo."""
    scale = size / (window[2] - window[0])
    spans, around = [], []
    for axis in (1, 0):
        first = min(max(round(-window[axis] * scale), 0), size - 1)
        last = min(max(round((photo.shape[1 - axis] - window[axis]) * scale), first + 1), size)
        spans.append(slice(first, last))
        around.append((first, size - last))
    x0, y0, x1, y1 = window
    part = Image.fromarray(photo[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)])
    (top, bottom), (left, right) = around
    resized = np.array(part.resize((size - left - right, size - top - bottom), Image.Resampling.BICUBIC))
    return np.pad(resized, ((top, bottom), (left, right), (0, 0)), mode="symmetric"), (spans[0], spans[1])
