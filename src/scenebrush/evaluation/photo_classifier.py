"""A classifier of one photo: fitted to its pixels and labels alone, it reads pictures that claim to be made of them.

Features of a pixel are VGG16's at three depths and its colour at three scales, never its place; the classifier is a
linear discriminant with shrinkage (Friedman 1989), which has a closed form: no seed, no iterations, under a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np
import torch
from scipy import ndimage
from skimage import color
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from torch.nn import functional as F

from scenebrush.errors import InputError
from scenebrush.evaluation.assets import find_asset
from scenebrush.evaluation.pictures import to_tensor
from scenebrush.layers.vgg import VGG

LAYERS: Final = ("relu1_2", "relu2_2", "relu3_3")
SCALES: Final = (0.0, 1.5, 4.0)  # px: of the Gaussians that colour is seen through
SHRINKAGE: Final = 0.05
MOST = 2000  # pixels of a class that are learned from: large classes must not drown small ones
LEAST = 8  # pixels: of a class with fewer there is nothing to learn
TILE = 32  # px: sides of the chequered squares that a photo is halved into


class PixelFeatures:
    """What is seen of a pixel.

    Args:
        vgg: the network.
    """

    def __init__(self, vgg: VGG) -> None:
        self._vgg = vgg

    @classmethod
    def load(cls, folder: Path | None = None) -> Self:
        """Returns the features of VGG16, from LPIPS's weights; errors as `assets.find_asset`."""
        return cls(VGG.from_file(find_asset("lpips-vgg", folder), "vgg16", imagenet_normalisation=True))

    @torch.inference_mode()
    def of(self, picture: np.ndarray) -> np.ndarray:
        """Returns float32 (H * W, C) of a picture, uint8 (H, W, 3), row by row."""
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or min(picture.shape[:2]) < 4:
            raise InputError(f"a picture is {picture.dtype} {picture.shape}; expected uint8 (H, W, 3), 4 px a side")
        size = picture.shape[:2]
        maps = self._vgg(to_tensor(picture[None], self._vgg.mean.device), LAYERS)
        parts = [F.interpolate(m, size, mode="bilinear", align_corners=False)[0].cpu().numpy() for m in maps]
        lab = np.asarray(color.rgb2lab(picture), np.float32)
        parts += [np.moveaxis(ndimage.gaussian_filter(lab, (scale, scale, 0)), 2, 0) for scale in SCALES]
        features: np.ndarray = np.concatenate(parts).reshape(-1, size[0] * size[1]).T
        return features


class PhotoClassifier:
    """Reads label maps off pictures in the look of one photo; `fit` makes one."""

    def __init__(self, features: PixelFeatures, discriminant: LinearDiscriminantAnalysis, scale: np.ndarray) -> None:
        self._features, self._discriminant, self._scale = features, discriminant, scale

    @classmethod
    def fit(cls, photo: np.ndarray, label_map: np.ndarray, features: PixelFeatures, ids: tuple[int, ...]) -> Self:
        """Returns the classifier of a photo.

        Args:
            photo: uint8 (H, W, 3).
            label_map: int (H, W).
            features: what is seen of a pixel.
            ids: the classes to tell apart; pixels of others, and classes of fewer than 8 pixels, are not learned from.

        Raises:
            InputError: sizes that differ, or fewer than two such classes in the photo.
        """
        if label_map.shape != photo.shape[:2]:
            raise InputError(f"photo {photo.shape} and label map {label_map.shape} differ in size; both are (H, W)")
        return cls._fitted(features, features.of(photo), label_map.ravel(), ids)

    @classmethod
    def _fitted(cls, features: PixelFeatures, seen: np.ndarray, labels: np.ndarray, ids: tuple[int, ...]) -> Self:
        chosen = [_some(np.flatnonzero(labels == class_id)) for class_id in ids]
        chosen = [own for own in chosen if len(own) >= LEAST]
        if len(chosen) < 2:
            raise InputError("a photo of one class has nothing to tell apart; label at least two classes")
        pixels = np.concatenate(chosen)
        scale = seen[pixels].std(axis=0) + np.float32(1e-3)
        discriminant = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=SHRINKAGE)
        discriminant.fit(seen[pixels] / scale, labels[pixels])
        return cls(features, discriminant, scale)

    @property
    def ids(self) -> tuple[int, ...]:
        """The classes that it can tell."""
        return tuple(int(i) for i in self._discriminant.classes_)

    def read(self, picture: np.ndarray) -> np.ndarray:
        """Returns the label map that is read in a picture uint8 (H, W, 3): int32 (H, W)."""
        return self._read(self._features.of(picture)).reshape(picture.shape[:2])

    def _read(self, seen: np.ndarray) -> np.ndarray:
        labels: np.ndarray = self._discriminant.predict(seen / self._scale).astype(np.int32)
        return labels


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What is read in a photo by classifiers that did not see that part of it.

    Args:
        reading: int32 (H, W).
        known: bool (H, W), where the class was to be known: it occurs in the other half too.
        accuracy: share of the known pixels that are read rightly.
    """

    reading: np.ndarray
    known: np.ndarray
    accuracy: float


def held_out(photo: np.ndarray, label_map: np.ndarray, features: PixelFeatures, ids: tuple[int, ...]) -> HeldOut:
    """Returns what two classifiers, fitted to one half of a photo each (chequered tiles), read in the other half.

    Arguments and errors are those of `PhotoClassifier.fit`; both halves need two classes.
    """
    rows, columns = np.indices(label_map.shape)
    side = min(TILE, max(1, min(label_map.shape) // 4))
    half = ((rows // side + columns // side) % 2 == 0).ravel()
    seen, labels = features.of(photo), label_map.ravel()
    reading, known = np.zeros(labels.shape, np.int32), np.zeros(labels.shape, bool)
    for own in (half, ~half):
        classifier = PhotoClassifier._fitted(features, seen[own], labels[own], ids)
        reading[~own] = classifier._read(seen[~own])
        known[~own] = np.isin(labels[~own], classifier.ids)
    accuracy = float((reading == labels)[known].mean())
    return HeldOut(reading.reshape(label_map.shape), known.reshape(label_map.shape), accuracy)


def _some(pixels: np.ndarray) -> np.ndarray:
    """At most `MOST` of the pixels, evenly spread."""
    if len(pixels) <= MOST:
        return pixels
    some: np.ndarray = pixels[np.linspace(0, len(pixels) - 1, MOST).astype(np.intp)]
    return some
