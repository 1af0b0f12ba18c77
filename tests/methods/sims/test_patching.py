"""Holes in photos: the photo's own pixels first, then the bank's; seeds step through the best objects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from scenebrush.canvas import compose
from scenebrush.methods.sims.bank import Bank
from scenebrush.methods.sims.patching import best_objects, candidates, patch
from scenebrush.methods.sims.segments import segments_of
from scenebrush.scene import operations
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene
from tests.methods.sims.toy_banks import TINY, bank_without

CAMVID = LabelSet.load("camvid")
ROAD, CAR, SKY = (CAMVID.find(name).id for name in ("road", "car", "sky"))


@pytest.fixture(scope="module")
def empty_street(street: Scene) -> Scene:
    """The street without a car: its cars are labelled as the road."""
    labels = np.where(street.layout.label_map == CAR, ROAD, street.layout.label_map)
    return Scene(street.photo, Layout(labels, CAMVID))


@pytest.fixture(scope="module")
def added(empty_street: Scene) -> Edit:
    """A car where the photo has none."""
    return operations.add(empty_street, "car", box=(50, 60, 80, 80))


def test_a_class_that_the_photo_lacks_comes_from_the_bank(empty_street: Scene, added: Edit, toy_bank: Bank) -> None:
    made = patch(empty_street, added, toy_bank, TINY, None)
    car = added.layout.label_map == CAR
    assert car.sum() > 300 and (made.present & car).sum() > 0.6 * car.sum()
    assert np.array_equal(made.color[~added.hole], empty_street.photo[~added.hole])
    assert made.present[~added.hole].all() and not made.elided[~added.hole].any()
    filled = compose(empty_street, added).photo
    assert (made.color[car & made.present] != filled[car & made.present]).any(-1).mean() > 0.8
    stuff = added.hole & ~car & made.present
    assert np.array_equal(made.color[stuff], filled[stuff])


def test_seeds_step_through_the_best_objects_and_begin_again(empty_street: Scene, added: Edit, toy_bank: Bank) -> None:
    ((*found,),) = (one for one in candidates(empty_street, added, toy_bank, 500) if one[0].record.class_id == CAR)
    assert len(found) == toy_bank.count(CAR) > 5
    made = [patch(empty_street, added, toy_bank, TINY, None, rank=rank).color for rank in (0, 0, 1, 2, len(found))]
    car = added.layout.label_map == CAR
    assert np.array_equal(made[0], made[1])
    assert np.array_equal(made[0][car], made[4][car])
    assert all((made[i][car] != made[j][car]).any() for i, j in ((0, 2), (0, 3), (2, 3)))


def test_the_first_ones_are_the_same_however_many_are_asked_for(added: Edit, toy_bank: Bank) -> None:
    segment = next(s for s in segments_of(added.layout) if s.class_id == CAR)
    many = [m.record.id for m in best_objects(toy_bank, added.layout, segment, 30)]
    for k in (1, 5, 12):
        assert [m.record.id for m in best_objects(toy_bank, added.layout, segment, k)] == many[:k]
    assert len(set(many)) == len(many)


def test_what_the_photo_has_itself_is_not_asked_for(street: Scene, toy_bank: Bank) -> None:
    """Road behind an erased car: copied from the same photo, as without a bank."""
    x, y = (int(v) for v in np.argwhere(street.layout.label_map == CAR)[0][::-1])
    edit = operations.erase(street, at=(x, y))
    made, own = patch(street, edit, toy_bank, TINY, None), compose(street, edit)
    copied = own.copied & edit.hole
    assert copied.any() and np.array_equal(made.color[copied], own.photo[copied])
    assert made.present[copied].all()


def test_a_carried_object_keeps_its_pixels(street: Scene, toy_bank: Bank) -> None:
    x, y = (int(v) for v in np.argwhere(street.layout.label_map == CAR)[0][::-1])
    edit = operations.move(street, (x, y), (6, 4))
    made, own = patch(street, edit, toy_bank, TINY, None), compose(street, edit)
    assert own.carried.any()
    assert np.array_equal(made.color[own.carried], own.photo[own.carried])
    assert not (made.elided & own.carried).any() and made.present[own.carried].all()


def test_the_banks_stuff_leaves_the_rim_of_a_carried_object_alone(street: Scene, toy_bank: Bank) -> None:
    """All around a moved car the layout asks for a class that the photo does not show."""
    x, y = (int(v) for v in np.argwhere(street.layout.label_map == CAR)[0][::-1])
    edit = operations.move(street, (x, y), (6, 4))
    foreign = CAMVID.find("building").id
    visible, wanted = (np.where(m == foreign, ROAD, m) for m in (street.layout.label_map, edit.layout.label_map))
    labels = np.where(edit.hole & ~edit.carries[0].target, foreign, wanted)
    scene = Scene(street.photo, Layout(visible, street.layout.label_set, street.layout.instance_map))
    asked = replace(edit, layout=Layout(labels, street.layout.label_set, edit.layout.instance_map))
    made, own = patch(scene, asked, toy_bank, TINY, None), compose(scene, asked)
    rim = own.carried & ~edit.carries[0].target
    assert rim.any() and (made.color != own.photo).any()
    assert np.array_equal(made.color[rim], own.photo[rim])


def test_a_class_that_neither_has_is_left_to_the_network(
    empty_street: Scene, added: Edit, toy_bank: Bank, tmp_path: Path
) -> None:
    bank = bank_without(toy_bank, tmp_path / "bank", CAR)
    made = patch(empty_street, added, bank, TINY, None)
    assert not made.present[added.layout.label_map == CAR].any()
    assert [one for one in candidates(empty_street, added, bank, 5) if len(one) and one[0].record.class_id == CAR] == []


def test_objects_outside_the_hole_are_nobodys_business(street: Scene, toy_bank: Bank) -> None:
    hole = np.zeros(street.layout.shape, bool)
    hole[2:10, 2:20] = True
    edit = Edit(hole, street.layout)
    assert [one for one in candidates(street, edit, toy_bank, 5) if one and one[0].record.class_id == CAR] == []
