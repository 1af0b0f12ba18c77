"""scenebrush segment."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from tyro.conf import FlagCreatePairsOff, Positional, arg

from scenebrush.cli.console import progress, say, say_json
from scenebrush.errors import InputError
from scenebrush.methods import SEGMENTERS, Segmenter, list_models, load_segmenter
from scenebrush.scene import MAX_MEGAPIXELS, LabelSet, read_photo, write_instance_map, write_label_map
from scenebrush.scene.objects import connected_objects

DEFAULT_MODEL = "segment-street"
LEAST_OBJECT = 16  # pixels; smaller pieces of a thing get no number of their own


@dataclass
class Arguments:
    """Make a label map for a photograph that has none, so that it can be edited.

    Example: scenebrush segment street.jpg --model runs/street/model -o street.png
    """

    photo: Annotated[Positional[Path], arg(metavar="PHOTO")]
    """The photo: JPEG, PNG, WebP or TIFF."""
    out: Annotated[Path, arg(metavar="MAP", aliases=("-o",))]
    """The label map to write: a PNG of the photo's size whose values are class ids."""
    model: Annotated[str | None, arg(metavar="M")] = None
    """Name or folder of a model that makes label maps, or onnx:FILE, a segmenter of your own with its mapping
    beside it; segment-street by default."""
    label_set: Annotated[str | None, arg(metavar="SET")] = None
    """With onnx:FILE, the classes of the map: camvid, cityscapes, ade20k, ... or a .json file; models know theirs."""
    instances: Annotated[Path | None, arg(metavar="OUT")] = None
    """Write an instance map too: each connected piece of a class of things is one object."""
    max_megapixels: Annotated[float, arg(metavar="N")] = MAX_MEGAPIXELS
    """The largest photo to open."""
    json: Annotated[bool, FlagCreatePairsOff] = False
    """Print JSON for a program to read."""


def run(arguments: Arguments, argv: Sequence[str]) -> None:
    """Reads, segments, writes, and says what was found and written."""
    started = time.perf_counter()
    paths = output_paths(arguments)
    model = segmenter_asked(arguments)
    photo = read_photo(arguments.photo, max_megapixels=arguments.max_megapixels).pixels
    with progress("segmenting") as report:
        label_map = model.segment(photo)
        report(1.0)
    written = [str(write_label_map(paths[0], label_map, model.label_set))]
    if len(paths) > 1:
        objects = connected_objects(label_map, model.label_set, least=LEAST_OBJECT)
        written.append(str(write_instance_map(paths[1], objects)))
    seconds = round(time.perf_counter() - started, 2)
    found = shares(label_map, model.label_set)
    if arguments.json:
        facts = {"model": model.name, "label_set": model.label_set.name, "classes": found}
        say_json({"written": written, **facts, "seconds": seconds})
        return
    say(", ".join(f"{name} {share:.0%}" for name, share in found.items() if share >= 0.005))
    say(f"{model.label_set.name} classes by {model.name} in {seconds} s: {', '.join(written)}")


def output_paths(arguments: Arguments) -> list[Path]:
    """Returns where the maps go, with an ending; refuses what cannot be, or would overwrite the photo or each other."""
    paths = [_map_path(path) for path in (arguments.out, arguments.instances) if path is not None]
    for path in paths:
        if path.resolve() == arguments.photo.resolve():
            raise InputError(f"{path} would be overwritten, but is read; give the map another name")
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError(f"--instances {paths[1]} is the label map too; give it a name of its own")
    return paths


def segmenter_asked(arguments: Arguments) -> Segmenter:
    """Returns the segmenter that is named, or the shipped one.

    Raises:
        InputError: none is there, a label set is missing, or is given to a model that has its own.
        ModelError: no such model, or one that makes no label maps.
    """
    name = arguments.model
    if name is None:
        there = [card.name for card in list_models() if card.method in SEGMENTERS]
        if DEFAULT_MODEL not in there:
            raise InputError(
                f"{DEFAULT_MODEL} is not here; name a model with --model, trained by scenebrush train"
                " recipes/segmenter/street.yaml, or onnx:FILE"
            )
        name = DEFAULT_MODEL
    from scenebrush.evaluation.readers import ONNX, MappedSegmenter, is_mapped

    if is_mapped(name):
        if arguments.label_set is None:
            raise InputError(f"{name} needs --label-set SET, the classes of the map; its mapping says for which it can")
        from scenebrush.evaluation.segmenters import Segmenter as Mapped

        return MappedSegmenter(Mapped.load(name.removeprefix(ONNX), LabelSet.load(arguments.label_set)))
    model = load_segmenter(name)
    if arguments.label_set is not None and LabelSet.load(arguments.label_set).ids != model.label_set.ids:
        raise InputError(
            f"model {model.name!r} knows the classes of {model.label_set.name!r}, not of {arguments.label_set!r};"
            " leave out --label-set, or name another model"
        )
    return model


def shares(label_map: np.ndarray, label_set: LabelSet) -> dict[str, float]:
    """Returns class name -> share of the pixels, of the classes that occur, the largest first."""
    ids, counts = np.unique(label_map, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {label_set.by_id[int(ids[i])].name: round(float(counts[i]) / label_map.size, 4) for i in order}


def _map_path(path: Path) -> Path:
    """Returns where a map goes, with an ending; `InputError` where it cannot be written."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; name the map, for instance {path / 'labels.png'}")
    path = path if path.suffix else path.with_suffix(".png")
    if path.suffix.lower() != ".png":
        raise InputError(f"{path}: maps are written as PNG; end the name in .png")
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be written: the folder {path.parent} does not exist; make it")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"{path} cannot be written: the folder {path.parent} is read-only; choose another place")
    return path
