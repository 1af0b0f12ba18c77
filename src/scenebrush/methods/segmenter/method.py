"""What the segmenter can do: say what every pixel of a photo is."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from scenebrush.errors import InputError, ModelError
from scenebrush.methods.layout_arrays import photo_tensor
from scenebrush.methods.segmenter.classes import known_ids
from scenebrush.methods.segmenter.config import SegmenterConfig
from scenebrush.methods.segmenter.enlarging import enlarged_argmax
from scenebrush.methods.segmenter.folder import load_network
from scenebrush.methods.segmenter.network import SegmentationNetwork, folded
from scenebrush.scene.label_set import LabelSet


class PhotoSegmenter:
    """Makes label maps; a `Segmenter`.

    Args:
        network: a trained network; it is folded here.
        config: its configuration.
        label_set: the classes that it knows; its maps hold none that is void.
        name: for messages and tables.
    """

    def __init__(
        self, network: SegmentationNetwork, config: SegmenterConfig, label_set: LabelSet, *, name: str = "segmenter"
    ) -> None:
        self.network = folded(network)
        self.config = config
        self.label_set = label_set
        self.name = name
        self.flip = True
        """Whether each photo is read twice, mirrored too, and the chances are averaged."""
        self._ids = np.asarray(known_ids(label_set), np.int32)

    def segment(self, photo: np.ndarray) -> np.ndarray:
        """Returns the label map, int32 (H, W), of a photo of any size; see `methods.base.Segmenter`."""
        if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8 or 0 in photo.shape:
            raise InputError(f"a segmenter reads photos uint8 (H, W, 3); this one is {photo.dtype} {photo.shape}")
        label_map: np.ndarray = self._ids[enlarged_argmax(self.chances(photo), (photo.shape[0], photo.shape[1]))]
        return label_map

    def chances(self, photo: np.ndarray) -> Tensor:
        """Returns what each class's chance is, float (K, h, w), at the largest size that the photo is read at."""
        readings = [self._chances(photo_tensor(self._at_scale(photo, scale))) for scale in self.config.scales]
        size = max((tuple(reading.shape[1:]) for reading in readings), key=math.prod)
        enlarged = [F.interpolate(reading[None], size, mode="bilinear", align_corners=False)[0] for reading in readings]
        return torch.stack(enlarged).mean(0) if len(enlarged) > 1 else readings[0]

    def _chances(self, image: Tensor) -> Tensor:
        with torch.inference_mode():
            chances: Tensor = self.network(image).softmax(1)[0]
            if self.flip:
                chances = (chances + self.network(image.flip(3)).softmax(1)[0].flip(2)) / 2
        return chances

    def _at_scale(self, photo: np.ndarray, share: float) -> np.ndarray:
        """Returns a photo at a share of the longer side that the network knows things at, or of its own if smaller."""
        height, width = photo.shape[:2]
        scale = min(self.config.longer_side / max(height, width), 1) * share
        size = max(1, round(width * scale)), max(1, round(height * scale))
        if size == (width, height):
            return photo
        return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BICUBIC))


def load(folder: Path | None) -> PhotoSegmenter:
    """Returns the segmenter of a model folder; see `folder.load_network` for what may be wrong with it."""
    if folder is None:
        raise ModelError("method 'segmenter' needs a model folder; name one that was trained")
    network, config, label_set = load_network(folder)
    return PhotoSegmenter(network, config, label_set, name=folder.resolve().name)
