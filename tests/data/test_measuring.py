"""Measuring windows: fixed sets, spread over the photos, with the holes that the tasks name."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from scenebrush.data import TASKS, SplitInMemory, measuring_windows
from scenebrush.data.holes import box_of
from scenebrush.errors import InputError


@pytest.mark.parametrize("task", TASKS)
def test_the_same_arguments_give_the_same_windows(toy_split: SplitInMemory, task: str) -> None:
    few = measuring_windows(toy_split, "train", task, 5, 1, 96)
    many = measuring_windows(toy_split, "train", task, 12, 1, 96)
    assert (len(few), len(many)) == (5, 12)
    for a, b in zip(few, many, strict=False):
        assert (a.photo == b.photo).all() and (a.hole == b.hole).all() and a.box == b.box
    other = measuring_windows(toy_split, "train", task, 5, 2, 96)
    assert any((a.hole != b.hole).any() for a, b in zip(few, other, strict=True))


@pytest.mark.parametrize("task", TASKS)
def test_photos_are_used_evenly(toy_split: SplitInMemory, task: str) -> None:
    windows = measuring_windows(toy_split, "train", task, 16, 0, 96)
    assert all(w.kind == task and w.hole.any() and not w.hole.all() for w in windows)
    assert all(w.box[2] - w.box[0] == 96 and w.photo.shape == (96, 96, 3) for w in windows)
    usage = Counter(w.stem for w in windows).values()
    assert len(usage) >= 6 and max(usage) <= 3


def test_add_holes_are_object_boxes(toy_split: SplitInMemory) -> None:
    for window in measuring_windows(toy_split, "train", "add", 12, 0, 128):
        x0, y0, x1, y1 = box_of(window.hole)
        assert window.hole[y0:y1, x0:x1].all()
        inside = np.unique(window.instance_map[window.hole])
        boxes = [box_of(window.instance_map == i) for i in inside if i]
        assert (x0, y0, x1, y1) in boxes
        assert window.class_id in window.label_map[window.hole]


@pytest.mark.parametrize("task", ["erase", "erase_silhouette"])
def test_erase_holes_hold_no_thing(toy_split: SplitInMemory, task: str) -> None:
    for window in measuring_windows(toy_split, "train", task, 12, 0, 96):
        assert not toy_split.thing_table[window.label_map[window.hole]].any()
        assert window.class_id is None


def test_the_papers_context(toy_split: SplitInMemory) -> None:
    for window in measuring_windows(toy_split, "train", "add", 8, 0, 256, context=3.0):
        side = window.box[2] - window.box[0]
        x0, y0, x1, y1 = box_of(window.hole)
        longer = max(x1 - x0, y1 - y0) * side / 256  # back in pixels of the photo
        assert side == pytest.approx(min(3 * longer, 192), abs=4)


def test_mistakes_are_named(toy_split: SplitInMemory) -> None:
    with pytest.raises(InputError, match="unknown measuring task 'remove'"):
        measuring_windows(toy_split, "train", "remove", 3)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no object with a longer side of 500"):
        measuring_windows(toy_split, "train", "add", 3, least_object=500)


def test_camvid_erase_windows_hold_background_only(camvid_val: SplitInMemory) -> None:
    split = camvid_val
    for task in ("erase", "erase_silhouette"):
        windows = measuring_windows(split, "val", task, 30)
        assert len({w.stem for w in windows}) == 30
        for window in windows:
            inside = window.label_map[window.hole]
            assert not split.thing_table[inside].any() and split.void_table[inside].mean() <= 0.06
