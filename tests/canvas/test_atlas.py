"""Shifts, variants and cut-outs of the atlas."""

from __future__ import annotations

import numpy as np

from scenebrush.canvas.atlas import NOWHERE, Atlas, Variant, cut_out, rim_of


def atlas_of(rng: np.random.Generator, variants: tuple[Variant, ...] = ()) -> tuple[Atlas, np.ndarray]:
    photo = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
    labels = rng.integers(0, 4, (40, 50))
    return Atlas.cut(photo, labels, np.zeros((40, 50), np.uint8), (20, 15, 28, 22), 18, variants), photo


def test_a_shift_names_a_variant_and_an_offset() -> None:
    atlas, photo = atlas_of(np.random.default_rng(0))
    row, column = 17, 22
    place = (row - atlas.top) * atlas.stride + column - atlas.left
    shift = atlas.shift(np.array([[0, 5, -3]]))[0]
    np.testing.assert_array_equal(atlas.photo.reshape(-1, 3)[place + shift], photo[row - 3, column + 5])


def test_the_mirrored_variant_mirrors_about_the_middle_of_the_hole() -> None:
    atlas, photo = atlas_of(np.random.default_rng(1), (Variant(mirrored=True),))
    left, right = 20, 27  # the hole's first and last column
    place = (16 - atlas.top) * atlas.stride + left - atlas.left
    shift = atlas.shift(np.array([[1, 0, 0]]))[0]
    np.testing.assert_array_equal(atlas.photo.reshape(-1, 3)[place + shift], photo[16, right])
    rows, columns = atlas.locate(np.array([place + shift]))
    assert (rows[0], columns[0]) == (16 - atlas.top, right - atlas.left)


def test_further_variants_leave_shifts_as_they_are() -> None:
    atlas, _ = atlas_of(np.random.default_rng(3), (Variant(mirrored=True),))
    warp = np.array([[1, 0, 2.5], [0, 2, -1], [0, 0, 1]])
    new = np.full((1, *atlas.shape), 7)
    bare = np.zeros((1, *atlas.shape), bool)
    photo = np.zeros((1, *atlas.shape, 3), np.uint8)
    joined = atlas.joined(photo, new, bare.view(np.uint8), bare, (Variant(warp=warp),))
    moves = np.array([[1, 3, -2], [0, -4, 0]])
    np.testing.assert_array_equal(joined.shift(moves), atlas.shift(moves))
    np.testing.assert_array_equal(joined.label_map[:2], atlas.label_map)
    place = 20 * atlas.stride + 22 + joined.shift(np.array([[2, 0, 0]]))
    assert joined.label_map.reshape(-1)[place] == 7
    rows, columns = joined.locate(place)
    assert (rows[0], columns[0]) == (39, 24.5)


def test_outside_the_photo_there_is_nothing_to_copy() -> None:
    atlas, _ = atlas_of(np.random.default_rng(2))
    assert atlas.top < 0
    assert (atlas.label_map[0, : -atlas.top] == NOWHERE).all()


def test_cut_out_pads_where_the_box_reaches_outside() -> None:
    array = np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(cut_out(array, (-1, 1, 2, 4), -9), [[-9, 4, 5], [-9, 8, 9], [-9, -9, -9]])


def test_rims_are_what_a_brute_force_finds() -> None:
    """Less than three pixels (rows or columns) from a pair of neighbours of two classes; the hole is no class."""
    rng = np.random.default_rng(6)
    classes = np.repeat(np.repeat(rng.choice([NOWHERE, 1, 1, 2], (5, 6)), 5, axis=0), 5, axis=1)
    edges = []
    for r, c in np.ndindex(classes.shape):
        for dr, dc in ((0, 1), (1, 0), (0, -1), (-1, 0)):
            if 0 <= r + dr < 25 and 0 <= c + dc < 30:
                here, there = classes[r, c], classes[r + dr, c + dc]
                edges += [(r, c)] if here != there and NOWHERE not in (here, there) else []
    expected = [
        [any(max(abs(r - row), abs(c - column)) < 3 for row, column in edges) for c in range(30)] for r in range(25)
    ]
    np.testing.assert_array_equal(rim_of(classes, 3), expected)
    assert not rim_of(classes, 0).any()
