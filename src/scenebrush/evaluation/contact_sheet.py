"""Contact sheets: one row per picture, one column per method, so that figures can be checked by eye."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scenebrush.errors import InputError
from scenebrush.evaluation.edit_cases import EditCase
from scenebrush.scene.label_set import LabelSet

HEAD, GAP, FOOT = 22, 6, 16
HOLE_COLOUR = (255, 0, 200)
NOTHING = (0, 0, 0)


def edit_sheet(
    cases: Sequence[EditCase],
    columns: Mapping[str, Sequence[np.ndarray] | np.ndarray],
    *,
    notes: Mapping[str, Sequence[str]] | None = None,
    enlarge: int = 2,
) -> Image.Image:
    """Returns a sheet: what was given and asked for, the truth where it is known, and one column for each method.

    Args:
        cases: the edits, a row each.
        columns: method -> uint8 (N, H, W, 3).
        notes: method -> one short text per edit (its LPIPS, say).
        enlarge: whole number; pixels are repeated, not smoothed, so that faults stay visible.
    """
    if not cases:
        raise InputError("0 edits on a contact sheet; give at least 1")
    return sheet({**_given(cases), **columns}, [case.group for case in cases], notes=notes or {}, enlarge=enlarge)


def map_sheet(
    cases: Sequence[EditCase],
    readings: Mapping[str, Sequence[np.ndarray]],
    *,
    notes: Mapping[str, Sequence[str]] | None = None,
) -> Image.Image:
    """Returns a sheet of label maps: the photo, its labels, and one column for each method's reading (H, W)."""
    if not cases:
        raise InputError("0 photos on a contact sheet; give at least 1")
    label_set = cases[0].scene.layout.label_set
    columns = {"photo": [case.before for case in cases], "labels": [coloured(c.asked, label_set) for c in cases]}
    columns |= {name: [coloured(reading, label_set) for reading in own] for name, own in readings.items()}
    return sheet(columns, [case.group for case in cases], notes=notes or {}, enlarge=1)


def analogy_sheet(
    cases: Sequence[EditCase],
    pictures: Mapping[str, Sequence[np.ndarray]],
    names: Sequence[str],
    *,
    notes: Mapping[str, Sequence[str]] | None = None,
) -> Image.Image:
    """Returns a sheet of layouts: the photo, its layout, the layout asked for, and one column for each method.

    Args:
        cases: of task `analogy`, a row each.
        pictures: method -> uint8 (H, W, 3), one for each case.
        names: of the rows.
        notes: method -> one short text per case.
    """
    if not cases:
        raise InputError("0 layouts on a contact sheet; give at least 1")
    label_set = cases[0].scene.layout.label_set
    columns = {
        "photo": [case.before for case in cases],
        "its layout": [coloured(case.scene.layout.label_map, label_set) for case in cases],
        "asked for": [coloured(case.asked, label_set) for case in cases],
    }
    return sheet({**columns, **pictures}, names, notes=notes or {}, enlarge=1)


def sheet(
    columns: Mapping[str, Sequence[np.ndarray] | np.ndarray],
    names: Sequence[str],
    *,
    notes: Mapping[str, Sequence[str]],
    enlarge: int,
) -> Image.Image:
    """Returns a sheet of columns of pictures uint8 (H, W, 3): headings on top, `names` under the first column."""
    sizes = [picture.shape[:2] for own in columns.values() for picture in own]
    height, width = (enlarge * max(size[i] for size in sizes) for i in (0, 1))
    rows, step = len(names), height + FOOT + GAP
    page = Image.new("RGB", ((width + GAP) * len(columns) + GAP, HEAD + rows * step), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(13)
    for i, (name, pictures) in enumerate(columns.items()):
        left = GAP + i * (width + GAP)
        draw.text((left, 3), _fitting(name, width, draw, font), fill="black", font=font)
        for k, picture in enumerate(pictures):
            top = HEAD + k * step
            size = picture.shape[1] * enlarge, picture.shape[0] * enlarge
            page.paste(Image.fromarray(picture).resize(size, Image.Resampling.NEAREST), (left, top))
            text = names[k] if i == 0 else notes.get(name, [""] * rows)[k]
            draw.text((left, top + height), _fitting(text, width, draw, font), fill="black", font=font)
    return page


def with_hole(photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Returns the photo, uint8 (H, W, 3), with the hole (H, W) in one loud colour."""
    out = photo.copy()
    out[hole] = HOLE_COLOUR
    return out


def coloured(label_map: np.ndarray, label_set: LabelSet) -> np.ndarray:
    """Returns uint8 (H, W, 3): a label map in its set's colours, other numbers in black."""
    out = np.full((*label_map.shape, 3), NOTHING, np.uint8)
    for label in label_set.classes:
        out[label_map == label.id] = label.color
    return out


def _given(cases: Sequence[EditCase]) -> dict[str, list[np.ndarray]]:
    """What the methods were given and should have made, as columns."""
    label_set = cases[0].scene.layout.label_set
    given = dict[str, list[np.ndarray]]()
    if not all(case.hole.all() for case in cases):
        given["hole"] = [with_hole(case.before, case.hole) for case in cases]
    if any(case.truth is not case.before for case in cases):
        given["before"] = [case.before for case in cases]
    if len(given) != 1 or "before" in given:
        given["asked for"] = [coloured(case.asked, label_set) for case in cases]
    truths = [case.truth for case in cases if case.truth is not None]
    return given | ({"truth": truths} if len(truths) == len(cases) else {})


def _fitting(
    text: str, width: int, draw: ImageDraw.ImageDraw, font: ImageFont.ImageFont | ImageFont.FreeTypeFont
) -> str:
    while text and draw.textlength(text, font=font) > width:
        text = text[:-1]
    return text
