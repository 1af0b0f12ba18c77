"""The sheet of how a canvas came about."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scenebrush.canvas.collage import MISSING
from scenebrush.methods.sims.bank import Bank
from scenebrush.methods.sims.canvas import assemble
from scenebrush.methods.sims.choosing import Making
from scenebrush.methods.sims.sheet import assembly_sheet, order_map
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene
from tests.methods.sims.toy_banks import TINY

PLAIN = Making(complete=False, elide=False)


def test_the_order_goes_from_blue_to_red(street: Scene, toy_bank: Bank) -> None:
    made = assemble(street.layout, toy_bank, TINY, None, PLAIN)
    shown, owner = order_map(made).astype(int), made.collage.owner
    assert not shown[owner == MISSING].any()
    there = [n for n in range(made.collage.count) if (owner == n).any()]
    colours = [np.unique(shown[owner == n], axis=0) for n in there]
    assert all(len(one) == 1 for one in colours)
    first, last = colours[0][0], colours[-1][0]
    assert first[2] > first[0] and last[0] > last[2]
    assert len({tuple(one[0]) for one in colours}) == len(there)


def test_copies_are_grey(street: Scene, toy_bank: Bank) -> None:
    made = assemble(street.layout, toy_bank, TINY, None, Making())
    assert made.copied.any() and (order_map(made)[made.copied] == 128).all()


def test_the_sheet_shows_everything(street: Scene, toy_bank: Bank) -> None:
    made = assemble(street.layout, toy_bank, TINY, None, replace(PLAIN, seed=3))
    picture = np.full((96, 128, 3), (10, 200, 30), np.uint8)
    sheet = assembly_sheet(made, toy_bank, street.layout, picture)
    assert sheet.dtype == np.uint8 and sheet.shape[1] == 4 * 324 and sheet.shape[0] > 240 + 100
    x = 3 * 324 + 160
    assert tuple(sheet[14 + 120, x]) == (10, 200, 30)
    layout = street.layout.label_set.colors(street.layout.label_map)
    assert tuple(sheet[14 + 3, 3]) == tuple(layout[1, 1])
    other = assembly_sheet(assemble(street.layout, toy_bank, TINY, None, PLAIN), toy_bank, street.layout, picture)
    assert not np.array_equal(sheet[260:], other[260:][: len(sheet) - 260])


def test_a_canvas_of_nothing_has_a_sheet_too(street: Scene, toy_bank: Bank) -> None:
    void = street.layout.label_set.find("void").id
    layout = Layout(np.full((40, 60), void), street.layout.label_set)
    sheet = assembly_sheet(assemble(layout, toy_bank, TINY, None), toy_bank, layout, np.zeros((40, 60, 3), np.uint8))
    assert sheet.shape[2] == 3 and sheet.shape[1] == 4 * 324
