"""scenebrush bank query."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tyro.conf import FlagCreatePairsOff, Positional, arg

from scenebrush.cli.console import say, say_json, table
from scenebrush.errors import InputError
from scenebrush.methods.sims.bank import Bank, Match, Query, queries_of
from scenebrush.scene import MAX_MEGAPIXELS, Layout, read_instance_map, read_label_map
from scenebrush.scene.files import photo_format, write_photo

_CELL, _GAP, _LINE = 132, 8, 15


@dataclass
class Arguments:
    """Find the segments of a memory bank that fit those of a label map best, and print their scores.

    The score is the IoU of the masks + the IoU of what is around them, 0 to 2. The largest segments come first.

    Example: scenebrush bank query camvid-bank street.png --class car -k 3 -o found.png
    """

    bank: Annotated[Positional[Path], arg(metavar="BANK")]
    """The bank's folder."""
    map: Annotated[Positional[Path], arg(metavar="MAP")]
    """The label map: a PNG whose values are ids of the bank's classes."""
    instances: Annotated[Path | None, arg(metavar="MAP")] = None
    """Its instance map."""
    at: Annotated[str | None, arg(metavar="X,Y")] = None
    """Only the segment at this pixel of the label map."""
    class_: Annotated[str | None, arg(name="class", metavar="C")] = None
    """Only segments of this class, by name or id."""
    k: Annotated[int, arg(metavar="K", aliases=("-k",))] = 5
    """How many to find for each."""
    mask_only: Annotated[bool, FlagCreatePairsOff] = False
    """Compare masks alone, as the code that the authors released."""
    invariant: Annotated[bool, FlagCreatePairsOff] = False
    """Let position and size not count."""
    out: Annotated[Path | None, arg(metavar="SHEET.png", aliases=("-o",))] = None
    """Draw what was looked for and what was found, a row each."""
    max_megapixels: Annotated[float, arg(metavar="N")] = MAX_MEGAPIXELS
    """The largest map to open."""
    json: Annotated[bool, FlagCreatePairsOff] = False
    """Print JSON for a program to read."""


@dataclass(frozen=True)
class Found:
    """What was found for one segment, in how many milliseconds."""

    query: Query
    matches: list[Match]
    milliseconds: float


def run(arguments: Arguments, argv: Sequence[str]) -> None:
    """Finds, prints, and draws the sheet."""
    if arguments.out is not None:
        photo_format(arguments.out)
    with Bank.open(arguments.bank) as bank:
        layout = read_layout(arguments, bank)
        found = [find(bank, query, arguments) for query in chosen(arguments, bank, layout)]
        if arguments.out is not None:
            write_photo(arguments.out, sheet(bank, found))
        if arguments.json:
            say_json({"segments": [as_json(bank, one) for one in found], "damage": bank.damage})
            return
        for one in found:
            print_found(bank, one)
        for line in bank.damage:
            say(f"damaged: {line}")
        if arguments.out is not None:
            say(f"drawn in {arguments.out}")


def read_layout(arguments: Arguments, bank: Bank) -> Layout:
    """Returns the layout of MAP and its instance map, in the bank's classes."""
    labels = read_label_map(arguments.map, bank.label_set, max_megapixels=arguments.max_megapixels)
    if arguments.instances is None:
        return Layout(labels, bank.label_set)
    numbers = read_instance_map(arguments.instances, labels, bank.label_set, max_megapixels=arguments.max_megapixels)
    return Layout(labels, bank.label_set, numbers)


def chosen(arguments: Arguments, bank: Bank, layout: Layout) -> list[Query]:
    """Returns the segments that were asked for, the largest first; `InputError` where there are none."""
    queries = sorted(queries_of(layout, bank.match_size), key=lambda query: -query.segment.area)
    if arguments.class_ is not None:
        asked = bank.label_set.find(int(arguments.class_) if arguments.class_.isdigit() else arguments.class_)
        queries = [query for query in queries if query.segment.class_id == asked.id]
        if not queries:
            raise InputError(f"{arguments.map} has no segment of class {asked.name!r}; leave out --class to see all")
    if arguments.at is not None:
        x, y = point(arguments.at, layout)
        queries = [query for query in queries if query.segment.whole_mask(layout.shape)[y, x]]
        if not queries:
            raise InputError(f"--at {x},{y} is on no segment of {arguments.map}; choose a labelled pixel")
    if not queries:
        raise InputError(f"{arguments.map} has no labelled segment; give a map with ids of {bank.label_set.name}")
    return queries


