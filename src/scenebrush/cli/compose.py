"""scenebrush compose."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from tyro.conf import FlagCreatePairsOff, arg

from scenebrush.cli.console import progress, say, say_json
from scenebrush.cli.object_flags import (
    box_asked,
    box_form,
    networks_asked,
    point_form,
    writable_picture,
    write_cut_out,
)
from scenebrush.data.holes import Box, box_of
from scenebrush.editor import beside
from scenebrush.errors import InputError
from scenebrush.scene import MAX_MEGAPIXELS, PhotoFile, read_photo
from scenebrush.scene.files import write_photo

_LARGEST_SCALE = 50.0  # a larger factor is a slip of the keyboard


@dataclass
class Arguments:
    r"""Cut an object out of one photo and paste it into another. Neither needs a label map.

    Beside OUT.png it writes OUT.mask.png, the object cut out (its soft mask is the opacity), and OUT.inpainted.png, the
    photo without it. With --swap the objects of both photos change places, each as high as the other was, and OUT-1.png
    and OUT-2.png are written, with a mask each.

    Example: scenebrush compose --object dog.jpg --box 120,80,200,260 --background beach.jpg --at 300,420 -o out.png
    """

    object: Annotated[Path, arg(metavar="PHOTO")]
    """The photo with the object: JPEG, PNG, WebP or TIFF."""
    background: Annotated[Path, arg(metavar="PHOTO")]
    """The photo that it goes into."""
    out: Annotated[Path, arg(metavar="OUT", aliases=("-o",))]
    """Where to write the picture; without an ending it takes the background's."""
    box: Annotated[str | None, arg(metavar="X,Y,W,H")] = None
    """A box closely around the object; by default the whole photo but for a margin of 5 % on each side."""
    at: Annotated[str | None, arg(metavar="X,Y")] = None
    """Where in the background the middle of the object comes to lie."""
    scale: Annotated[float | None, arg(metavar="S")] = None
    """How much larger the object gets; 1, its size in pixels, by default."""
    swap: Annotated[bool, FlagCreatePairsOff] = False
    """Exchange the objects of both photos; instead of --at it wants --background-box."""
    background_box: Annotated[str | None, arg(metavar="X,Y,W,H")] = None
    """With --swap, a box closely around the object in the background."""
    fill: Literal["canvas", "network"] = "canvas"
    """What fills the place of an object: canvas, pixels of the same photo, or network, the model's inpainter."""
    model: Annotated[str | None, arg(metavar="M")] = None
    """Name or folder of a model of seigan; seigan-objects by default."""
    max_megapixels: Annotated[float, arg(metavar="N")] = MAX_MEGAPIXELS
    """The largest photo to open."""
    json: Annotated[bool, FlagCreatePairsOff] = False
    """Print JSON for a program to read."""


class Source(NamedTuple):
    """A photo and the box (x0, y0, x1, y1) of its object."""

    file: PhotoFile
    box: Box


def run(arguments: Arguments, argv: Sequence[str]) -> None:
    """Reads, composes or swaps, writes, and says what was written."""
    started = time.perf_counter()
    check_flags(arguments)
    paths = output_paths(arguments)
    source = read_source(arguments, arguments.object, "--box", arguments.box)
    written, facts = (_swap if arguments.swap else _compose)(arguments, source, paths)
    seconds = round(time.perf_counter() - started, 2)
    if arguments.json:
        say_json({"written": [str(path) for path in written], **facts, "seconds": seconds})
        return
    what = "2 pictures" if arguments.swap else "1 picture"
    say(f"{what} by {facts['model']} in {seconds} s: {', '.join(map(str, written))}")


def check_flags(arguments: Arguments) -> None:
    """Raises `InputError` for flags that are missing, do not go together, or are not of their form."""
    if arguments.swap:
        for flag, value in (("--at", arguments.at), ("--scale", arguments.scale)):
            if value is not None:
                raise InputError(
                    f"with --swap each object takes the other's place and height; leave out {flag} {value}"
                )
        if arguments.background_box is None:
            raise InputError("--swap needs --background-box X,Y,W,H, the box of the object in the background")
    elif arguments.background_box is not None:
        raise InputError(f"--background-box {arguments.background_box} goes with --swap; give that, or --at X,Y")
    elif arguments.at is None:
        raise InputError("missing --at X,Y, where the object goes; see scenebrush compose --help")
    else:
        point_form("--at", arguments.at)
    box_form("--box", arguments.box)
    box_form("--background-box", arguments.background_box)
    if arguments.scale is not None and not 0 < arguments.scale <= _LARGEST_SCALE:
        raise InputError(f"--scale {arguments.scale:g} will not do; give a factor above 0 and up to {_LARGEST_SCALE:g}")


