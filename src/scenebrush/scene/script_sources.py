"""Where a script's files, class names and cut-out objects come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from scenebrush.errors import EditError, InputError, LabelError
from scenebrush.scene.files import MAX_MEGAPIXELS, read_mask
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.operations.adding import Segment
from scenebrush.scene.operations.cutting import Cutter
from scenebrush.scene.scene import Scene


class Sources:
    """Where a script's files and class names come from.

    Args:
        folder: relative paths start here.
        label_set: the classes of the scenes to be edited.
        cutter: cuts objects out of boxes; None: no step may ask for that.
        max_megapixels: the largest picture to open; None = no limit.

    `opened` lists the pictures and maps that were read, in order.
    """

    def __init__(
        self,
        folder: Path,
        label_set: LabelSet,
        cutter: Cutter | None = None,
        max_megapixels: float | None = MAX_MEGAPIXELS,
    ) -> None:
        self.folder = folder
        self.label_set = label_set
        self.cutter = cutter
        self.max_megapixels = max_megapixels
        self.opened: list[Path] = []

    def class_id(self, name: str | int) -> int:
        """Returns the id of a class; `LabelError` with the nearest name if there is none."""
        try:
            return self.label_set.find(name).id
        except LabelError as error:
            raise LabelError(f"unknown class {name!r}{_hint(error) or self._classes()}") from error

    def _classes(self) -> str:
        return f"; label set {self.label_set.name!r} has {', '.join(c.name for c in self.label_set.classes)}"

    def mask(self, path: str) -> np.ndarray:
        """Returns a mask file, bool (h, w)."""
        return read_mask(self._file(path), max_megapixels=self.max_megapixels)

    def donor(self, photo: str, labels: str | None, label_set: str | None, instances: str | None) -> Scene:
        """Returns another scene; its label map is `<photo>.labels.png` beside it if not given."""
        label_path = self._file(labels or self.labels_beside(photo))
        if labels is None and (self.folder / photo).is_file() and not label_path.is_file():
            raise InputError(f'{label_path} does not exist; name the label map of {photo} as "labels"')
        classes = self.label_set if label_set is None else LabelSet.load(self._set(label_set))
        numbers = None if instances is None else self._file(instances)
        return Scene.open(self._file(photo), label_path, classes, numbers, max_megapixels=self.max_megapixels)

    def labels_beside(self, photo: str) -> Path:
        """Returns where the label map of a photo lies that names none."""
        return (self.folder / photo).with_suffix(".labels.png")

    def photo(self, photo: str) -> Scene:
        """Returns a photo without labels as a scene of which nothing is known."""
        return Scene.without_labels(self._file(photo), max_megapixels=self.max_megapixels)

    def cut(self, donor: Scene, box: Sequence[float]) -> Segment:
        """Returns the object in a box (x, y, width, height) of another scene.

        Raises:
            EditError: nothing here cuts objects out, or `Segment.in_box` finds none.
        """
        if self.cutter is None:
            raise EditError(
                "'from' with 'box' needs a model that cuts objects out, and none was given (cutter=); give 'mask', the"
                " object's mask, in place of 'box'"
            )
        return Segment.in_box(donor, box, self.cutter)

    def _file(self, path: str | Path) -> Path:
        found = self.folder / path
        self.opened.append(found)
        return found

    def _set(self, label_set: str) -> str | Path:
        return self.folder / label_set if label_set.endswith(".json") else label_set


def _hint(error: LabelError) -> str:
    text = str(error)
    start = text.find(" (did you mean")
    return text[start : text.find(")", start) + 1] if start >= 0 else ""
