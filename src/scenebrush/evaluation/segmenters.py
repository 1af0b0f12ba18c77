"""Segmenters that read pictures for the label-agreement figures: ONNX networks with a label mapping beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from scenebrush.data.holes import Box
from scenebrush.scene.label_set import LabelSet

SEGMENTERS: tuple[str, ...] = ("deeplab-cityscapes", "mosaic-ade31")
"""The shipped ones; their weights are assets of the same name."""

UNSEEN = -1
"""In a comparable layout: a class of ours that the segmenter cannot tell; such pixels count nowhere."""

UNREAD = -1
"""In a reading: the segmenter saw something that is no class of ours; such pixels count as wrong."""


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The whole photo that a picture is a window of, so that a segmenter sees what the window lies in.

    Args:
        photo: uint8 (H, W, 3), the whole photo.
        box: the window (x0, y0, x1, y1) in it; the picture is resized to it where sizes differ.
    """

    photo: np.ndarray
    box: Box


class Segmenter:
    """Reads label maps off pictures, in the ids of one of our label sets. `load` makes one."""

    name: str
    label_set: LabelSet
    seen: tuple[int, ...]

    @classmethod
    def load(
        cls, spec: str | Path, label_set: LabelSet, *, folder: Path | None = None, threads: int | None = None
    ) -> Self:
        """Returns the segmenter that `spec` names, reading in the ids of `label_set`.

        Args:
            spec: one of `SEGMENTERS`, or `FILE.onnx` with its mapping `FILE.json` beside it.
            label_set: the data's.
            folder: where weights of shipped segmenters lie; default as `assets.find_asset`.
            threads: CPU threads; None leaves it to onnxruntime.

        Raises:
            InputError: no such segmenter, no mapping file, or no mapping for this label set; the message
                names the file, the label sets that it has and how to write one.
            ModelError: the weights are missing or changed, or onnxruntime is not installed.
        """
        raise NotImplementedError

    def read(self, photo: np.ndarray, surroundings: Surroundings | None = None) -> np.ndarray:
        """Returns the reading of a picture, int32 (H, W): ids of `seen`, `UNREAD` = none of ours.

        Args:
            photo: uint8 (H, W, 3).
            surroundings: the whole photo that it is a window of; the segmenter then reads the whole photo
                with the window pasted in, and the window's part of that is returned.
        """
        raise NotImplementedError

    def comparable(self, label_map: np.ndarray) -> np.ndarray:
        """Returns int32 (H, W): a layout in the words that the segmenter has.

        Classes that it has one word for become the first of them; classes that it cannot tell, void and
        unlabelled become `UNSEEN`.
        """
        raise NotImplementedError


def default_segmenter(label_set: LabelSet) -> str | None:
    """Returns the name of the shipped segmenter that knows most of the classes of `label_set`, None if none does."""
    raise NotImplementedError
