"""The toy world: the same scene with and without an object, and maps that are true."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from scenebrush.data import SplitInMemory
from scenebrush.data.toy import ToyObject, ToyWorld, draw_counterfactuals, rendering, write_toy_folder
from scenebrush.errors import EditError, InputError

SEEDS = range(5)
SMALL = (160, 120)


def reach(thing: ToyObject, size: tuple[int, int]) -> np.ndarray:
    """Where an object's own outlines and its shadows' lie, with the 4 pixels of a soft shadow's rim."""
    picture = Image.new("1", size)
    draw = ImageDraw.Draw(picture)
    for outline in (*(p.outline for p in thing.parts), *thing.shadows, *thing.contact):
        draw.polygon([(x, y) for x, y in outline.tolist()], fill=1, outline=1)
    return ndimage.binary_dilation(np.asarray(picture), np.ones((3, 3)), iterations=5)


def test_a_seed_decides_everything() -> None:
    a, b, other = ToyWorld(4).scene(), ToyWorld(4).scene(), ToyWorld(5).scene()
    assert (a.photo == b.photo).all() and (a.layout.label_map == b.layout.label_map).all()
    assert (a.layout.instance_map == b.layout.instance_map).all()
    assert (a.photo != other.photo).mean() > 0.5


@pytest.mark.parametrize("seed", SEEDS)
def test_leaving_an_object_out_changes_only_its_own_pixels(seed: int) -> None:
    world = ToyWorld(seed)
    for thing in world.objects[-3:]:
        case = world.counterfactual(thing.id)
        assert not case.influence[~reach(thing, world.size)].any()
        changed = (case.present.photo != case.absent.photo).any(axis=2)
        assert not changed[~case.influence].any()


@pytest.mark.parametrize("seed", SEEDS)
def test_maps_differ_exactly_where_the_object_was(seed: int) -> None:
    world = ToyWorld(seed)
    for number in world.visible_ids()[-3:]:
        case = world.counterfactual(number)
        before, after = case.present.layout, case.absent.layout
        own = before.instance_map == number
        assert own.any() and not (after.instance_map == number).any()
        (thing,) = (o for o in world.objects if o.id == number)
        elsewhere = ~reach(thing, world.size)
        assert (before.label_map == after.label_map)[elsewhere].all()
        assert (before.instance_map == after.instance_map)[elsewhere].all()
        assert (before.instance_map != after.instance_map)[own].all()


@pytest.mark.parametrize("seed", SEEDS)
def test_labels_and_instances_agree(seed: int) -> None:
    world = ToyWorld(seed)
    layout = world.scene().layout
    names = {o.id: o.class_name for o in world.objects}
    assert sorted(names) == list(range(1, len(names) + 1))
    for number in world.visible_ids():
        classes = np.unique(layout.label_map[layout.instance_map == number])
        assert classes.tolist() == [world.label_set.find(names[number]).id]
    loose = np.unique(layout.label_map[layout.instance_map == 0])
    assert not world.label_set.is_kind(loose, "thing", "void").any()


def test_a_label_is_what_most_of_its_pixel_shows() -> None:
    world = ToyWorld(2, (64, 48))
    contents = world._contents
    parts = [p for o in contents.objects for p in o.parts]
    owners = [o.id for o in contents.objects for _ in o.parts]
    index = rendering._draw_index(contents, parts)
    instance_map, fine, stuff = world.scene().layout.instance_map, rendering.FINE, len(contents.backdrops)
    for row, column in np.random.default_rng(0).integers(0, (48, 64), (300, 2)):
        block = index[row * fine : (row + 1) * fine, column * fine : (column + 1) * fine].ravel().tolist()
        votes = Counter(0 if i < stuff else owners[i - stuff] for i in block)
        assert votes[int(instance_map[row, column])] >= 1
        clear = [number for number, n in votes.items() if n > len(block) / 2]
        assert clear in ([], [instance_map[row, column]])


def test_the_shadow_goes_with_its_object() -> None:
    brighter = 0
    for case in draw_counterfactuals(4, seed=1, size=SMALL, classes=("car",), least_object=24):
        ground = case.influence & (case.present.layout.instance_map == 0)
        ground &= case.present.layout.label_set.is_kind(case.present.layout.label_map, "stuff")
        gain = case.absent.photo[ground].astype(float).mean() - case.present.photo[ground].mean()
        brighter += gain > 3
    assert brighter == 4


def test_hidden_things_come_to_light() -> None:
    revealed = 0
    for seed in range(12):
        world = ToyWorld(seed, SMALL)
        layout = world.scene().layout
        for number in world.visible_ids()[::3]:
            under = world.without(number).layout.instance_map[layout.instance_map == number]
            revealed += len(np.unique(under[under > 0])) > 0
        if revealed:
            return
    pytest.fail("no object hides another in twelve worlds")


@pytest.mark.parametrize("size", [(64, 48), (100, 140), (512, 384)])
def test_any_size(size: tuple[int, int]) -> None:
    scene = ToyWorld(1, size).scene()
    assert scene.photo.shape == (size[1], size[0], 3)
    assert 60 < scene.photo.mean() < 200
    classes = np.unique(scene.layout.label_map)
    assert {"road", "pavement", "building"} <= {scene.layout.label_set.by_id[c].name for c in classes.tolist()}


def test_an_unknown_object_is_named() -> None:
    with pytest.raises(EditError, match="toy world 3 has no object 999"):
        ToyWorld(3).without(999)


def test_counterfactuals_are_of_the_classes_asked_for() -> None:
    for case in draw_counterfactuals(3, seed=2, size=SMALL, classes=("pedestrian",), least_object=12):
        own = case.present.layout.instance_map == case.instance_id
        assert np.unique(case.present.layout.label_map[own]).tolist() == [9]
        rows, columns = np.nonzero(own)
        assert max(np.ptp(rows), np.ptp(columns)) + 1 >= 12


def test_a_toy_folder_is_a_scene_folder(tmp_path: Path) -> None:
    write_toy_folder(tmp_path, 2, "train", size=(96, 72), seed=1)
    write_toy_folder(tmp_path, 1, "val", size=(96, 72), seed=2)
    train, val = SplitInMemory(tmp_path, "train"), SplitInMemory(tmp_path, "val")
    assert [p.stem for p in train.photos] == ["toy_1000000", "toy_1000001"] and len(val) == 1
    scene = ToyWorld(1_000_001, (96, 72)).scene()
    assert (train.photos[1].photo == scene.photo).all()
    assert (train.photos[1].label_map == scene.layout.label_map).all()
    assert (train.photos[1].instance_map == scene.layout.instance_map).all()
    with pytest.raises(InputError, match="cannot write 0 toy scenes"):
        write_toy_folder(tmp_path, 0)
