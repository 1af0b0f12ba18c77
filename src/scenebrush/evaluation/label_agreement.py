"""Label agreement: what a segmenter reads in a picture against the layout that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from scenebrush.evaluation.pictures import Pictures
from scenebrush.evaluation.segmenters import Segmenter, Surroundings
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
        raise NotImplementedError

    @property
    def miou(self) -> np.ndarray:
        """float64 (N,): mean IoU over the classes asked for in each picture; NaN where none compares."""
        raise NotImplementedError

    @property
    def pooled_accuracy(self) -> float:
        """The accuracy over the pixels of all pictures together."""
        raise NotImplementedError

    @property
    def pooled_miou(self) -> float:
        """The mean IoU of the summed confusion matrix, over the classes that occur in any layout."""
        raise NotImplementedError

    def class_iou(self) -> dict[str, float]:
        """Returns class name -> IoU over all pictures together, of the classes that occur in any layout."""
        raise NotImplementedError


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
    raise NotImplementedError
