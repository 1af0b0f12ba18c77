"""Pictures as the metrics take them: checked stacks of uint8, and tensors made from them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from scenebrush.errors import InputError

Pictures = np.ndarray | Sequence[np.ndarray]


def stack(pictures: Pictures, name: str = "pictures") -> np.ndarray:
    """Returns uint8 (N, H, W, 3) of pictures of one size; one picture (H, W, 3) becomes N = 1."""
    if isinstance(pictures, np.ndarray) and pictures.ndim == 3:
        pictures = pictures[None]
    if len(pictures) == 0:
        raise InputError(f"{name}: 0 pictures; a figure needs at least 1")
    if len({np.shape(p) for p in pictures}) > 1:
        raise InputError(f"{name} differ in size ({sorted({np.shape(p) for p in pictures})}); measure them one by one")
    array = np.asarray(pictures)
    if array.ndim != 4 or array.shape[3] != 3 or array.dtype != np.uint8:
        raise InputError(f"{name} are {array.dtype} {array.shape}; expected uint8 (N, H, W, 3), RGB")
    return array


def stack_pair(first: Pictures, second: Pictures) -> tuple[np.ndarray, np.ndarray]:
    """Returns two stacks, both uint8 (N, H, W, 3); raises `InputError` where their shapes differ."""
    a, b = stack(first, "first pictures"), stack(second, "second pictures")
    if a.shape != b.shape:
        raise InputError(f"pictures to compare have shapes {a.shape} and {b.shape}; they must be equal (N, H, W, 3)")
    return a, b


def stack_holes(holes: Pictures | None, like: np.ndarray) -> np.ndarray | None:
    """Returns bool (N, H, W) that fits the stack `like`, None for None; an empty hole is an `InputError`."""
    if holes is None:
        return None
    array = np.asarray(holes)
    array = array[None] if array.ndim == 2 else array
    if array.dtype != bool or array.shape != like.shape[:3]:
        raise InputError(f"holes are {array.dtype} {array.shape}; expected bool {like.shape[:3]}, true = edited")
    empty = np.flatnonzero(~array.any(axis=(1, 2)))
    if len(empty):
        raise InputError(f"hole {empty[0]} of {len(array)} is empty; a figure in the hole needs at least 1 pixel")
    return array


def to_tensor(pictures: np.ndarray, device: torch.device | str = "cpu") -> torch.Tensor:
    """Returns float32 (N, 3, H, W) in [-1, 1] of uint8 (N, H, W, 3)."""
    array = np.require(pictures, requirements=["C", "W"])  # photos are read-only, which torch warns of
    tensor = torch.from_numpy(array).to(device).permute(0, 3, 1, 2)
    return tensor.float().div(127.5).sub(1.0)


def batches(count: int, size: int) -> Iterator[slice]:
    """Yields slices that cover range(count), `size` at a time."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
