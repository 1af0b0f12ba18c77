"""What task `segment` measures: models that make label maps, segmenters with a mapping, and the truth."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np

from scenebrush.errors import InputError, nearest_name
from scenebrush.evaluation.edit_cases import EditCase
from scenebrush.evaluation.methods_by_name import check_classes
from scenebrush.evaluation.segmenters import SEGMENTERS, UNREAD, UNSEEN, Segmenter
from scenebrush.methods import Segmenter as Model
from scenebrush.methods import find_model, list_models, load_segmenter
from scenebrush.scene.label_set import LabelSet

TRUTH = "truth"
ONNX = "onnx:"


class Reader(Protocol):
    """Reads the label maps of a task's photos.

    `seen` are the ids that it can tell, ascending: the others count nowhere.
    """

    name: str
    label_set: LabelSet
    seen: tuple[int, ...]

    def read_case(self, case: EditCase) -> np.ndarray:
        """Returns the label map of a case's photo, int (H, W); `UNREAD` = something that is no class of ours."""
        ...

    def comparable(self, label_map: np.ndarray) -> np.ndarray:
        """Returns int32 (H, W): the true labels in the words of the reader, `UNSEEN` where it can tell nothing."""
        ...


class MappedReader:
    """A segmenter with a mapping as a `Reader`."""

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter
        self.name, self.label_set, self.seen = segmenter.name, segmenter.label_set, segmenter.seen

    def read_case(self, case: EditCase) -> np.ndarray:
        """Returns what the segmenter reads in the photo."""
        return self.segmenter.read(case.before)

    def comparable(self, label_map: np.ndarray) -> np.ndarray:
        """Returns the labels in the segmenter's words."""
        return self.segmenter.comparable(label_map)


class TrueReader:
    """The data's own labels as a `Reader`: the ceiling. Every class can be told, but void and unlabelled."""

    name = TRUTH

    def __init__(self, label_set: LabelSet) -> None:
        self.label_set = label_set
        told = (c.id for c in label_set.classes if c.kind != "void" and c.id != label_set.ignore_id)
        self.seen: tuple[int, ...] = tuple(sorted(told))

    def read_case(self, case: EditCase) -> np.ndarray:
        """Returns the case's labels."""
        return case.asked

    def comparable(self, label_map: np.ndarray) -> np.ndarray:
        """Returns the labels themselves."""
        return np.where(np.isin(label_map, self.seen), label_map, UNSEEN).astype(np.int32)


class ModelReader(TrueReader):
    """A model that makes label maps as a `Reader`; it answers for every class of its label set."""

    def __init__(self, model: Model) -> None:
        super().__init__(model.label_set)
        self.model, self.name = model, model.name

    def read_case(self, case: EditCase) -> np.ndarray:
        """Returns the model's label map of the photo."""
        return self.model.segment(case.before)


class MappedSegmenter:
    """A segmenter with a mapping as a model that makes label maps (`methods.Segmenter`)."""

    def __init__(self, segmenter: Segmenter) -> None:
        self.segmenter = segmenter
        self.name, self.label_set = segmenter.name, segmenter.label_set

    def segment(self, photo: np.ndarray) -> np.ndarray:
        """Returns the label map; what is none of our classes is unlabelled.

        Raises:
            InputError: there is such a pixel, and the label set has no id for it.
        """
        found = self.segmenter.read(photo)
        unread = found == UNREAD
        if unread.any() and self.label_set.ignore_id is None:
            raise InputError(
                f"{self.name} reads none of our classes in {int(unread.sum())} pixels, and label set"
                f" {self.label_set.name!r} has no unlabelled id for them; give it an ignore_id, or map more words"
            )
        return np.where(unread, self.label_set.ignore_id or 0, found)


def reader_by_name(spec: str, label_set: LabelSet, *, threads: int | None = None) -> Reader:
    """Returns the reader that `spec` names.

    Args:
        spec: `truth`; one of `SEGMENTERS`, or `FILE.onnx`, also as `onnx:FILE`, with its mapping beside it; else a
            model, by name or folder, also as `model:NAME`.
        label_set: of the data.
        threads: CPU threads of an ONNX network; None leaves it to onnxruntime.

    Raises:
        InputError: no such segmenter or mapping, or a model of other classes than the data.
        ModelError: missing weights, or a model that makes no label maps.
    """
    if spec == TRUTH:
        return TrueReader(label_set)
    if is_mapped(spec):
        return MappedReader(Segmenter.load(spec.removeprefix(ONNX), label_set, threads=threads))
    name = spec.removeprefix("model:")
    known = [card.name for card in list_models()]
    if name not in known and not Path(name).is_dir():
        names = [TRUTH, *SEGMENTERS, *known]
        hint = nearest_name(name, names)
        raise InputError(f"unknown segmenter {name!r}{hint}; give {', '.join(names[:3])}, FILE.onnx or a model")
    check_classes(find_model(name), label_set)
    return ModelReader(load_segmenter(name))


def is_mapped(spec: str) -> bool:
    """Returns whether `spec` names a segmenter with a mapping: a shipped one, or an ONNX file."""
    return spec in SEGMENTERS or spec.startswith(ONNX) or spec.endswith(".onnx")
