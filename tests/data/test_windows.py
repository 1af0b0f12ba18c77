"""Training windows: what they promise to a run that is resumed, and to the losses."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenebrush.data import HOLE_KINDS, SplitInMemory, TrainingWindows, Window
from scenebrush.data.choosing import ObjectChooser
from scenebrush.data.windows import cut_map, cut_photo, jitter_colors
from scenebrush.errors import InputError, LabelError


def same(a: Window, b: Window) -> bool:
    arrays = ("photo", "label_map", "instance_map", "hole")
    return all((getattr(a, n) == getattr(b, n)).all() for n in arrays) and (a.stem, a.box) == (b.stem, b.box)


def test_a_window_depends_on_seed_and_index_alone(toy_folder: Path, toy_split: SplitInMemory) -> None:
    forwards = [TrainingWindows(toy_split, seed=5)[i] for i in range(12)]
    fresh = TrainingWindows(toy_folder, "train", seed=5)
    backwards = {i: fresh[i] for i in reversed(range(12))}
    assert all(same(forwards[i], backwards[i]) for i in range(12))
    other = TrainingWindows(toy_split, seed=6)
    assert not any(same(forwards[i], other[i]) for i in range(12))
    assert not same(forwards[0], forwards[1])


def test_windows_have_the_promised_shapes_and_shares(toy_split: SplitInMemory) -> None:
    windows = TrainingWindows(toy_split, size=96, hole_share=(0.02, 0.4))
    for i in range(60):
        window = windows[i]
        assert window.photo.shape == (96, 96, 3) and window.photo.dtype == np.uint8
        assert window.label_map.dtype == window.instance_map.dtype == np.int32
        assert window.label_map.shape == window.instance_map.shape == window.hole.shape == (96, 96)
        assert window.hole.dtype == bool and 0.02 <= window.hole.mean() <= 0.4
        x0, y0, x1, y1 = window.box
        assert x0 >= 0 and y0 >= 0 and x1 <= 256 and y1 <= 192 and x1 - x0 == y1 - y0


def test_pixels_and_maps_are_those_of_the_photo(toy_split: SplitInMemory) -> None:
    by_stem = {p.stem: p for p in toy_split.photos}
    windows = TrainingWindows(toy_split, color_jitter=0)
    flips = Counter(windows[i].flipped for i in range(40))
    assert flips[True] and flips[False]
    for i in range(40):
        window = windows[i]
        source, step = by_stem[window.stem], -1 if window.flipped else 1
        whole = Image.fromarray(source.photo).crop(window.box).resize((128, 128), Image.Resampling.BICUBIC)
        assert (np.asarray(whole)[:, ::step] == window.photo).all()
        for name in ("label_map", "instance_map"):
            part = Image.fromarray(getattr(source, name).astype(np.uint8)).crop(window.box)
            nearest = np.asarray(part.resize((128, 128), Image.Resampling.NEAREST))[:, ::step]
            assert (nearest == getattr(window, name)).all()


def test_labels_and_instances_agree(toy_split: SplitInMemory) -> None:
    windows = TrainingWindows(toy_split)
    for i in range(30):
        window = windows[i]
        for number in np.unique(window.instance_map[window.instance_map > 0]):
            assert len(np.unique(window.label_map[window.instance_map == number])) == 1


def test_holes_of_objects_belong_to_their_objects(toy_split: SplitInMemory) -> None:
    for kind in ("silhouette", "box"):
        windows = TrainingWindows(toy_split, kinds={kind: 1.0})
        for i in range(20):
            window = windows[i]
            if window.kind == kind:
                assert window.class_id in np.unique(window.label_map[window.hole])


def test_foreign_silhouettes_hold_no_thing(toy_split: SplitInMemory) -> None:
    windows = TrainingWindows(toy_split, kinds={"foreign_silhouette": 1.0})
    kinds = Counter()
    for i in range(40):
        window = windows[i]
        kinds[window.kind] += 1
        if window.kind == "foreign_silhouette":
            assert not toy_split.thing_table[window.label_map[window.hole]].any()
    assert kinds["foreign_silhouette"] > 30


def test_the_mixture_is_kept(toy_split: SplitInMemory) -> None:
    windows = TrainingWindows(toy_split, size=64, kinds={"strokes": 3.0, "background_box": 1.0})
    kinds = Counter(windows[i].kind for i in range(200))
    assert set(kinds) == {"strokes", "background_box"}
    assert kinds["strokes"] / 200 == pytest.approx(0.75, abs=0.1)
    assert sum(HOLE_KINDS.values()) == pytest.approx(1.0)


def test_class_weights_decide_what_is_chosen(toy_split: SplitInMemory) -> None:
    names = {"tree": 0.0, "pole": 0.0, "sign_symbol": 0.0, "pedestrian": 0.0, "bicyclist": 0.0, "car": 1.0}
    windows = TrainingWindows(toy_split, size=64, kinds={"box": 1.0}, class_weights=names)
    chosen = {windows[i].class_id for i in range(40)} - {None}
    assert chosen == {toy_split.label_set.find("car").id}


def test_small_objects_are_left_out(toy_split: SplitInMemory) -> None:
    windows = TrainingWindows(toy_split, least_object=30)
    assert windows.chooser.objects and all(
        max(o.box[2] - o.box[0], o.box[3] - o.box[1]) >= 30 for o in windows.chooser.objects
    )


def test_chooser_draws_classes_by_weight(toy_split: SplitInMemory) -> None:
    chooser = ObjectChooser(toy_split.objects, {8: 3.0, 9: 1.0, 5: 0.0, 2: 0.0, 6: 0.0, 10: 0.0})
    rng = np.random.default_rng(0)
    drawn = Counter(chooser.draw(rng).class_id for _ in range(2000))
    assert set(drawn) == {8, 9} and drawn[8] / 2000 == pytest.approx(0.75, abs=0.04)


def test_unknown_names_get_the_nearest(toy_split: SplitInMemory) -> None:
    with pytest.raises(InputError, match="did you mean 'strokes'"):
        TrainingWindows(toy_split, kinds={"stroke": 1.0})
    with pytest.raises(LabelError, match="did you mean 'car'"):
        TrainingWindows(toy_split, class_weights={"cars": 1.0})
    with pytest.raises(InputError, match="leave none to draw"):
        TrainingWindows(toy_split, kinds={"box": 0.0})


def test_cut_map_takes_pixel_centres() -> None:
    array = np.arange(16).reshape(4, 4)
    assert (cut_map(array, (0, 0, 4, 4), 2) == [[5, 7], [13, 15]]).all()
    assert (cut_map(array, (1, 1, 3, 3), 4) == np.repeat(np.repeat([[5, 6], [9, 10]], 2, 0), 2, 1)).all()


def test_cut_photo_at_its_own_size_is_a_copy() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)
    part = cut_photo(photo, (2, 3, 6, 7), 4)
    assert (part == photo[3:7, 2:6]).all()
    part[:] = 0
    assert photo.any()


def test_color_jitter_of_nothing_changes_nothing() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    assert (jitter_colors(np.random.default_rng(1), photo, 0.0) == photo).all()
    changed = jitter_colors(np.random.default_rng(1), photo, 0.1).astype(int)
    assert 0 < np.abs(changed - photo).max() <= 128 * 0.1 + 128 * 0.1 + 255 * 0.07
