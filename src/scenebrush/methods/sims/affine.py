"""Affine transforms of pictures, in pixels, centred on the picture's centre.

One convention throughout: an affine (2, 3) maps the OUTPUT's pixel to the place in the INPUT where its colour is
fetched, (x, y)_in = L (x, y)_out + t, with x to the right, y down, both in pixels from the picture's centre
((W - 1) / 2, (H - 1) / 2). So t = (3, 0) moves what is shown three pixels to the LEFT.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from scenebrush.errors import InputError


def warp(image: Tensor, affine: Tensor) -> Tensor:
    """Returns the transformed image (B, C, H, W), bilinear; beyond the border its outermost pixels go on.

    Args:
        image: float (B, C, H, W).
        affine: (B, 2, 3), output pixel -> input pixel (see the module).

    Raises:
        InputError: another shape.
    """
    if image.ndim != 4 or affine.shape != (image.shape[0], 2, 3):
        raise InputError(
            f"cannot warp {tuple(image.shape)} by affines {tuple(affine.shape)}; give (B, C, H, W) and (B, 2, 3)"
        )
    height, width = image.shape[-2:]
    half = affine.new_tensor([max(width - 1, 1) / 2, max(height - 1, 1) / 2])
    x = torch.arange(width, dtype=affine.dtype, device=affine.device) - (width - 1) / 2
    y = torch.arange(height, dtype=affine.dtype, device=affine.device) - (height - 1) / 2
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    places = torch.stack([columns, rows, torch.ones_like(rows)], -1)  # (H, W, 3)
    grid = torch.einsum("hwk,bik->bhwi", places, affine) / half
    return F.grid_sample(image, grid.to(image.dtype), mode="bilinear", padding_mode="border", align_corners=True)


def identity(batch: int = 1) -> Tensor:
    """Returns the affines (B, 2, 3) that change nothing."""
    return torch.eye(2, 3).repeat(batch, 1, 1)


def about(affine: Tensor, centre: Tensor) -> Tensor:
    """Returns affines about the picture's centre that do what `affine` (B, 2, 3) does about `centre`.

    Args:
        affine: x_in - c = L (x_out - c) + t.
        centre: c as (x, y), (B, 2), in pixels from the picture's centre.
    """
    linear, shift = affine[:, :, :2], affine[:, :, 2]
    return torch.cat([linear, (shift + centre - (linear @ centre[..., None])[..., 0])[..., None]], -1)


def scaled(affine: Tensor, scale: Tensor) -> Tensor:
    """Returns what affines (B, 2, 3) become when the picture is enlarged by `scale` (B, 2), x and y."""
    linear = affine[:, :, :2] * scale[:, :, None] / scale[:, None, :]
    return torch.cat([linear, (affine[:, :, 2] * scale)[..., None]], -1)


def compose(first: Tensor, second: Tensor) -> Tensor:
    """Returns the affines (B, 2, 3) that warp as `first` and then `second` do, interpolating once."""
    # The second's output looks up the first's output, which looks up the picture.
    linear = first[:, :, :2] @ second[:, :, :2]
    return torch.cat([linear, first[:, :, :2] @ second[:, :, 2:] + first[:, :, 2:]], -1)


def inverse(affine: Tensor) -> Tensor:
    """Returns the affines (B, 2, 3) that undo these."""
    linear = torch.linalg.inv(affine[:, :, :2])
    return torch.cat([linear, -linear @ affine[:, :, 2:]], -1)


def sampling_affine(matrix: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Returns the affine, float64 (2, 3), that moves what is shown by `matrix`.

    Args:
        matrix: (2, 3), where each pixel (x, y) of the input goes, counted from the top left pixel's centre.
        shape: (H, W).
    """
    linear = np.linalg.inv(matrix[:, :2])
    centre = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    # in = L (out - t); from the centre: in - c = L (out - c) + L (c - t) - c
    return np.column_stack([linear, linear @ (centre - matrix[:, 2]) - centre])


def forward_matrix(affine: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Returns where the affine moves each pixel (x, y) of the input, float64 (2, 3): undoes `sampling_affine`."""
    linear = np.linalg.inv(affine[:, :2])
    centre = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    return np.column_stack([linear, centre - linear @ (centre + affine[:, 2])])
