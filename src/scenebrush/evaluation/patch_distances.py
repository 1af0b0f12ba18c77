"""Patch coherence and completeness (Simakov et al., CVPR 2008): is a result made of the source, and all of it?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view

from scenebrush.errors import InputError
from scenebrush.evaluation.pictures import to_tensor
from scenebrush.layers.vgg import VGG

PATCH = 7  # pixels a side, the usual one of patch-based synthesis
CHUNK = 2048  # patches of either side held at once: 2048 x 2048 distances are 16 MB


@dataclass(frozen=True)
class PatchDistances:
    """Distances of a target (a result) and its source, each a root mean square over a patch's values.

    Args:
        coherence: mean over the target's patches of the distance to the nearest patch of the source; 0 =
            nothing in the result that the source does not have.
        completeness: mean over the source's patches of the distance to the nearest patch of the target; 0 =
            nothing of the source is lost.
        patch: the patches' side.
        features: `rgb` (grey levels, 0-255), or the layer of VGG.
        step: every how manieth patch of the side that is averaged over was taken; all are searched.
    """

    coherence: float
    completeness: float
    patch: int
    features: str
    step: int


def patch_distances(
    target: np.ndarray,
    source: np.ndarray,
    *,
    patch: int = PATCH,
    step: int = 1,
    vgg: VGG | None = None,
    layer: str = "relu2_1",
) -> PatchDistances:
    """Returns how far a target is made of its source's patches, and how much of the source is in it.

    The search is exact, over all patches that lie wholly in the picture. 128x128 pixels against as many take about
    5 s on one core, and the time grows with the product of the two areas: raise `step` for larger pictures.

    Args:
        target, source: uint8 (H, W, 3); the sizes may differ.
        patch: side of the patches, in pixels, or in positions of the feature map.
        step: average over every step-th patch along each axis.
        vgg: compare features of this network instead of pixels.
        layer: of the network.

    Raises:
        InputError: a picture that is not uint8 (H, W, 3) or is smaller than a patch, or a step below 1.
    """
    a, b = (_feature_map(_checked(picture, patch, step), vgg, layer) for picture in (target, source))
    for values in (a, b):
        if min(values.shape[:2]) < patch:
            raise InputError(f"{layer} has {values.shape[:2]} positions, fewer than a patch of {patch}; give a smaller")
    forth, back = (float(nearest_patch_distances(x, y, patch, step).mean()) for x, y in ((a, b), (b, a)))
    return PatchDistances(forth, back, patch, "rgb" if vgg is None else f"{vgg.name} {layer}", step)


def nearest_patch_distances(first: np.ndarray, second: np.ndarray, patch: int = PATCH, step: int = 1) -> np.ndarray:
    """Returns, for every step-th patch of `first`, its distance to the nearest patch of `second`, float64 (n,).

    Distances are |a - b|^2 = |a|^2 + |b|^2 - 2 a.b, a matrix product, to find the nearest; the distance to it is
    then taken by subtracting, so that a patch that occurs in `second` is exactly 0 from it. Memory stays at a few
    chunks whatever the sizes.

    Args:
        first, second: float32 (H, W, C).
        patch, step: see `patch_distances`.
    """
    own, others = _patches(first, patch)[::step, ::step], _patches(second, patch)
    shape, count = own.shape[:2], others.shape[0] * others.shape[1]
    out = np.empty(shape[0] * shape[1])
    for start in range(0, len(out), CHUNK):
        a = _rows(own, start, min(start + CHUNK, len(out)))
        best, where = np.full(len(a), np.inf, np.float32), np.zeros(len(a), np.int64)
        for other in range(0, count, CHUNK):
            b = _rows(others, other, min(other + CHUNK, count))
            gaps = (b * b).sum(axis=1) - 2 * (a @ b.T)  # |a|^2 is the same for every b
            nearest = gaps.argmin(axis=1)
            values = gaps[np.arange(len(a)), nearest]
            where = np.where(values < best, nearest + other, where)
            best = np.minimum(values, best)
        found = others[where // others.shape[1], where % others.shape[1]].reshape(len(a), -1)
        out[start : start + len(a)] = np.sqrt(((a.astype(np.float64) - found) ** 2).mean(axis=1))
    return out


def _patches(values: np.ndarray, patch: int) -> np.ndarray:
    """Returns a view (rows, columns, C, patch, patch) of all patches of (H, W, C)."""
    return np.asarray(sliding_window_view(values, (patch, patch), axis=(0, 1)))


def _rows(patches: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Returns patches number start..stop, in reading order, as rows (n, C * patch * patch)."""
    numbers = np.arange(start, stop)
    rows: np.ndarray = patches[numbers // patches.shape[1], numbers % patches.shape[1]].reshape(len(numbers), -1)
    return rows


def _feature_map(picture: np.ndarray, vgg: VGG | None, layer: str) -> np.ndarray:
    """Returns float32 (H, W, C): features, or grey levels less 128, whose products float32 holds without rounding."""
    if vgg is None:
        return picture.astype(np.float32) - 128
    with torch.inference_mode():
        features = vgg(to_tensor(picture[None], vgg.mean.device), [layer])[0]
    maps: np.ndarray = features[0].permute(1, 2, 0).float().contiguous().cpu().numpy()
    return maps


def _checked(picture: np.ndarray, patch: int, step: int) -> np.ndarray:
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise InputError(f"a picture is {picture.dtype} {picture.shape}; expected uint8 (H, W, 3), RGB")
    if patch < 1 or step < 1:
        raise InputError(f"patch {patch} and step {step}; both must be at least 1")
    if min(picture.shape[:2]) < patch:
        raise InputError(f"a picture of {picture.shape[1]}x{picture.shape[0]} is smaller than a patch of {patch} px")
    return picture