def point(text: str, layout: Layout) -> tuple[int, int]:
    """Returns x and y of `X,Y`; `InputError` where that is not in the layout."""
    found = re.fullmatch(r"(\d+),(\d+)", text)
    if found is None:
        raise InputError(f"--at {text!r} is no point; give X,Y in pixels, for instance 120,80")
    x, y = int(found[1]), int(found[2])
    if x >= layout.shape[1] or y >= layout.shape[0]:
        raise InputError(f"--at {x},{y} lies outside of the map, which is {layout.shape[1]}x{layout.shape[0]}")
    return x, y


def find(bank: Bank, query: Query, arguments: Arguments) -> Found:
    """Returns what the bank has for a segment."""
    started = time.perf_counter()
    matches = bank.find(query, arguments.k, context=not arguments.mask_only, invariant=arguments.invariant)
    return Found(query, matches, 1000 * (time.perf_counter() - started))


def print_found(bank: Bank, found: Found) -> None:
    """Prints one segment and its matches."""
    segment = found.query.segment
    name = bank.label_set.by_id[segment.class_id].name
    head = f"{name} at {_corners(segment.box)}, {segment.area:,} pixels"
    if not found.matches:
        say(f"{head}: the bank has no segment of this class\n")
        return
    say(f"{head}: {len(found.matches)} of {bank.count(segment.class_id):,} in {found.milliseconds:.1f} ms")
    rows = [
        [
            f"{match.score:.3f}",
            f"{match.mask_iou:.3f}",
            f"{match.context_iou:.3f}",
            str(match.record.id),
            match.record.donor,
            _corners(match.record.box),
        ]
        for match in found.matches
    ]
    say(table(["score", "mask", "context", "id", "donor", "box"], rows) + "\n")


def as_json(bank: Bank, found: Found) -> dict[str, Any]:
    """Returns one segment and its matches for a program."""
    segment = found.query.segment
    return {
        "class": bank.label_set.by_id[segment.class_id].name,
        "box": list(segment.box),
        "area": segment.area,
        "milliseconds": round(found.milliseconds, 3),
        "matches": [
            {
                "id": match.record.id,
                "score": match.score,
                "mask_iou": match.mask_iou,
                "context_iou": match.context_iou,
                "donor": match.record.donor,
                "box": list(match.record.box),
                "photo_size": list(match.record.photo_size),
            }
            for match in found.matches
        ],
    }


def sheet(bank: Bank, found: Sequence[Found]) -> np.ndarray:
    """Returns a picture, uint8 (H, W, 3): a row for each segment, its mask, then what was found, the best first."""
    columns = 1 + max((len(one.matches) for one in found), default=0)
    step = _CELL + 2 * _LINE + _GAP
    page = Image.new("RGB", (columns * (_CELL + _GAP) + _GAP, len(found) * step + _GAP), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(11)
    for row, one in enumerate(found):
        segment, top = one.query.segment, _GAP + row * step
        label_class = bank.label_set.by_id[segment.class_id]
        mask = np.where(segment.mask[..., None], np.array(label_class.color, np.uint8), np.uint8(255))
        cells = [(mask, label_class.name, f"{segment.area:,} pixels")]
        for match in one.matches:
            if not match.record.place.color_length:
                continue
            stored = bank.read(match.record.id)
            shown = np.where(stored.mask[..., None], stored.color, np.uint8(255))
            scores = f"{match.score:.2f} = {match.mask_iou:.2f} + {match.context_iou:.2f}"
            cells.append((shown, scores, match.record.donor))
        for column, (picture, *lines) in enumerate(cells):
            left = _GAP + column * (_CELL + _GAP)
            image = Image.fromarray(picture)
            factor = _CELL / max(image.size)
            size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
            page.paste(
                image.resize(size, Image.Resampling.BICUBIC if column else Image.Resampling.NEAREST), (left, top)
            )
            draw.rectangle((left - 1, top - 1, left + _CELL, top + _CELL), outline=(215, 215, 215))
            for i, line in enumerate(lines):
                draw.text((left, top + _CELL + 1 + i * _LINE), line, (40, 40, 40), font)
    return np.asarray(page)


def _corners(box: tuple[int, int, int, int]) -> str:
    return f"{box[0]},{box[1]}-{box[2]},{box[3]}"
