import numpy as np
import pytest
from scipy import ndimage

from scenebrush.errors import LabelError
from scenebrush.methods.sims.order_pairs import adjacent_pairs, coarse_order, front_by_rules, order_pairs
from scenebrush.methods.sims.segments import Segment, segments_of
from scenebrush.scene.label_set import LabelSet, shipped_label_sets
from scenebrush.scene.layout import Layout

CAMVID = LabelSet.load("camvid")
IDS = {c.name: c.id for c in CAMVID.classes}

# The released code's order.mat, as the facts sheet lists it.
RELEASED = (
    *("sky", "building", "terrain", "wall", "sidewalk", "road", "fence", "vegetation"),
    *("motorcycle", "bicycle", "truck", "car", "bus", "train", "person", "pole", "rider"),
    *("traffic_sign", "traffic_light"),
)


def street() -> Layout:
    """Sky, a building, a road below; a car and, lower, a pedestrian side by side; a tree at the building."""
    label_map = np.full((60, 80), IDS["sky"])
    label_map[20:40] = IDS["building"]
    label_map[10:36, 60:] = IDS["tree"]
    label_map[40:] = IDS["road"]
    label_map[35:48, 10:30] = IDS["car"]
    label_map[30:55, 30:36] = IDS["pedestrian"]
    return Layout(label_map, CAMVID)


def fronts(layout: Layout, **kwargs: object) -> dict[frozenset[str], str]:
    names = {c.id: c.name for c in layout.label_set.classes}
    pairs = order_pairs(layout, least_area=10, **kwargs)  # type: ignore[arg-type]
    return {frozenset({names[p.first.class_id], names[p.second.class_id]}): names[p.front] for p in pairs}


def test_rules_on_a_street() -> None:
    found = fronts(street())
    assert {tuple(sorted(pair)): front for pair, front in found.items()} == {
        ("building", "sky"): "building",
        ("sky", "tree"): "tree",
        ("building", "tree"): "building",  # stuff: the building reaches lower
        ("building", "road"): "road",
        ("building", "car"): "car",
        ("car", "road"): "car",  # though the road reaches lower
        ("building", "pedestrian"): "pedestrian",
        ("pedestrian", "road"): "pedestrian",
        ("car", "pedestrian"): "pedestrian",  # things: the pedestrian stands lower
    }


def test_depth_decides_what_planes_and_sky_do_not() -> None:
    layout = street()
    depth = np.full(layout.shape, 50.0)
    depth[layout.label_map == IDS["tree"]] = 30
    depth[layout.label_map == IDS["car"]] = 8
    depth[layout.label_map == IDS["pedestrian"]] = 12
    depth[layout.label_map == IDS["road"]] = 2  # nearer than the car: still behind it
    depth[layout.label_map == IDS["sky"]] = 1
    found = fronts(layout, depth=depth)
    assert found[frozenset({"building", "tree"})] == "tree"
    assert found[frozenset({"car", "pedestrian"})] == "car"
    assert found[frozenset({"car", "road"})] == "car"
    assert found[frozenset({"sky", "tree"})] == "tree"
    assert fronts(layout, depth=1 / depth, farther_is_larger=False) == found
    # Where nothing was measured, the layout tells.
    assert fronts(layout, depth=np.full(layout.shape, np.nan)) == fronts(layout)


def test_depth_counts_at_the_common_edge_alone() -> None:
    layout = Layout(np.repeat([[IDS["building"], IDS["tree"]]], 60, 0).repeat(60, 1), CAMVID)
    depth = np.where(layout.label_map == IDS["tree"], 30.0, 20.0)
    depth[:, :40] = 90  # the building's far end
    assert fronts(layout, depth=depth) == {frozenset({"building", "tree"}): "building"}


def test_depth_of_another_size_is_refused() -> None:
    with pytest.raises(LabelError, match=r"depth map is \(3, 4\).*\(60, 80\)"):
        order_pairs(street(), depth=np.zeros((3, 4)))


