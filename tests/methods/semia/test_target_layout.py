"""Target layouts: other sizes, classes that the photo lacks, other label sets."""

from __future__ import annotations

import numpy as np
import pytest

from scenebrush.errors import InputError, ModelError
from scenebrush.methods.semia.source import Source
from scenebrush.methods.semia.target_layout import TargetLayout, lacking_classes, target_layout, with_nearest_classes
from scenebrush.scene.files.edge_maps import EDGES
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from tests.methods.semia.tiny import LAND, land, photo_of, tiny_source

SKY, HILL, HUT, LAKE = 0, 1, 2, 7


def asked(layout: Layout, **options: bool) -> TargetLayout:
    return target_layout(layout, tiny_source(), name="fit", **options)


def test_a_layout_that_does_is_left_alone() -> None:
    layout = land(horizon=0.3)
    assert asked(layout) == (layout, ()) and asked(layout, any_size=False).layout is layout


def test_another_label_set_is_refused() -> None:
    with pytest.raises(ModelError, match="knows the classes of 'land', not of 'camvid'"):
        asked(Layout(np.zeros((72, 88)), LabelSet.load("camvid")))


def test_another_size_of_the_same_shape_is_brought_to_the_photos() -> None:
    for any_size in (False, True):
        found = asked(land(height=144, width=177), any_size=any_size)
        assert found.layout.shape == (72, 88)
        note = "the layout is 177x144, fit 'fit' learned 88x72: drawn at that size, the picture is scaled"
        assert found.notes == (note,)
    wider = asked(land(height=72, width=177))
    assert wider.layout.shape == (72, 177) and not wider.notes


def test_thin_lines_are_not_lost_on_the_way() -> None:
    lines = np.zeros((72, 88), int)
    lines[40] = 1
    source = Source(photo_of(land()), Layout(lines, EDGES), "edges")
    larger = np.zeros((216, 264), int)
    larger[:, 30] = 1  # picking would take columns 28 and 31
    found = target_layout(Layout(larger, EDGES), source, name="fit", any_size=False).layout
    assert found.label_map[:, 10].all() and found.label_map.sum() == 72


@pytest.mark.parametrize("size", [(72, 90), (88, 72), (72, 86)])
def test_another_shape_is_refused_with_both_sizes(size: tuple[int, int]) -> None:
    layout = land(height=size[0], width=size[1])
    with pytest.raises(InputError, match=rf"the layout is {size[1]}x{size[0]}, fit 'fit' learned a photo of 88x72"):
        asked(layout, any_size=False)
    assert asked(layout).layout is layout


def test_a_class_that_the_photo_lacks_is_named_with_its_pixels_and_the_flag() -> None:
    labels = land().label_map.copy()
    labels[50:60, 50:80] = LAKE
    labels[0, 0] = 99
    layout = Layout(labels, LAND)
    assert lacking_classes(layout, tiny_source()) == {LAKE: 300, 99: 1}
    told = (
        "the photo of fit 'fit' shows no 'lake', which the layout has in 300 pixels, nor id 99;"
        " it shows 'sky', 'hill', 'hut': .*--nearest-class"
    )
    with pytest.raises(InputError, match=told):
        asked(layout)


def test_the_nearest_class_there_is_takes_its_place() -> None:
    labels = land().label_map.copy()
    labels[30:60, 50:80] = LAKE  # six rows of it in the sky, the rest on the hill
    numbers = np.where(labels == LAKE, 5, 0)
    numbers[0, 0] = 1
    found = asked(Layout(labels, LAND, numbers), nearest_class=True)
    assert found.notes == ("the photo shows no 'lake': the nearest class it shows is drawn there",)
    assert set(np.unique(found.layout.label_map)) == {SKY, HILL, HUT}
    elsewhere = labels != LAKE
    assert np.array_equal(found.layout.label_map[elsewhere], labels[elsewhere])
    assert found.layout.instance_map is not None and np.flatnonzero(found.layout.instance_map).tolist() == [0]
    near_sky, near_hill = found.layout.label_map[30, 51:79], found.layout.label_map[59, 51:79]
    assert (near_sky == SKY).all() and (near_hill == HILL).all()


def test_the_nearest_is_the_nearest_by_brute_force() -> None:
    rng = np.random.default_rng(3)
    labels = rng.choice([SKY, HILL, LAKE], (9, 11), p=[0.1, 0.1, 0.8])
    found = with_nearest_classes(Layout(labels, LAND), tiny_source(), "fit").label_map
    known = np.argwhere(labels != LAKE)
    for place in np.argwhere(labels == LAKE):
        distances = ((known - place) ** 2).sum(1)
        nearest = {int(labels[tuple(p)]) for p in known[distances == distances.min()]}
        assert int(found[tuple(place)]) in nearest


def test_a_layout_of_foreign_classes_only_has_no_nearest() -> None:
    with pytest.raises(InputError, match="no class at all that the photo of fit 'fit' shows; it shows 'sky'"):
        asked(Layout(np.full((72, 88), LAKE), LAND), nearest_class=True)