def output_paths(arguments: Arguments) -> list[Path]:
    """Returns where the picture goes, or both pictures; refuses what cannot be, or would overwrite an input."""
    out = writable_picture(arguments.out, arguments.background.suffix or ".png")
    paths = [out.with_name(f"{out.stem}-{k}{out.suffix}") for k in (1, 2)] if arguments.swap else [out]
    read = {arguments.object.resolve(), arguments.background.resolve()}
    more = ("mask",) if arguments.swap else ("mask", "inpainted")
    for path in [*paths, *(beside(path, what) for path in paths for what in more)]:
        if path.resolve() in read:
            raise InputError(f"{path} would be overwritten, but is read; give -o another name")
    return paths


def read_source(arguments: Arguments, path: Path, flag: str, box: str | None) -> Source:
    """Returns a photo and the box of its object; `InputError` for a box that does not lie inside it."""
    file = read_photo(path, max_megapixels=arguments.max_megapixels)
    return Source(file, box_asked(flag, box, file))


def _compose(arguments: Arguments, source: Source, paths: list[Path]) -> tuple[list[Path], dict[str, Any]]:
    background = read_photo(arguments.background, max_megapixels=arguments.max_megapixels)
    assert arguments.at is not None
    at = place_asked(arguments.at, background)
    model, networks = networks_asked(arguments.model)
    from scenebrush.methods.seigan.compose import compose_photos

    scale = 1.0 if arguments.scale is None else arguments.scale
    with progress("composing") as report:
        made = compose_photos(
            networks, source.file.pixels, source.box, background.pixels, at, scale=scale, filling=arguments.fill
        )
        report(1.0)
    written = [
        write_photo(paths[0], made.picture, like=background),
        write_cut_out(beside(paths[0], "mask"), made.cut_out, source.file),
        write_photo(beside(paths[0], "inpainted"), made.inpainted, like=source.file),
    ]
    return written, {"model": model, "objects": [_facts(source.box, made.mask, made.target)]}


def _swap(arguments: Arguments, source: Source, paths: list[Path]) -> tuple[list[Path], dict[str, Any]]:
    other = read_source(arguments, arguments.background, "--background-box", arguments.background_box)
    model, networks = networks_asked(arguments.model)
    from scenebrush.methods.seigan.compose import swap_photos

    sources = source, other
    with progress("swapping") as report:
        made = swap_photos(
            networks,
            (source.file.pixels, other.file.pixels),
            (source.box, other.box),
            filling=arguments.fill,
        )
        report(1.0)
    written = []
    for path, own, one in zip(paths, sources, made, strict=True):
        written.append(write_photo(path, one.picture, like=own.file))
        written.append(write_cut_out(beside(path, "mask"), one.cut_out, own.file))
    # The object of each photo lies in the other's picture.
    targets = made[1].target, made[0].target
    facts = [_facts(own.box, one.mask, target) for own, one, target in zip(sources, made, targets, strict=True)]
    return written, {"model": model, "objects": facts}


def place_asked(text: str, background: PhotoFile) -> tuple[int, int]:
    """Returns the point of --at; `InputError` where it lies outside the background."""
    x, y = point_form("--at", text)
    height, width = background.pixels.shape[:2]
    if not (0 <= x < width and 0 <= y < height):
        raise InputError(
            f"--at {text} lies outside {background.path}, which is {width}x{height}; give X from 0 to {width - 1}"
            f" and Y from 0 to {height - 1}"
        )
    return x, y


def _facts(box: Box, mask: np.ndarray, target: np.ndarray) -> dict[str, Any]:
    """Returns box and place (x, y, width, height) of an object, and its share of the box."""
    x0, y0, x1, y1 = box
    left, top, right, bottom = box_of(target > 0)
    share = round(float(mask[y0:y1, x0:x1].mean()), 4)
    return {"box": [x0, y0, x1 - x0, y1 - y0], "share": share, "place": [left, top, right - left, bottom - top]}