def test_things_that_end_together_are_left_open_and_stuff_is_not() -> None:
    both = np.full((60, 80), IDS["building"])
    both[30:50, 10:20], both[20:50, 20:30] = IDS["car"], IDS["pedestrian"]
    assert frozenset({"car", "pedestrian"}) not in fronts(Layout(both, CAMVID))
    halves = np.where(np.arange(80) < 40, IDS["fence"], IDS["pavement"])[None].repeat(60, 0)
    assert fronts(Layout(halves, CAMVID)) == {frozenset({"fence", "pavement"}): "fence"}


def test_small_segments_are_left_out() -> None:
    pairs = order_pairs(street(), least_area=200)  # the pedestrian has 150 pixels, the car 260
    classes = {one.class_id for pair in pairs for one in (pair.first, pair.second)}
    assert IDS["pedestrian"] not in classes
    assert IDS["car"] in classes


def test_adjacent_pairs_are_a_brute_forces() -> None:
    rng = np.random.default_rng(3)
    for _ in range(5):
        label_map = rng.integers(0, 11, (6, 8)).repeat(5, 0).repeat(5, 1)
        layout = Layout(label_map, CAMVID)
        segments = segments_of(layout)
        grown = [ndimage.binary_dilation(one.whole_mask(layout.shape), np.ones((3, 3))) for one in segments]
        expected = [
            (i, j)
            for i in range(len(segments))
            for j in range(i + 1, len(segments))
            if segments[i].class_id != segments[j].class_id and (grown[i] & segments[j].whole_mask(layout.shape)).any()
        ]
        place = {id(one): index for index, one in enumerate(segments)}
        assert [(place[id(a)], place[id(b)]) for a, b in adjacent_pairs(segments, layout.shape)] == expected


def test_order_of_the_segments_does_not_matter() -> None:
    layout = street()
    for first, second in adjacent_pairs(segments_of(layout), layout.shape):
        assert front_by_rules(layout, first, second) == front_by_rules(layout, second, first)


def test_coarse_order_is_the_released_one() -> None:
    label_set = LabelSet.load("cityscapes_train")
    order = coarse_order(label_set)
    assert sorted(order, key=order.__getitem__) == [label_set.find(name).id for name in RELEASED]


def test_coarse_order_of_camvid() -> None:
    order = coarse_order(CAMVID)
    names = [
        "sky",
        "building",
        "pavement",
        "road",
        "fence",
        "tree",
        "car",
        "pedestrian",
        "pole",
        "bicyclist",
        "sign_symbol",
    ]
    assert sorted(order, key=order.__getitem__) == [IDS[name] for name in names]


@pytest.mark.parametrize("name", shipped_label_sets())
def test_coarse_order_ranks_every_class_once(name: str) -> None:
    label_set = LabelSet.load(name)
    order = coarse_order(label_set)
    assert set(order) == {c.id for c in label_set.classes if c.kind != "void" and c.id != label_set.ignore_id}
    assert sorted(order.values()) == list(range(len(order)))
    if "sky" in [c.name for c in label_set.classes]:
        assert order[label_set.find("sky").id] == 0


def test_classes_the_street_does_not_know_are_stuff_before_things() -> None:
    label_set = LabelSet.load("celebamask")
    order = coarse_order(label_set)
    kinds = [label_set.by_id[class_id].kind for class_id in sorted(order, key=order.__getitem__)]
    assert kinds == sorted(kinds, key=["stuff", "thing"].index)
    facade = LabelSet.load("street_facades")
    assert coarse_order(facade)[facade.find("facade").id] < coarse_order(facade)[facade.find("window").id]


def test_pairs_hold_segments_of_the_list_given() -> None:
    layout = street()
    segments = segments_of(layout)
    pairs = order_pairs(layout, least_area=1, segments=segments)
    assert all(isinstance(one.first, Segment) and one.first in segments and one.second in segments for one in pairs)
