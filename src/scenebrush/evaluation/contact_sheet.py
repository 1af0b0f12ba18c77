"""Contact sheets: one row per picture, one column per method, so that figures can be checked by eye."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scenebrush.errors import InputError
from scenebrush.evaluation.edit_cases import EditCase

HEAD, GAP, FOOT = 22, 6, 16
HOLE_COLOUR = (255, 0, 200)


def edit_sheet(
    cases: Sequence[EditCase],
    columns: Mapping[str, np.ndarray],
    *,
    notes: Mapping[str, Sequence[str]] | None = None,
    enlarge: int = 2,
) -> Image.Image:
    """Returns a sheet: columns hole, truth and one for each method; names on top, a note under each picture.

    Args:
        cases: the edits, a row each.
        columns: method -> uint8 (N, H, W, 3).
        notes: method -> one short text per edit (its LPIPS, say).
        enlarge: whole number; pixels are repeated, not smoothed, so that faults stay visible.
    """
    if not cases:
        raise InputError("0 edits on a contact sheet; give at least 1")
    shown = {
        "hole": np.stack([with_hole(case.truth, case.hole) for case in cases]),
        "truth": np.stack([case.truth for case in cases]),
        **columns,
    }
    height, width = (enlarge * side for side in cases[0].truth.shape[:2])
    rows, step = len(cases), height + FOOT + GAP
    sheet = Image.new("RGB", ((width + GAP) * len(shown) + GAP, HEAD + rows * step), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for i, (name, pictures) in enumerate(shown.items()):
        left = GAP + i * (width + GAP)
        draw.text((left, 3), _fitting(name, width, draw, font), fill="black", font=font)
        for k, picture in enumerate(pictures):
            top = HEAD + k * step
            sheet.paste(Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST), (left, top))
            text = cases[k].group if i == 0 else (notes or {}).get(name, [""] * rows)[k]
            draw.text((left, top + height), _fitting(text, width, draw, font), fill="black", font=font)
    return sheet


def with_hole(photo: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Returns the photo, uint8 (H, W, 3), with the hole (H, W) in one loud colour."""
    out = photo.copy()
    out[hole] = HOLE_COLOUR
    return out


def _fitting(
    text: str, width: int, draw: ImageDraw.ImageDraw, font: ImageFont.ImageFont | ImageFont.FreeTypeFont
) -> str:
    while text and draw.textlength(text, font=font) > width:
        text = text[:-1]
    return text
