"""Single-image FID (Shaham et al., SinGAN, ICCV 2019): FID between the inner features of ONE picture and of ONE other.

Every position of an early feature map is one sample; there is no mean over the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch

from scenebrush.errors import InputError, nearest_name
from scenebrush.evaluation.fid import fid
from scenebrush.evaluation.inception import InceptionV3
from scenebrush.evaluation.pictures import Pictures, to_tensor

SifidLayer = Literal["before_first_pool", "before_second_pool"]
"""`before_first_pool`: 64 channels, what SinGAN's released code takes, and what others' tables hold.
`before_second_pool`: 192 channels, what SinGAN's text says (its issue #155). The two differ in size: name the layer."""

SMALLEST_SIDE = {"before_first_pool": 32, "before_second_pool": 48}
"""In pixels; below, there are hardly more positions than channels, and the covariance means nothing."""


@dataclass(frozen=True, eq=False)
class SifidResult:
    """Single-image FIDs of N pairs, float64 (N,), and the layer that they were taken at."""

    values: np.ndarray
    layer: SifidLayer

    @property
    def mean(self) -> float:
        """The mean over the pairs."""
        return float(self.values.mean())


@torch.inference_mode()
def single_image_fid(
    first: Pictures, second: Pictures, network: InceptionV3, *, layer: SifidLayer = "before_first_pool"
) -> SifidResult:
    """Returns the single-image FID of each pair; 0 = equal, lower is better, symmetric.

    Pictures go in at their own size, as in SinGAN's code. The weights are FID's (TensorFlow 2015), where that code
    takes torchvision's: compare figures of this function among themselves, not with SinGAN's tables.

    Args:
        first, second: uint8 (N, H, W, 3), or one picture, or sequences; the sizes of a pair may differ.
        network: FID's.
        layer: see `SifidLayer`.

    Raises:
        InputError: counts that differ, 0 pictures, an unknown layer, or a picture too small for it.
    """
    if layer not in get_args(SifidLayer):
        names = get_args(SifidLayer)
        raise InputError(f"unknown layer {layer!r}{nearest_name(layer, names)}; there are {', '.join(names)}")
    a, b = _each(first), _each(second)
    if len(a) != len(b) or not a:
        raise InputError(f"single-image FID compares pairs; there are {len(a)} and {len(b)} pictures")
    values = [
        fid(_positions(x, network, layer), _positions(y, network, layer)).value for x, y in zip(a, b, strict=True)
    ]
    return SifidResult(np.array(values), layer)


def _each(pictures: Pictures) -> list[np.ndarray]:
    if isinstance(pictures, np.ndarray) and pictures.ndim == 3:
        return [pictures]
    return list(pictures)


def _positions(picture: np.ndarray, network: InceptionV3, layer: SifidLayer) -> np.ndarray:
    """Returns (positions, channels) of one picture, float64."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise InputError(f"a picture is {picture.dtype} {picture.shape}; expected uint8 (H, W, 3), RGB")
    if min(picture.shape[:2]) < SMALLEST_SIDE[layer]:
        least, size = SMALLEST_SIDE[layer], f"{picture.shape[1]}x{picture.shape[0]}"
        raise InputError(f"a picture of {size} is too small for single-image FID {layer}; it needs {least} px a side")
    device = network.Conv2d_1a_3x3.conv.weight.device
    features = network.first_features(to_tensor(picture[None], device), 1 if layer == "before_first_pool" else 2)
    return features[0].flatten(1).T.double().cpu().numpy()
