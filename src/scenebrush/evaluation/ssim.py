"""SSIM and PSNR, in the hole and in the window."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import uniform_filter

from scenebrush.errors import InputError
from scenebrush.evaluation.pictures import Pictures, stack_holes, stack_pair

SSIM_WINDOW = 7
LUMA = (0.2125, 0.7154, 0.0721)  # scikit-image's rgb2gray, which SESAME's test script used
PSNR_CEILING = 100.0  # of equal pictures, so that means and intervals stay finite


def ssim(first: Pictures, second: Pictures, holes: Pictures | None = None) -> np.ndarray:
    """Returns SSIM, float64 (N,), of pictures uint8 (N, H, W, 3); 1 = equal.

    SESAME's definition: grey of [-1, 1], 7x7 uniform window, data range 2, the map averaged over the
    hole (bool (N, H, W)). Without `holes`: over the window, its rim of 3 px left out, as scikit-image.
    """
    a, b = stack_pair(first, second)
    if min(a.shape[1:3]) < SSIM_WINDOW:
        raise InputError(f"SSIM needs pictures of {SSIM_WINDOW} px a side; these are {a.shape[2]}x{a.shape[1]}")
    masks = stack_holes(holes, a)
    rim = SSIM_WINDOW // 2
    out = np.empty(len(a))
    for i in range(len(a)):
        values = ssim_map(_grey(a[i]), _grey(b[i]))
        out[i] = values[rim:-rim, rim:-rim].mean() if masks is None else values[masks[i]].mean()
    return out


def ssim_map(x: np.ndarray, y: np.ndarray, data_range: float = 2.0) -> np.ndarray:
    """Returns the SSIM map (H, W) of two grey pictures (Wang et al. 2004, Eq. 13; K1 .01, K2 .03).

    Uniform 7x7 window, sample covariance (N - 1), edges mirrored: equal to scikit-image's.
    """
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    unbiased = SSIM_WINDOW**2 / (SSIM_WINDOW**2 - 1)
    mean_x, mean_y = _mean(x), _mean(y)
    var_x = unbiased * (_mean(x * x) - mean_x**2)
    var_y = unbiased * (_mean(y * y) - mean_y**2)
    covariance = unbiased * (_mean(x * y) - mean_x * mean_y)
    above = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    below = (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    return np.asarray(above / below)


def psnr(first: Pictures, second: Pictures, holes: Pictures | None = None) -> np.ndarray:
    """Returns PSNR in dB, float64 (N,), over the hole (or the window without `holes`); at most 100."""
    a, b = stack_pair(first, second)
    masks = stack_holes(holes, a)
    squared = ((a.astype(np.float64) - b) ** 2).mean(axis=3)  # (N, H, W)
    weights = np.ones(squared.shape) if masks is None else masks.astype(np.float64)
    error = (squared * weights).sum(axis=(1, 2)) / weights.sum(axis=(1, 2))
    return np.asarray(np.minimum(10 * np.log10(255.0**2 / np.maximum(error, 1e-12)), PSNR_CEILING))


def _grey(picture: np.ndarray) -> np.ndarray:
    return np.asarray((picture.astype(np.float64) / 127.5 - 1.0) @ np.array(LUMA))


def _mean(values: np.ndarray) -> np.ndarray:
    return np.asarray(uniform_filter(values, SSIM_WINDOW, mode="reflect"))
