"""Photos bent after sketches."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from scenebrush.canvas.analogy import Analogy
from scenebrush.canvas.analogy.lines import Bend, bent, follow
from scenebrush.canvas.analogy.sheet import NOTHING
from scenebrush.scene.label_set import LabelClass, LabelSet
from scenebrush.scene.layout import Layout

SHAPE = (96, 120)
LINES = LabelSet("edges", (LabelClass(0, "area", (0, 0, 0), "stuff"), LabelClass(1, "edge", (255, 255, 255), "stuff")))


def drawing(x: float, y: float, wide: float = 24, tall: float = 18) -> np.ndarray:
    """An oval with a cross to its right, and a line along the bottom, 2 px wide, bool."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    oval = ((columns - x) / wide) ** 2 + ((rows - y) / tall) ** 2 <= 1
    lines = oval & ~ndimage.binary_erosion(oval, np.ones((3, 3), bool), iterations=1)
    lines |= (np.abs(columns - x - wide / 2) < 1) & (np.abs(rows - y) < tall / 3)
    lines |= (np.abs(rows - y) < 1) & (np.abs(columns - x - wide / 2) < wide / 5)
    return lines | (np.abs(rows - 90) < 1)


def photo(x: float, y: float, wide: float = 24, tall: float = 18) -> np.ndarray:
    """The oval, dark at its left and bright at its right, on grey."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    inside = ((columns - x) / wide) ** 2 + ((rows - y) / tall) ** 2 <= 1
    shade = np.where(inside, 140 + 90 * (columns - x) / wide, 60 + 0.2 * rows)
    return np.stack([shade, shade * 0.7, 255 - shade], -1).clip(0, 255).astype(np.uint8)


def drawn(bend: Bend | None) -> np.ndarray:
    assert bend is not None
    return np.stack([bend.rows, bend.columns])


def test_lines_that_have_not_moved_bend_nothing() -> None:
    assert follow(drawing(50, 45), drawing(50, 45)) is None


def test_a_sketch_with_more_lines_leaves_what_is_there_as_it_is() -> None:
    more = drawing(50, 45)
    more[10:14, 80:110] = True
    assert follow(drawing(50, 45), more) is None


@pytest.mark.parametrize("none_in", ["photo", "sketch"])
def test_without_lines_there_is_nothing_to_follow(none_in: str) -> None:
    some, none = drawing(50, 45), np.zeros(SHAPE, bool)
    assert (follow(none, some) if none_in == "photo" else follow(some, none)) is None


def test_a_mirrored_sketch_mirrors_the_photo() -> None:
    there = drawn(follow(drawing(40, 45), drawing(40, 45)[:, ::-1]))
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    near = drawing(40, 45)[:, ::-1]
    assert np.abs(there[0] - rows)[near].mean() < 1
    assert np.abs(there[1] - (SHAPE[1] - 1 - columns))[near].mean() < 1


@pytest.mark.parametrize("sketch", [(58, 45, 24, 18), (53, 48, 27, 20), (54, 50, 27, 16)])
def test_lines_are_followed_where_they_moved_or_grew(sketch: tuple[float, ...]) -> None:
    bend = follow(drawing(50, 45), drawing(*sketch))
    there = drawn(bend)
    met = ndimage.map_coordinates(drawing(50, 45).astype(float), there, order=1)[drawing(*sketch)]
    before = drawing(50, 45).astype(float)[drawing(*sketch)]
    assert met.mean() > 0.6 > before.mean()


def test_a_bent_photo_holds_nothing_where_it_is_torn() -> None:
    rows, columns = (a.astype(np.float32) for a in np.mgrid[: SHAPE[0], : SHAPE[1]])
    torn = columns + np.where(columns > 60, 30, 0).astype(np.float32)
    picture = photo(50, 45).astype(np.float32) / 255
    sheet = bent(picture, drawing(50, 45).astype(int), Bend(rows, torn))
    assert (sheet.label_map[:, 60] == NOTHING).all() and (sheet.label_map[:, 95:] == NOTHING).all()
    assert np.array_equal(sheet.picture[:, :59], picture[:, :59])
    assert np.array_equal(sheet.used, sheet.label_map != NOTHING)


def test_a_sketch_becomes_the_photo_bent() -> None:
    source = Layout(drawing(50, 45).astype(int), LINES)
    analogy = Analogy(photo(50, 45), source, lines=1)
    sketch = (56, 45, 30, 18)
    made = analogy.render(Layout(drawing(*sketch).astype(int), LINES)).picture.astype(int)
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    inner = ((columns - 56) / 26) ** 2 + ((rows - 45) / 14) ** 2 <= 1
    assert np.abs(made - photo(*sketch))[inner].mean() < 14
    assert np.array_equal(analogy.render(source).picture, photo(50, 45))


@pytest.mark.parametrize("shape", [(1, 100), (2, 100), (100, 2), (1, 1), (3, 100)])
def test_sketches_of_a_pixel_height_bend_nothing_or_are_followed(shape: tuple[int, int]) -> None:
    sketch = np.zeros(shape, bool)
    sketch[:, shape[1] // 2] = True
    lines = np.zeros((60, 80), bool)
    lines[20:40, 30] = True
    bend = follow(lines, sketch)
    assert bend is None or bend.rows.shape == shape
    assert bend is None or min(shape) >= 3
