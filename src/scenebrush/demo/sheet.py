"""One sheet of captioned pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_GAP = 12
_CAPTION = 30
_PAPER = (255, 255, 255)
_INK = (40, 40, 40)


def sheet(pictures: Sequence[tuple[str, np.ndarray]], columns: int = 2, credit: str = "") -> np.ndarray:
    """Returns captioned pictures in rows, each at full size, on white.

    Args:
        pictures: (caption, uint8 (H, W, 3)) of one size, row by row.
        columns: how many stand side by side.
        credit: a line at the foot.
    """
    height, width = pictures[0][1].shape[:2]
    rows = -(-len(pictures) // columns)
    cell = height + _CAPTION + _GAP
    foot = _CAPTION if credit else 0
    page = Image.new("RGB", (columns * (width + _GAP) + _GAP, rows * cell + _GAP + foot), _PAPER)
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=17)
    for index, (caption, picture) in enumerate(pictures):
        x = _GAP + (index % columns) * (width + _GAP)
        y = _GAP + (index // columns) * cell
        page.paste(Image.fromarray(picture), (x, y))
        draw.text((x + 2, y + height + 5), caption, _INK, font)
    if credit:
        draw.text((_GAP + 2, page.height - _CAPTION), credit, (130, 130, 130), ImageFont.load_default(size=13))
    return np.asarray(page)
