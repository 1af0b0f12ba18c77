"""The networks on photos of any size: square windows around what is to be made, resized, and put back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torch import Tensor
from torch.nn import functional as F

from scenebrush.canvas.blending import Springs, solve
from scenebrush.data.holes import Box, box_of, longer_side
from scenebrush.methods.seigan.blocks import DIVISOR
from scenebrush.methods.seigan.networks import SeiganNetworks

MOST = 256  # longest side that the networks see: larger windows are drawn smaller
_TOGETHER = 8  # pixels: parts of a hole that lie closer are one
_CONTEXT = 1.6  # side of a window, as a multiple of the longer side of its part
_FEATHER = 1.0  # pixels: deviation of a change's soft rim


def inpainted(networks: SeiganNetworks, photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Returns the photo, uint8 (H, W, 3), its hole, bool (H, W), filled part after part, the largest first.

    What the photo holds in the hole is not looked at. Outside the hole nothing changes.
    """
    result, left = photo.copy(), hole.copy()
    for part, (x0, y0, x1, y1) in _parts(hole, networks.config.size):
        seen, mask = result[y0:y1, x0:x1], left[y0:y1, x0:x1]
        image, plane = _network_input(seen, mask, networks.config.size)
        with torch.inference_mode():
            # A pixel that the hole touches at all is unknown.
            drawn = _enlarged(networks.inpainter(image, (plane > 0).float()), (y1 - y0, x1 - x0))
        filled = _rim_matched(drawn, seen, mask)
        inside = part[y0:y1, x0:x1]
        result[y0:y1, x0:x1] = np.where(inside[..., None], np.rint(filled.clip(0, 255)).astype(np.uint8), seen)
        left &= ~part
    return result


def enhanced(networks: SeiganNetworks, photo: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Returns the photo, uint8 (H, W, 3), with the pasted object on `target`, bool (H, W), made to fit.

    Only the change is resized and put back, so the object keeps its detail.
    """
    if not target.any():
        return photo
    x0, y0, x1, y1 = _window(box_of(target), target.shape, networks.config.size)
    seen, mask = photo[y0:y1, x0:x1], target[y0:y1, x0:x1].astype(np.float32)
    image, plane = _network_input(seen, mask, networks.config.size)
    with torch.inference_mode():
        change = (networks.enhancer(image, plane) - image) * 127.5
        change = F.interpolate(change, mask.shape, mode="bilinear", align_corners=False)
    soft = ndimage.gaussian_filter(mask, _FEATHER) * mask
    result = photo.copy()
    moved = seen + change[0].permute(1, 2, 0).numpy() * soft[..., None]
    result[y0:y1, x0:x1] = np.rint(moved.clip(0, 255)).astype(np.uint8)
    return result


def _rim_matched(drawn: np.ndarray, photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Returns what was drawn, float32 (H, W, 3), moved to the photo's colours along the rim of the hole.

    What the two are apart there runs on evenly into the hole (the membrane of Perez et al. 2003): the steps that the
    network draws are kept, its colours need not be right. `hole` is bool (H, W).
    """
    if hole.all():
        return drawn
    known = (~hole).astype(np.float32)
    beside = _smooth(photo * known[..., None], 1.0) / np.maximum(_smooth(known, 1.0), 1e-4)[..., None]
    rim = (hole & (ndimage.distance_transform_edt(hole) <= 1)).astype(np.float32)
    apart = ((beside - drawn) * rim[..., None]).transpose(2, 0, 1)
    right, down = (hole[:, :-1] & hole[:, 1:]), (hole[:-1] & hole[1:])
    springs = Springs(right.astype(np.float32), down.astype(np.float32), rim)
    pull = np.ascontiguousarray(apart, np.float32)
    matched: np.ndarray = drawn + solve(springs, np.zeros_like(pull), pull).transpose(1, 2, 0)
    return matched


def _smooth(array: np.ndarray, deviation: float) -> np.ndarray:
    sides = (deviation, deviation, 0)[: array.ndim]
    smoothed: np.ndarray = ndimage.gaussian_filter(array.astype(np.float32), sides, mode="nearest")
    return smoothed


def _parts(hole: np.ndarray, size: int) -> Iterator[tuple[np.ndarray, Box]]:
    """Yields the parts of a hole, bool (H, W), and the window of each."""
    clusters, count = ndimage.label(ndimage.maximum_filter(hole, 2 * _TOGETHER + 1))
    areas = np.asarray(ndimage.sum_labels(hole, clusters, np.arange(1, count + 1)))
    for number in np.argsort(-areas, kind="stable") + 1:
        part = hole & (clusters == number)
        yield part, _window(box_of(part), hole.shape, size)


def _window(box: Box, shape: tuple[int, ...], size: int) -> Box:
    """Returns the window around a box in a photo of (H, W): with context, at least as large as the crops learned from.

    It is square where the photo has room for that.
    """
    side = max(size, round(_CONTEXT * longer_side(box)))
    left, right = _span(box[0], box[2], side, shape[1])
    top, bottom = _span(box[1], box[3], side, shape[0])
    return left, top, right, bottom


def _span(begin: int, end: int, length: int, whole: int) -> tuple[int, int]:
    length = min(length, whole)
    first = min(max((begin + end - length) // 2, 0), whole - length)
    return first, first + length


def _network_input(photo: np.ndarray, mask: np.ndarray, size: int) -> tuple[Tensor, Tensor]:
    """Returns a window as the networks see it: sides of at most `MOST`, or `size`, multiples of 16."""
    longest = max(photo.shape[:2])
    scale = min(1.0, max(MOST, size) / longest)
    height, width = (max(DIVISOR, round(side * scale / DIVISOR) * DIVISOR) for side in photo.shape[:2])
    resized = np.array(Image.fromarray(photo).resize((width, height), Image.Resampling.BICUBIC))
    image = torch.from_numpy(resized).permute(2, 0, 1)[None].float() / 127.5 - 1
    plane = F.interpolate(torch.from_numpy(mask.astype(np.float32))[None, None], (height, width), mode="area")
    return image.contiguous(memory_format=torch.channels_last), plane


def _enlarged(picture: Tensor, shape: tuple[int, int]) -> np.ndarray:
    """Returns a picture (1, 3, h, w) in [-1, 1] at a window's size, float32 (H, W, 3) in 0-255."""
    if picture.shape[2:] != shape:
        picture = F.interpolate(picture, shape, mode="bicubic", align_corners=False)
    drawn: np.ndarray = ((picture[0].clamp(-1, 1) + 1) * 127.5).permute(1, 2, 0).numpy()
    return drawn
