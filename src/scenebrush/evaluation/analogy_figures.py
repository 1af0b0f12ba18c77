"""The figures of pictures that a model of one photo makes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from scenebrush.errors import InputError
from scenebrush.evaluation.analogy_methods import Painter
from scenebrush.evaluation.inception import InceptionV3
from scenebrush.evaluation.label_agreement import confusion_matrix, mean_iou, pixel_accuracy
from scenebrush.evaluation.lpips import Lpips, lpips
from scenebrush.evaluation.patch_distances import PATCH, patch_distances
from scenebrush.evaluation.photo_classifier import HeldOut, PhotoClassifier, PixelFeatures, held_out
from scenebrush.evaluation.single_image_fid import SifidLayer, single_image_fid
from scenebrush.evaluation.ssim import psnr, ssim
from scenebrush.evaluation.tasks.analogy import AnalogyCase
from scenebrush.scene.label_set import LabelSet

SIFID_LAYER: SifidLayer = "before_first_pool"
PATCH_SIDE = 256  # px: larger pictures are made smaller before their patches are compared
PATCH_STEP = 4  # px from patch to patch; all are searched

Figures = dict[str, float]


@dataclass(frozen=True, eq=False)
class PhotoToDraw:
    """A photo's cases, its own layout first, and what reads pictures made of it.

    Args:
        cases: of one photo.
        ids: its classes, ascending, void aside.
        classifier: fitted to all of it.
        own: what classifiers of one half of it read in the other.
    """

    cases: tuple[AnalogyCase, ...]
    ids: tuple[int, ...]
    classifier: PhotoClassifier
    own: HeldOut

    @property
    def stem(self) -> str:
        """The photo's name."""
        return self.cases[0].group

    def confusion(self, asked: np.ndarray, read: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
        """Returns int64 (C, C + 1) over `ids`, of maps (H, W), perhaps of some pixels only; see `confusion_matrix`."""
        counted = np.isin(asked, self.ids) if where is None else np.isin(asked, self.ids) & where
        return confusion_matrix(asked[counted], read[counted], self.ids)


@dataclass(frozen=True, eq=False)
class PhotoFigures:
    """What was measured of one method on one photo.

    Args:
        pictures: uint8 (H, W, 3) each, one for each case.
        reconstruction: figures of the photo drawn in its own layout; empty for an editor.
        targets: figures of each target, by its name.
        confusion: int64 (C, C + 1) over the photo's ids, all targets together.
        learned: seconds that the method learned this photo for, 0 = not at all.
    """

    pictures: list[np.ndarray]
    reconstruction: Figures
    targets: dict[str, Figures]
    confusion: np.ndarray
    learned: float

    @property
    def means(self) -> Figures:
        """The photo's figures: the means over its targets, its reconstruction, and the seconds it was learned for."""
        names = dict.fromkeys(name for figures in self.targets.values() for name in figures)
        means = {name: _mean([figures[name] for figures in self.targets.values()]) for name in names}
        return self.reconstruction | means | ({"learned_seconds": self.learned} if self.learned else {})


@dataclass(frozen=True, eq=False)
class AnalogyMeasures:
    """The networks that measure analogies.

    Args:
        alex: LPIPS on AlexNet.
        features: what the photos' classifiers see.
        inception: for single-image FID, or None to leave it out.
    """

    alex: Lpips
    features: PixelFeatures
    inception: InceptionV3 | None = None

    @classmethod
    def load(cls, folder: Path | None = None, *, fid: bool = True) -> Self:
        """Returns them with their weights; `ModelError` names what is missing."""
        inception = InceptionV3.load(folder) if fid else None
        return cls(Lpips.load("alex", folder), PixelFeatures.load(folder), inception)

    def photo(self, cases: Sequence[AnalogyCase], label_set: LabelSet) -> PhotoToDraw:
        """Returns a photo's cases with its classifier; a photo of one class is an `InputError`."""
        photo, labels = cases[0].before, cases[0].scene.layout.label_map
        void = {label_set.ignore_id, *label_set.of_kind("void")}
        ids = tuple(int(i) for i in np.unique(labels) if i not in void)
        try:
            classifier = PhotoClassifier.fit(photo, labels, self.features, ids)
            own = held_out(photo, labels, self.features, ids)
        except InputError as error:
            raise InputError(f"photo {cases[0].group!r}: {error}") from error
        return PhotoToDraw(tuple(cases), classifier.ids, classifier, own)

    def measure(self, photo: PhotoToDraw, painter: Painter, report: Callable[[], object] | None = None) -> PhotoFigures:
        """Returns the figures of a photo's cases, drawn by what is ready for it; `report` is told of each."""
        painter.paint(photo.cases[-1])  # warm: lazy loading is not the picture's time
        pictures, targets, reconstruction = list[np.ndarray](), dict[str, Figures](), Figures()
        confusion = photo.confusion(photo.cases[0].asked[:0], photo.cases[0].asked[:0])
        for case in photo.cases:
            start, cpu_start = time.perf_counter(), time.process_time()
            picture = _checked(painter.paint(case), case)
            spent = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu_start}
            if case.target:
                reading = photo.classifier.read(picture)
                matrix = photo.confusion(case.asked, reading)
                changed = photo.confusion(case.asked, reading, case.changed)
                targets[case.target] = self._look(case, picture) | _agreement(matrix, changed) | spent
                confusion = confusion + matrix
            elif painter.draws_whole:
                reconstruction = self._reconstruction(case, picture)
            pictures.append(picture)
            if report is not None:
                report()
        return PhotoFigures(pictures, reconstruction, targets, confusion, painter.learned)

    def _reconstruction(self, case: AnalogyCase, picture: np.ndarray) -> Figures:
        return {
            "reconstruction_psnr": float(psnr(picture, case.before)[0]),
            "reconstruction_ssim": float(ssim(picture, case.before)[0]),
            "reconstruction_lpips": float(lpips(picture, case.before, self.alex)[0]),
        }

    def _look(self, case: AnalogyCase, picture: np.ndarray) -> Figures:
        small, source = (_at_most(image, PATCH_SIDE) for image in (picture, case.before))
        patches = patch_distances(small, source, step=PATCH_STEP if min(small.shape[:2]) > 8 * PATCH else 1)
        figures = {"coherence": patches.coherence, "completeness": patches.completeness}
        if self.inception is not None:
            found = single_image_fid(picture, case.before, self.inception, layer=SIFID_LAYER)
            figures["single_image_fid"] = found.mean
        return figures


def _agreement(matrix: np.ndarray, changed: np.ndarray) -> Figures:
    return {
        "agreement": pixel_accuracy(matrix),
        "agreement_changed": pixel_accuracy(changed),
        "miou": mean_iou(matrix),
    }


def _mean(values: Sequence[float]) -> float:
    """The mean of what is defined; NaN where nothing is."""
    defined = [value for value in values if np.isfinite(value)]
    return float(np.mean(defined)) if defined else float("nan")


def _at_most(picture: np.ndarray, side: int) -> np.ndarray:
    factor = side / max(picture.shape[:2])
    if factor >= 1:
        return picture
    size = (max(1, round(picture.shape[1] * factor)), max(1, round(picture.shape[0] * factor)))
    return np.asarray(Image.fromarray(np.ascontiguousarray(picture)).resize(size, Image.Resampling.LANCZOS))


def _checked(picture: np.ndarray, case: AnalogyCase) -> np.ndarray:
    if picture.dtype != np.uint8 or picture.shape != case.before.shape:
        raise InputError(
            f"the picture of {case.target or case.group} is {picture.dtype} {picture.shape}; expected uint8"
            f" {case.before.shape}"
        )
    return picture
