"""Class indices, windows with their canvas, and the cache on disk."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenebrush.data.split_in_memory import LabelledPhoto, SplitInMemory
from scenebrush.data.windows import TrainingWindows
from scenebrush.errors import InputError
from scenebrush.methods.sesame.dataset import GuidedWindows, cache_key, class_indices, object_map, window_arrays
from scenebrush.methods.sesame.inputs import WindowArrays
from scenebrush.scene.label_set import LabelClass, LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene

SPARSE = LabelSet(
    "sparse",
    (
        LabelClass(7, "road", (0, 0, 0), "stuff"),
        LabelClass(34, "car", (9, 9, 9), "thing"),
        LabelClass(2, "sky", (5, 5, 5), "stuff"),
    ),
    ignore_id=255,
)


@pytest.fixture(scope="module")
def windows(toy_scene: Scene) -> TrainingWindows:
    layout = toy_scene.layout
    assert layout.instance_map is not None
    photo = LabelledPhoto("toy", toy_scene.photo, layout.label_map, layout.instance_map)
    return TrainingWindows(SplitInMemory.of([photo], layout.label_set), size=32, seed=1)


def assert_same(one: WindowArrays, two: WindowArrays) -> None:
    for name, value in vars(one).items():
        other = getattr(two, name)
        assert (value is None) == (other is None), name
        assert value is None or np.array_equal(value, other), name


def test_indices_follow_the_order_of_the_classes() -> None:
    assert class_indices(np.array([[7, 34], [2, 7]]), SPARSE).tolist() == [[0, 1], [2, 0]]


@pytest.mark.parametrize("unlabelled", [255, -1, 8, 70_000])
def test_an_unlabelled_pixel_counts_as_its_neighbours(unlabelled: int) -> None:
    label_map = np.array([[2, 2, 34, 34], [2, unlabelled, unlabelled, 34], [2, 2, 34, 34]])
    assert class_indices(label_map, SPARSE).tolist() == [[2, 2, 1, 1]] * 3
    assert not class_indices(np.full((2, 2), unlabelled), SPARSE).any()


@pytest.mark.parametrize("name", ["cityscapes", "cityscapes_train", "ade20k", "cocostuff"])
def test_every_shipped_id_has_its_own_index(name: str) -> None:
    label_set = LabelSet.load(name)
    assert class_indices(np.array([label_set.ids]), label_set)[0].tolist() == list(range(len(label_set.ids)))


def test_objects_come_from_the_instance_map_or_from_components() -> None:
    label_map = np.full((20, 30), 7)
    label_map[2:10, 2:10] = label_map[5:15, 15:25] = 34
    given = np.zeros((20, 30), int)
    assert object_map(Layout(label_map, SPARSE, given)).max() == 0
    found = object_map(Layout(label_map, SPARSE))
    assert np.array_equal(found > 0, label_map == 34) and found.max() == 2


def test_a_window_brings_the_canvas_of_its_hole(windows: TrainingWindows) -> None:
    window = windows[3]
    arrays = window_arrays(window, windows.label_set, guided=True)
    assert arrays.guide is not None and arrays.copied is not None
    assert np.array_equal(arrays.guide[~window.hole], window.photo[~window.hole])
    assert not arrays.copied[~window.hole].any()
    plain = window_arrays(window, windows.label_set, guided=False)
    assert plain.guide is None and plain.copied is None


@pytest.mark.parametrize("guided", [True, False])
def test_the_cache_gives_what_would_be_computed(windows: TrainingWindows, tmp_path: Path, guided: bool) -> None:
    fresh = GuidedWindows(windows, 4, guided=guided)
    cached = GuidedWindows(windows, 4, guided=guided, cache=tmp_path / "cache")
    assert len(cached) == 4
    for _ in range(2):  # made, then read
        for index in (2, 0):
            assert_same(cached[index], fresh[index])
    again = GuidedWindows(windows, 4, guided=guided, cache=tmp_path / "cache")
    again._make = None  # type: ignore[method-assign, assignment]
    assert_same(again[2], fresh[2])
    with pytest.raises(TypeError):  # this one is not there yet
        again[1]


def test_large_ids_go_through_the_cache(windows: TrainingWindows, tmp_path: Path) -> None:
    plain = GuidedWindows(windows, 4, guided=False)
    index = next(i for i in range(4) if plain[i].instances.max() > 0)
    large = replace(plain[index], instances=plain[index].instances * 65_536)
    cached = GuidedWindows(windows, 4, guided=False, cache=tmp_path / "cache")
    cached._make = lambda _: large  # type: ignore[method-assign]
    found = cached[index].instances
    assert np.array_equal(found > 0, large.instances > 0)
    pairs = np.unique(np.stack([found.ravel(), large.instances.ravel()]), axis=1)
    assert len(pairs[0]) == len(np.unique(pairs[0])) == len(np.unique(pairs[1]))


def test_a_cache_of_another_kind_is_refused(windows: TrainingWindows, tmp_path: Path) -> None:
    GuidedWindows(windows, 4, guided=False, cache=tmp_path)
    with pytest.raises(InputError, match=r"expected .*\(5, 32, 32, 3\); remove"):
        GuidedWindows(windows, 5, guided=False, cache=tmp_path)
    (tmp_path / "photo.npy").write_bytes(b"cut off")
    with pytest.raises(InputError, match=r"photo.npy is no array"):
        GuidedWindows(windows, 4, guided=False, cache=tmp_path)


def test_the_key_of_a_cache_depends_on_every_fact() -> None:
    facts = {"size": 64, "seed": 0, "kinds": {"box": 1.0}}
    keys = {cache_key(facts), cache_key(facts | {"seed": 1}), cache_key(facts | {"kinds": {"box": 0.5}})}
    assert len(keys) == 3 and cache_key(dict(reversed(facts.items()))) in keys
