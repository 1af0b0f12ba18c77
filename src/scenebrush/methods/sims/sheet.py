"""A sheet that shows how a canvas came about: layout, segments found, their order, canvas and picture."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from scenebrush.methods.sims.bank import Bank, Match
from scenebrush.methods.sims.choosing import Chosen
from scenebrush.methods.sims.painting import Assembly
from scenebrush.scene.layout import Layout

_ROWS, _COLUMNS = 10, 5  # segments that are shown, and how many of the best for each
_CELL, _LINE, _GAP = 96, 14, 4  # pixels
_WIDE = 320  # width of the large pictures


def assembly_sheet(assembly: Assembly, bank: Bank, layout: Layout, made: np.ndarray) -> np.ndarray:
    """Returns the sheet, uint8 (h, w, 3).

    Above: the layout asked for; the order of painting, from blue (behind) to red (in front), grey where pixels were
    copied within the canvas; the canvas, black where it is left to the network; the picture. Below, for the largest
    segments: their place, and the best of the bank with score, the ones used first.

    Args:
        assembly: the canvas.
        bank: where its segments come from.
        layout: that was asked for.
        made: the finished picture, uint8 (H, W, 3).
    """
    collage = assembly.collage
    canvas = np.where(collage.present[..., None], collage.color, np.uint8(0))
    panels = {
        "layout": layout.label_set.colors(layout.label_map),
        "order": order_map(assembly),
        "canvas": canvas,
        f"picture; most from {assembly.anchor}": made,
    }
    height = round(_WIDE * layout.shape[0] / layout.shape[1])
    shown = sorted(assembly.chosen, key=lambda one: -one.found.segment.area)[:_ROWS]
    rows = (len(shown) + 1) // 2
    page = Image.new("RGB", (len(panels) * (_WIDE + _GAP), height + _LINE + rows * (_CELL + _LINE + _GAP)), "white")
    for column, (name, panel) in enumerate(panels.items()):
        resized = Image.fromarray(panel).resize((_WIDE, height), Image.Resampling.BICUBIC)
        _put(page, resized, (column * (_WIDE + _GAP), 0), name)
    for index, chosen in enumerate(shown):
        left, top = (index % 2) * (page.width // 2), height + _LINE + (index // 2) * (_CELL + _LINE + _GAP)
        _row(page, chosen, layout, bank, (left, top))
    return np.asarray(page)


def order_map(assembly: Assembly) -> np.ndarray:
    """Returns which pixels were painted when, uint8 (H, W, 3): blue first, red last, black nothing, grey copied."""
    owner, count = assembly.collage.owner, max(assembly.collage.count, 1)
    hues = [colorsys.hsv_to_rgb(0.66 * (1 - n / count), 0.8, 0.6 + 0.4 * (n % 2)) for n in range(count + 1)]
    table = (np.array([*hues, (0, 0, 0)]) * 255).astype(np.uint8)  # the last is for MISSING, -1
    colored = table[owner]
    colored[assembly.copied] = 128
    return np.asarray(colored)


def _row(page: Image.Image, chosen: Chosen, layout: Layout, bank: Bank, corner: tuple[int, int]) -> None:
    segment = chosen.found.segment
    whole = segment.whole_mask(layout.shape)
    place = np.where(whole[..., None], np.uint8(255), layout.label_set.colors(layout.label_map) // 3)
    name = layout.label_set.by_id[segment.class_id].name
    _put(page, _fitted(place), corner, name)
    for column, rank in enumerate(chosen.ranks[:_COLUMNS], start=1):
        match: Match = chosen.found.matches[rank]
        stored = bank.read(match.record.id)
        crop = np.where(stored.mask[..., None], stored.color, np.uint8(230))
        at = corner[0] + column * (_CELL + _GAP), corner[1]
        _put(page, _fitted(crop), at, f"#{rank + 1} {match.score:.2f}")


def _fitted(picture: np.ndarray) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(picture))
    scale = min(_CELL / image.width, _CELL / image.height)
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))


def _put(page: Image.Image, picture: Image.Image, corner: Sequence[int], text: str) -> None:
    page.paste(picture, (corner[0], corner[1] + _LINE))
    ImageDraw.Draw(page).text((corner[0] + 1, corner[1] + 1), text, fill="black", font=ImageFont.load_default(11))
