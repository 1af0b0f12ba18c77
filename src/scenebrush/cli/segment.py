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
from scenebrush.cli.object_flags import METHOD, box_asked, box_form, networks_asked, write_cut_out
from scenebrush.errors import InputError
from scenebrush.methods import SEGMENTERS, Segmenter, find_model, list_models, load_segmenter
from scenebrush.scene import MAX_MEGAPIXELS, LabelSet, read_photo, write_instance_map, write_label_map
from scenebrush.scene.objects import connected_objects

DEFAULT_MODEL = "segment-street"
LEAST_OBJECT = 16  # pixels; smaller pieces of a thing get no number of their own


@dataclass
class Arguments:
    """Make a label map for a photograph that has none, so that it can be edited; or cut one object out of its box.

    With --box it writes a cut-out instead of a map: a PNG whose opacity is the object.

    Example: scenebrush segment street.jpg --instances street.instances.png -o street.png

    Example: scenebrush segment dog.jpg --box 120,80,200,260 -o dog.png
    """

    photo: Annotated[Positional[Path], arg(metavar="PHOTO")]
    """The photo: JPEG, PNG, WebP or TIFF."""
    out: Annotated[Path, arg(metavar="MAP", aliases=("-o",))]
    """The label map to write: a PNG of the photo's size whose values are class ids; with --box the cut-out, a PNG."""
    model: Annotated[str | None, arg(metavar="M")] = None
    """Name or folder of a model that makes label maps, or onnx:FILE, a segmenter of your own with its mapping
    beside it; segment-street by default. With --box a model of seigan; seigan-objects by default."""
    box: Annotated[str | None, arg(metavar="X,Y,W,H")] = None
    """A box closely around one object: cut that out."""
    crop: Annotated[bool, FlagCreatePairsOff] = False
    """With --box, write the box alone, not the whole photo's size."""
    label_set: Annotated[str | None, arg(metavar="SET")] = None
    """With onnx:FILE, the classes of the map: camvid, cityscapes, ade20k, ... or a .json file; models know theirs."""
    instances: Annotated[Path | None, arg(metavar="OUT")] = None
    """Write an instance map too: each connected piece of a class of things is one object."""
    max_megapixels: Annotated[float, arg(metavar="N")] = MAX_MEGAPIXELS
    """The largest photo to open."""
    json: Annotated[bool, FlagCreatePairsOff] = False
    """Print JSON for a program to read."""


def run(arguments: Arguments, argv: Sequence[str]) -> None:
    """Reads, segments or cuts out, writes, and says what was found and written."""
    started = time.perf_counter()
    if arguments.box is not None:
        cut_out_of_box(arguments, arguments.box, started)
        return
    if arguments.crop:
        raise InputError("--crop goes with --box X,Y,W,H, which says what to cut out; leave it out")
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


def cut_out_of_box(arguments: Arguments, box: str, started: float) -> None:
    """Cuts the object out of a box of the photo, writes it, and says how much of the box it is."""
    box_form("--box", box)
    for flag, value in (("--instances", arguments.instances), ("--label-set", arguments.label_set)):
        if value is not None:
            raise InputError(f"{flag} {value} is for label maps, and --box cuts out one object; leave one of them out")
    (path,) = output_paths(arguments)
    file = read_photo(arguments.photo, max_megapixels=arguments.max_megapixels)
    x0, y0, x1, y1 = corners = box_asked("--box", box, file)
    name, networks = networks_asked(arguments.model)
    from scenebrush.methods.seigan.compose import found, with_opacity

    with progress("cutting out") as report:
        mask, _ = found(networks, file.pixels, corners)
        report(1.0)
    cut = with_opacity(file.pixels, mask)
    written = str(write_cut_out(path, cut[y0:y1, x0:x1] if arguments.crop else cut, file))
    share, seconds = float(mask[y0:y1, x0:x1].mean()), round(time.perf_counter() - started, 2)
    if arguments.json:
        facts = {"model": name, "box": [x0, y0, x1 - x0, y1 - y0], "share": round(share, 4), "seconds": seconds}
        say_json({"written": [written], **facts})
        return
    say(f"the object is {share:.0%} of its box, by {name} in {seconds} s: {written}")


def output_paths(arguments: Arguments) -> list[Path]:
    """Returns where the maps go, with an ending; refuses what cannot be, or would overwrite the photo or each other."""
    what = "map" if arguments.box is None else "cut-out"
    paths = [_map_path(path, what) for path in (arguments.out, arguments.instances) if path is not None]
    for path in paths:
        if path.resolve() == arguments.photo.resolve():
            raise InputError(f"{path} would be overwritten, but is read; give the {what} another name")
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
    if find_model(name).method == METHOD:
        raise InputError(
            f"model {name!r} cuts objects out of boxes; give --box X,Y,W,H, or a model that makes label maps"
        )
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


def _map_path(path: Path, what: str) -> Path:
    """Returns where a map or a cut-out goes, with an ending; `InputError` where it cannot be written."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; name the {what}, for instance {path / f'{what}.png'}")
    path = path if path.suffix else path.with_suffix(".png")
    if path.suffix.lower() != ".png":
        raise InputError(f"{path}: {what}s are written as PNG; end the name in .png")
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be written: the folder {path.parent} does not exist; make it")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"{path} cannot be written: the folder {path.parent} is read-only; choose another place")
    return path
