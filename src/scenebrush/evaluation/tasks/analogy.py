"""`analogy`: models that know one photo render it in its own layout and in others that were made for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from scenebrush.data.split_in_memory import LabelledPhoto
from scenebrush.errors import InputError, nearest_name
from scenebrush.evaluation.edit_cases import EditCase, blacked
from scenebrush.evaluation.tasks.task import Sample, Task
from scenebrush.methods.semia.source import Source, resized_layout
from scenebrush.scene.edit import Edit
from scenebrush.scene.files import read_label_map, value_counts
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.operations.holes import dilate
from scenebrush.scene.scene import Scene

RIM = 3  # px around what differs between two layouts that an editor may make anew


@dataclass(frozen=True, eq=False)
class AnalogyCase(EditCase):
    """One layout that a photo is asked for in; to an editor, an edit whose hole is where that layout differs.

    Args:
        target: the layout's name, `<stem>-<k>`; "" = the photo's own layout, whose truth is the photo.
        source: the whole photo with its own layout: what a model may learn from.
    """

    target: str = ""
    source: Scene | None = None

    @property
    def changed(self) -> np.ndarray:
        """bool (H, W), where the class asked for is another than the photo's."""
        assert self.labels_before is not None
        changed: np.ndarray = self.asked != self.labels_before
        return changed


def analogy_cases(sample: Sample) -> list[AnalogyCase]:
    """Returns the cases of the first `n` photos: of each its own layout, then its targets by number.

    Photos and layouts are made smaller so that the longer side is `size` at most, as `scenebrush fit --size` does.

    Raises:
        InputError: no targets, one without a photo, of another size than its photo, or with a class that it lacks.
        LabelError: a target that is no label map of the folder's classes.
    """
    photos = sample.photos
    folder = photos.folder / photos.split / "targets"
    files = _targets(folder, [photo.stem for photo in photos.photos])
    chosen = [photo for photo in photos.photos if files[photo.stem]][: sample.n]
    if not chosen:
        raise InputError(f"{folder} holds no target layouts; write label maps there as <photo's name>-1.png and so on")
    return [case for photo in chosen for case in _cases_of(photo, files[photo.stem], photos.label_set, sample.size)]


def _targets(folder: Path, stems: list[str]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {stem: [] for stem in stems}
    for path in folder.glob("*.png"):
        stem = re.sub(r"-\d+$", "", path.stem)
        if stem == path.stem or stem not in found:
            raise InputError(
                f"{path} belongs to no photo{nearest_name(stem, stems)}; name targets <photo's name>-<number>.png"
            )
        found[stem].append(path)
    return {stem: sorted(paths, key=lambda path: int(path.stem.rpartition("-")[2])) for stem, paths in found.items()}


def _cases_of(photo: LabelledPhoto, files: list[Path], label_set: LabelSet, longest: int) -> list[AnalogyCase]:
    whole = Layout(photo.label_map.astype(np.int32), label_set)
    source = Source(photo.photo, whole).at_most(longest)
    layouts = {"": source.layout}
    for path in files:
        layout = Layout(read_label_map(path, label_set), label_set)
        _check(path, layout, whole)
        layouts[path.stem] = resized_layout(layout, (source.shape[1], source.shape[0]))
    scene = Scene(source.photo, source.layout)
    return [_case(photo.stem, name, layout, scene) for name, layout in layouts.items()]


def _check(path: Path, layout: Layout, own: Layout) -> None:
    if layout.shape != own.shape:
        raise InputError(
            f"{path} is {layout.shape[1]}x{layout.shape[0]}, its photo {own.shape[1]}x{own.shape[0]}; give the"
            " layout at the photo's size"
        )
    there = value_counts(own.label_map)
    for class_id, pixels in value_counts(layout.label_map).items():
        if class_id not in there:
            name = layout.label_set.by_id[class_id].name
            raise InputError(
                f"{path} asks for {name!r} in {pixels} pixels, a class that its photo lacks; use the photo's classes"
            )


def _case(stem: str, name: str, layout: Layout, scene: Scene) -> AnalogyCase:
    before = scene.layout.label_map
    hole = dilate(layout.label_map != before, RIM)
    return AnalogyCase(
        Scene(blacked(scene.photo, hole), scene.layout),
        Edit(hole, layout),
        scene.photo,
        stem,
        truth=None if name else scene.photo,
        labels_before=before,
        target=name,
        source=scene,
    )


def _edit_cases(sample: Sample) -> list[EditCase]:
    return list(analogy_cases(sample))


ANALOGY = Task(
    "analogy",
    "Each photo of the split in its own layout and in the target layouts made for it (`<split>/targets`). A model of"
    " one photo draws the whole picture; an editor makes anew where the layouts differ, and 3 px around, and keeps the"
    " rest. The photo is the truth of its own layout; of the targets nobody knows it: what counts there is whether the"
    " picture is made of the photo (single-image FID, patch coherence and completeness), and whether a classifier"
    " fitted to that photo alone reads the classes asked for.",
    _edit_cases,
    has_truth=False,
    analogies=True,
)
