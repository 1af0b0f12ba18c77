"""scenebrush synthesize."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from tyro.conf import FlagCreatePairsOff, Positional, UseAppendAction, arg

from scenebrush.cli.console import progress, say, say_json, warn
from scenebrush.editor import beside
from scenebrush.errors import InputError
from scenebrush.methods import PhotoSynthesizer, SegmentSynthesizer, Style, Synthesizer, load_synthesizer
from scenebrush.scene import MAX_MEGAPIXELS, LabelSet, Layout, Scene, read_instance_map, read_label_map, read_photo
from scenebrush.scene.files import photo_format, write_label_map, write_photo

_TRIES = 4  # times as many seeds as pictures are tried to find pictures that differ


@dataclass
class Arguments:
    """Make a whole picture from ONE label map; no photo is needed. Any size: it is padded, not stretched.

    With -n it makes several different ones, OUT-1.png, OUT-2.png, ... Models of sims take a short text as well.

    Example: scenebrush synthesize street.png --label-set camvid --model spade-sesame-street -o out.png
    """

    model: Annotated[str, arg(metavar="MODEL")]
    """Name or folder of a model that makes whole pictures."""
    out: Annotated[Path, arg(metavar="OUT", aliases=("-o",))]
    """Where to write the picture."""
    map: Annotated[Positional[Path | None], arg(metavar="MAP")] = None
    """The label map: a PNG whose values are class ids; for a fit of a drawing or of lines also such a one."""
    label_set: Annotated[str | None, arg(metavar="SET")] = None
    """The classes: camvid, cityscapes, ade20k, ... or a .json file. A fit (scenebrush fit) knows its own."""
    text: Annotated[str | None, arg(metavar="TEXT")] = None
    """Instead of MAP, for models of sims: "a car left of a tree on a road, buildings behind"."""
    text_size: Annotated[str, arg(metavar="WxH")] = "480x360"
    """How large the picture of a text is."""
    bank: Annotated[Path | None, arg(metavar="BANK")] = None
    """The memory bank of a model of sims (scenebrush bank build)."""
    show_canvas: Annotated[Path | None, arg(metavar="SHEET")] = None
    """Models of sims: write a sheet of the segments found, their order and the canvas."""
    instances: Annotated[Path | None, arg(metavar="MAP")] = None
    """Its instance map: where objects meet, and what is one object."""
    nearest_class: Annotated[bool, FlagCreatePairsOff] = False
    """Models of scenebrush fit: draw a class that their photo lacks as the nearest class it has."""
    style_from: Annotated[Path | None, arg(metavar="PHOTO")] = None
    """A photo whose look the picture is to have."""
    style_labels: Annotated[Path | None, arg(metavar="MAP")] = None
    """The label map of that photo; by default MAP, if it is of the photo's size."""
    style_instances: Annotated[Path | None, arg(metavar="MAP")] = None
    """The instance map of that photo."""
    style: Annotated[UseAppendAction[tuple[str, ...]], arg(metavar="CLASS=K")] = ()
    """Give a class style K of the model's; 0 is the most frequent."""
    seed: Annotated[int, arg(metavar="N")] = 0
    """The same seed gives the same picture."""
    n: Annotated[int | None, arg(metavar="K", aliases=("-n",))] = None
    """Make K different pictures, from seed N on."""
    max_megapixels: Annotated[float, arg(metavar="N")] = MAX_MEGAPIXELS
    """The largest map or photo to open, or picture of a text to make."""
    json: Annotated[bool, FlagCreatePairsOff] = False
    """Print JSON for a program to read."""


class Made(NamedTuple):
    """One picture and the seed that made it."""

    picture: np.ndarray
    seed: int


