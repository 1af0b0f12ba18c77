"""Label agreement: what a segmenter reads in a picture against the layout that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from scenebrush.errors import InputError
from scenebrush.evaluation.pictures import Pictures
from scenebrush.evaluation.segmenters import UNSEEN, Segmenter, Surroundings
from scenebrush.scene.label_set import LabelSet


@dataclass(frozen=True, eq=False)
class Agreement:
    """How far a segmenter's readings of N pictures agree with their layouts.

    Args:
        confusion: int64 (N, C, C + 1), pixels asked for as class i and read as class j; the last column
            is "read as none of ours".
        class_ids: the C ids that the segmenter can tell, in the order of the rows.
        label_set: names them.
        segmenter: the segmenter's name.
    """

    confusion: np.ndarray
    class_ids: tuple[int, ...]
    label_set: LabelSet
    segmenter: str

    @property
    def accuracy(self) -> np.ndarray:
        """float64 (N,): share of each picture's compared pixels that are read as asked; NaN where none compares."""
        return np.array([pixel_accuracy(matrix) for matrix in self.confusion])

    @property
    def miou(self) -> np.ndarray:
        """float64 (N,): mean IoU over the classes asked for in each picture; NaN where none compares."""
        return np.array([mean_iou(matrix) for matrix in self.confusion])

    @property
    def pooled_accuracy(self) -> float:
        """The accuracy over the pixels of all pictures together."""
        return pixel_accuracy(self.confusion.sum(axis=0))

    @property
    def pooled_miou(self) -> float:
        """The mean IoU of the summed confusion matrix, over the classes that occur in any layout."""
        return mean_iou(self.confusion.sum(axis=0))

    def class_iou(self) -> dict[str, float]:
        """Returns class name -> IoU over all pictures together, of the classes that occur in any layout."""
        values = iou(self.confusion.sum(axis=0))
        names = [self.label_set.by_id[i].name for i in self.class_ids]
        return {name: float(value) for name, value in zip(names, values, strict=True) if np.isfinite(value)}


def label_agreement(
    pictures: Pictures,
    label_maps: Pictures,
    segmenter: Segmenter,
    *,
    holes: Pictures | None = None,
    surroundings: Sequence[Surroundings | None] | None = None,
    report: Callable[[int], None] | None = None,
) -> Agreement:
    """Returns the agreement of pictures with the layouts asked for; on the true photos it is the ceiling.

    Args:
        pictures: uint8, each (H, W, 3); sizes may differ in a sequence.
        label_maps: int, each (H, W): ids of the segmenter's label set.
        segmenter: reads the pictures.
        holes: bool, each (H, W): only these pixels are compared; None = all.
        surroundings: the whole photo of each window; give them to truth and result alike.
        report: is told how many pictures are read.

    Raises:
        InputError: 0 pictures, or counts or sizes that differ.
    """
    _check_counts(len(pictures), label_maps=label_maps, holes=holes, surroundings=surroundings)
    matrices = []
    for i in range(len(pictures)):
        hole = None if holes is None else np.asarray(holes[i])
        _check_sizes(i, np.shape(pictures[i])[:2], np.shape(label_maps[i]), None if hole is None else hole.shape)
        reading = segmenter.read(pictures[i], None if surroundings is None else surroundings[i])
        asked = segmenter.comparable(label_maps[i])
        compared = asked != UNSEEN if hole is None else hole & (asked != UNSEEN)
        matrices.append(confusion_matrix(asked[compared], reading[compared], segmenter.seen))
        if report:
            report(i + 1)
    return Agreement(np.stack(matrices), segmenter.seen, segmenter.label_set, segmenter.name)


def confusion_matrix(asked: np.ndarray, read: np.ndarray, class_ids: Sequence[int]) -> np.ndarray:
    """Returns int64 (C, C + 1): how many pixels were asked for as class i and read as j; last = none of them.

    Args:
        asked: ids (n,), all among `class_ids`.
        read: ids (n,).
        class_ids: the C ids, ascending.
    """
    ids, count = np.asarray(class_ids), len(class_ids)
    rows, columns = np.searchsorted(ids, asked), np.searchsorted(ids, read)
    known = ids[np.minimum(columns, count - 1)] == read
    columns = np.where(known, columns, count)
    counts = np.bincount(rows * (count + 1) + columns, minlength=count * (count + 1))
    return counts.reshape(count, count + 1).astype(np.int64)


def iou(matrix: np.ndarray) -> np.ndarray:
    """Returns intersection over union, float64 (C,), of a confusion matrix (C, C + 1); NaN for classes not asked for.

    A class that is read where it was not asked for, and asked for nowhere, costs the classes whose pixels it
    took, but does not count as a class of its own: otherwise one wrong pixel would halve a picture's mean.
    """
    right, asked = np.diagonal(matrix).astype(np.float64), matrix.sum(axis=1)
    union = asked + matrix[:, :-1].sum(axis=0) - right
    return np.where(asked > 0, right / np.maximum(union, 1), np.nan)


def mean_iou(matrix: np.ndarray) -> float:
    """Returns the mean of `iou` over the classes asked for; NaN where there is none."""
    values = iou(matrix)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def pixel_accuracy(matrix: np.ndarray) -> float:
    """Returns the share of pixels read as asked; NaN of an empty matrix."""
    total = matrix.sum()
    return float(np.trace(matrix) / total) if total else float("nan")


def _check_counts(count: int, **others: Pictures | Sequence[Surroundings | None] | None) -> None:
    if count == 0:
        raise InputError("pictures: 0 pictures; an agreement needs at least 1")
    for name, values in others.items():
        if values is not None and len(values) != count:
            raise InputError(f"{count} pictures, but {len(values)} {name}; give one for each")


def _check_sizes(i: int, picture: tuple[int, ...], labels: tuple[int, ...], hole: tuple[int, ...] | None) -> None:
    if labels != picture or (hole is not None and hole != picture):
        shapes = f"picture {picture}, labels {labels}" + ("" if hole is None else f", hole {hole}")
        raise InputError(f"picture {i} differs in size from its maps: {shapes}; all are (H, W) of one size")
