"""From a window of a scene to the tensors that the networks see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

Color = tuple[float, float, float]
"""R, G, B in [-1, 1]."""


@dataclass(frozen=True, eq=False)
class WindowArrays:
    """One window as small numpy arrays, (H, W, ...); what a cache on disk holds.

    `photo` uint8 RGB (training: the truth; editing: anything inside the hole); `labels` unsigned or int32 class
    INDICES after the edit; `instances` int32 (0 = none) after the edit; `hole` bool; `guide` uint8 RGB, the
    canvas, and `copied` bool, where it holds a copied pixel of the class asked for (both None: unguided).
    """

    photo: np.ndarray
    labels: np.ndarray
    instances: np.ndarray
    hole: np.ndarray
    guide: np.ndarray | None
    copied: np.ndarray | None


class EditBatch(NamedTuple):
    """A batch of windows as tensors; shapes as in `CompactGenerator.forward`."""

    image: Tensor
    hole: Tensor
    label_map: Tensor
    coordinates: Tensor
    hint: Tensor
    guide: Tensor
    copied: Tensor

    def to(self, device: torch.device | str) -> EditBatch:
        """Returns the batch on a device."""
        return EditBatch(*(tensor.to(device) for tensor in self))


def collate(windows: Sequence[WindowArrays], *, hints: Sequence[Mapping[int, Color]] | None = None) -> EditBatch:
    """Returns a batch of windows of one size; `hints` gives, per window, the colour asked for an instance id."""
    hints = [{}] * len(windows) if hints is None else hints
    return EditBatch(
        image=_images([w.photo for w in windows]),
        hole=_masks([w.hole for w in windows]),
        label_map=torch.from_numpy(np.stack([w.labels for w in windows]).astype(np.int64)),
        coordinates=_channels([object_coordinates(w.instances) for w in windows]),
        hint=_channels([_hint_map(w.instances, h) for w, h in zip(windows, hints, strict=True)]),
        guide=torch.stack([_guide(w) for w in windows]).contiguous(memory_format=torch.channels_last),
        copied=_masks([w.hole & w.copied if w.copied is not None else np.zeros_like(w.hole) for w in windows]),
    )


def object_coordinates(instances: np.ndarray) -> np.ndarray:
    """Returns where in its object each pixel lies: float32 (H, W, 4), zeros where there is no object.

    Channels: x and y in the object's bounding box, -1 (left, top) to 1, 0 in a box one pixel wide; log2 of the box's
    height over its width, cut off at +-2 and halved; and 1 on every object pixel. `instances` int (H, W), any ids,
    <= 0 = none. An object's box ends where the window does.
    """
    out = np.zeros((*instances.shape, 4), np.float32)
    ids, numbers = np.unique(instances, return_inverse=True)  # ids may be as large as they like
    numbers = numbers.reshape(instances.shape) + 1
    for number, box in enumerate(ndimage.find_objects(numbers), 1):
        if box is None or ids[number - 1] <= 0:
            continue
        mask = numbers[box] == number
        height, width = mask.shape
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] if height > 1 else np.zeros((1, 1), np.float32)
        x = np.linspace(-1, 1, width, dtype=np.float32)[None] if width > 1 else np.zeros((1, 1), np.float32)
        aspect = np.clip(np.log2(height / width), -2, 2) / 2
        view = out[box]
        view[mask] = np.stack(np.broadcast_arrays(x, y, np.float32(aspect), np.float32(1)), -1)[mask]
    return out


def true_colors(window: WindowArrays) -> dict[int, Color]:
    """Returns the mean colour in [-1, 1] of each instance in the hole, from the truth (for training)."""
    ids = np.unique(window.instances[window.hole])
    result = {}
    for instance in ids[ids > 0]:
        mean = window.photo[window.hole & (window.instances == instance)].mean(0) / 127.5 - 1
        result[int(instance)] = (float(mean[0]), float(mean[1]), float(mean[2]))
    return result


def _hint_map(instances: np.ndarray, hints: Mapping[int, Color]) -> np.ndarray:
    out = np.zeros((*instances.shape, 4), np.float32)
    for instance, color in hints.items():
        out[instances == instance] = (*color, 1.0)
    return out


def _guide(window: WindowArrays) -> Tensor:
    if window.guide is None:
        return torch.zeros(3, *window.hole.shape)
    return _images([window.guide])[0]


def _channels(arrays: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)  # stays channels_last in memory


def _images(arrays: Sequence[np.ndarray]) -> Tensor:
    return _channels(arrays).float() / 127.5 - 1


def _masks(arrays: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(arrays)[:, None].astype(np.float32))