def run(arguments: Arguments, argv: Sequence[str]) -> None:
    """Reads, draws, writes, and says what was written."""
    started = time.perf_counter()
    paths = output_paths(arguments)
    named = None if arguments.label_set is None else LabelSet.load(arguments.label_set)
    if named is not None:
        classes_asked(arguments.style, named)  # what is wrong with them is told before a model is loaded
    model = load_synthesizer(arguments.model, bank=arguments.bank)
    set_nearest_class(model, arguments.nearest_class)
    label_set = named or label_set_of(model)
    asked = classes_asked(arguments.style, label_set)
    layout = layout_asked(arguments, label_set, model)
    style = read_style(arguments, layout, asked)
    if len(paths) > 1 and not model.varies(style):
        raise InputError(
            f"-n {len(paths)} asks for different pictures, but model {model.name!r} makes"
            f" {'one of a layout in this style' if style else 'one of every layout'}; leave out -n"
        )
    sheet = sheet_path(arguments, model, paths)
    for note in model.notes(layout) if isinstance(model, PhotoSynthesizer) else ():
        warn(note)
    lacking = model.lacks(layout) if isinstance(model, SegmentSynthesizer) else ()
    with progress("drawing") as report:
        made = []
        for one in different(model, layout, arguments.seed, style, len(paths)):
            made.append(one)
            report(len(made) / len(paths))
    written = [str(write_photo(path, one.picture)) for path, one in zip(paths, made, strict=True)]
    if sheet is not None and isinstance(model, SegmentSynthesizer):
        written.append(str(write_photo(sheet, model.synthesize_openly(layout, seed=made[0].seed, style=style)[1])))
    if arguments.text is not None:
        written.append(str(write_label_map(beside(paths[0], "labels"), layout.label_map, label_set)))
    seconds = round(time.perf_counter() - started, 2)
    if arguments.json:
        facts = {"model": model.name, "seeds": [one.seed for one in made], "lacking": list(lacking)}
        say_json({"written": written, **facts, "seconds": seconds})
        return
    if lacking:
        say(f"the bank has no segment of {', '.join(lacking)}: left to the network")
    count = f"{len(made)} pictures" if len(made) > 1 else "1 picture"
    say(f"{count} by {model.name} in {seconds} s: {', '.join(written)}")


def output_paths(arguments: Arguments) -> list[Path]:
    """Returns where the pictures go, with an ending; refuses what cannot be, or would overwrite an input."""
    out = arguments.out
    if arguments.seed < 0:
        raise InputError(f"seed {arguments.seed} will not do; give 0 or more")
    if arguments.n is not None and arguments.n < 1:
        raise InputError(f"-n {arguments.n} is no number of pictures; give 1 or more")
    out = _writable(out, "picture", "out.png")
    numbers = range(1, (arguments.n or 0) + 1)
    paths = [out] if arguments.n is None else [out.with_name(f"{out.stem}-{i}{out.suffix}") for i in numbers]
    read = _inputs(arguments)
    for path in paths if arguments.text is None else [*paths, beside(paths[0], "labels")]:
        if path.resolve() in read:
            raise InputError(f"{path} would be overwritten, but is read; give -o another name")
    return paths


