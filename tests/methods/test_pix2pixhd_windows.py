"""Where a picture is drawn again: what boxes hold, how they stay apart, and what pasting leaves alone."""

from __future__ import annotations

import numpy as np

from scenebrush.methods.pix2pixhd.windows import FEATHER, Box, boxes_around, paste


def changed(*boxes: Box, shape: tuple[int, int] = (96, 160)) -> np.ndarray:
    mask = np.zeros(shape, bool)
    for box in boxes:
        mask[box.slices] = True
    return mask


def test_a_box_has_the_reach_around_the_change_on_the_grid() -> None:
    (box,) = boxes_around(changed(Box(40, 70, 50, 90)), 16, 8)
    assert box == Box(24, 48, 72, 112)  # cells 5 to 6 and 8 to 11, two more on each side


def test_it_ends_at_the_picture() -> None:
    (box,) = boxes_around(changed(Box(0, 150, 4, 160)), 20, 8)
    assert box == Box(0, 120, 32, 160)


def test_what_lies_apart_gets_boxes_of_its_own_and_what_meets_is_joined() -> None:
    near, far = Box(8, 8, 16, 16), Box(80, 136, 88, 144)
    assert len(boxes_around(changed(near, far), 8, 8)) == 2
    assert boxes_around(changed(near, Box(24, 32, 40, 40)), 8, 8) == [Box(0, 0, 48, 48)]
    assert boxes_around(changed(), 8, 8) == []


def test_boxes_of_bent_shapes_never_overlap() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        mask = rng.random((96, 160)) < 0.0008
        boxes = boxes_around(mask, 8, 8)
        count = np.zeros(mask.shape, int)
        for box in boxes:
            count[box.slices] += 1
        assert count.max(initial=0) <= 1 and (count[mask] == 1).all()


def test_pasting_fades_at_inner_edges_only() -> None:
    old = np.zeros((64, 80, 3), np.uint8)
    box = Box(0, 24, 48, 80)
    paste(old, np.full((48, 56, 3), 160.0, np.float32), box)
    assert not old[48:].any() and not old[:, :24].any()
    across = old[10, 24 : 24 + FEATHER, 0].astype(int)
    assert (np.diff(across) == 10).all() and across[0] == 5
    assert (old[: 48 - FEATHER, 24 + FEATHER :] == 160).all()  # up to the picture's own edges


def test_what_reaches_into_the_padding_is_cut_off() -> None:
    old = np.zeros((20, 30, 3), np.uint8)
    paste(old, np.full((24, 32, 3), 300.0, np.float32), Box(0, 0, 24, 32))
    assert (old == 255).all()