def _writable(path: Path, what: str, example: str) -> Path:
    """Returns where a picture goes, with an ending; `InputError` where it cannot be written."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; name the {what}, for instance {path / example}")
    path = path if path.suffix else path.with_suffix(".png")
    photo_format(path)
    if not path.parent.is_dir():
        raise InputError(f"{path} cannot be written: the folder {path.parent} does not exist; make it")
    if not os.access(path.parent, os.W_OK):
        raise InputError(f"{path} cannot be written: the folder {path.parent} is read-only; choose another place")
    return path


def _inputs(arguments: Arguments) -> set[Path]:
    names = ("map", "instances", "style_from", "style_labels", "style_instances")
    return {path.resolve() for name in names if (path := getattr(arguments, name)) is not None}


def sheet_path(arguments: Arguments, model: Synthesizer, pictures: Sequence[Path]) -> Path | None:
    """Returns where the sheet goes, if one is asked for; `InputError` where there can be none."""
    sheet = arguments.show_canvas
    if sheet is None:
        return None
    if not isinstance(model, SegmentSynthesizer):
        raise InputError(f"model {model.name!r} has no canvas of segments to show; leave out --show-canvas {sheet}")
    sheet = _writable(sheet, "sheet", "sheet.png")
    used = {*_inputs(arguments), *(path.resolve() for path in (*pictures, beside(pictures[0], "labels")))}
    if sheet.resolve() in used:
        raise InputError(f"--show-canvas {sheet} is another file of this call; give it a name of its own")
    return sheet


def layout_asked(arguments: Arguments, label_set: LabelSet, model: Synthesizer) -> Layout:
    """Returns the layout of MAP, or of a text; `InputError` for neither, both, or a model that reads no text."""
    if arguments.text is None:
        if arguments.map is None:
            raise InputError("there is nothing to make a picture of; give MAP, a label map, or --text TEXT")
        return read_layout(arguments, label_set, model)
    if arguments.map is not None or arguments.instances is not None:
        raise InputError(f"--text {arguments.text!r} and a map are two layouts; give one of them")
    if not isinstance(model, SegmentSynthesizer):
        raise InputError(f"model {model.name!r} reads no text; give a label map, or a model of sims")
    found = re.fullmatch(r"(\d{2,5})x(\d{2,5})", arguments.text_size)
    if found is None:
        raise InputError(f"--text-size {arguments.text_size!r} is no size; give WIDTHxHEIGHT, for instance 480x360")
    width, height = int(found[1]), int(found[2])
    if width * height > arguments.max_megapixels * 1e6:
        raise InputError(
            f"--text-size {arguments.text_size} has {width * height / 1e6:.1f} megapixels; the limit is"
            f" {arguments.max_megapixels:g}; ask for less or raise the limit (--max-megapixels)"
        )
    return model.layout_from_text(arguments.text, (width, height), seed=arguments.seed)


def classes_asked(values: Sequence[str], label_set: LabelSet) -> dict[str, int]:
    """Returns {class name: style} of `CLASS=K` values; `InputError` for what is none, or is there twice."""
    asked: dict[str, int] = {}
    for value in values:
        found = re.fullmatch(r"(.+)=(\d+)", value)
        if found is None:
            raise InputError(
                f"--style {value!r} is no style; give CLASS=K, for instance {label_set.classes[-1].name}=0"
            )
        name = label_set.find(found[1]).name
        if name in asked:
            raise InputError(f"--style {value!r}: class {name!r} has style {asked[name]} already; give one")
        asked[name] = int(found[2])
    return asked


def label_set_of(model: Synthesizer) -> LabelSet:
    """Returns the label set of a model that learned one photo; of others several may be meant."""
    if isinstance(model, PhotoSynthesizer):
        return model.label_set
    raise InputError("missing --label-set SET, the classes of the map; see scenebrush synthesize --help")


def set_nearest_class(model: object, wanted: bool) -> None:
    """Lets a model draw classes that its photo lacks as the nearest that it has; `InputError` for other models."""
    if not wanted:
        return
    if not isinstance(model, PhotoSynthesizer):
        raise InputError("--nearest-class is for models that learned one photo (scenebrush fit); leave it out")
    model.nearest_class = True


def read_layout(arguments: Arguments, label_set: LabelSet, model: Synthesizer) -> Layout:
    """Returns the layout of MAP and its instance map; a model that learned one photo reads the map as its own."""
    limit = arguments.max_megapixels
    assert arguments.map is not None
    if isinstance(model, PhotoSynthesizer) and label_set.ids == model.label_set.ids:
        labels = model.read_layout(arguments.map, max_megapixels=limit).label_map
    else:
        labels = read_label_map(arguments.map, label_set, max_megapixels=limit)
    if arguments.instances is None:
        return Layout(labels, label_set)
    return Layout(labels, label_set, read_instance_map(arguments.instances, labels, label_set, max_megapixels=limit))


def read_style(arguments: Arguments, layout: Layout, classes: dict[str, int]) -> Style | None:
    """Returns the style asked for: of a photo, with its layout where it is known, or of classes; None = none."""
    maps = arguments.style_labels, arguments.style_instances
    if arguments.style_from is None:
        if any(maps):
            raise InputError("--style-labels and --style-instances are those of a style photo; give --style-from PHOTO")
        return Style(classes=classes) if classes else None
    if maps[0] is None and maps[1] is not None:
        raise InputError(f"--style-instances {maps[1]} needs the label map that it belongs to; give --style-labels")
    photo = read_photo(arguments.style_from, max_megapixels=arguments.max_megapixels)
    if maps[0] is None:
        same = photo.pixels.shape[:2] == layout.shape
        return Style(photo=photo.pixels, layout=layout if same else None, classes=classes)
    scene = Scene.open(photo, maps[0], layout.label_set, maps[1], max_megapixels=arguments.max_megapixels)
    return Style(photo=photo.pixels, layout=scene.layout, classes=classes)


def different(model: Synthesizer, layout: Layout, seed: int, style: Style | None, count: int) -> Iterator[Made]:
    """Yields `count` pictures from seed `seed` on, a seed whose picture was there already passed over.

    `InputError` where there are not so many.
    """
    seen = set[bytes]()
    for number in range(seed, seed + (count * _TRIES if count > 1 else 1)):
        picture = model.synthesize(layout, seed=number, style=style)
        if picture.tobytes() not in seen:
            seen.add(picture.tobytes())
            yield Made(picture, number)
        if len(seen) == count:
            return
    raise InputError(
        f"model {model.name!r} made {len(seen)} different pictures from {count * _TRIES} seeds; ask for -n {len(seen)},"
        " or leave styles open"
    )
