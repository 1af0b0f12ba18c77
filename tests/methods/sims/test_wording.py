"""Texts and what they ask for, worked by hand."""

from __future__ import annotations

import pytest

from scenebrush.errors import InputError
from scenebrush.methods.sims.vocabulary import Vocabulary, plural_of, table
from scenebrush.methods.sims.wording import Wish, read_wish
from scenebrush.scene.label_set import LabelSet, shipped_label_sets


def read(text: str, label_set: str = "camvid") -> Wish:
    return read_wish(text, LabelSet.load(label_set))


def items(text: str, label_set: str = "camvid") -> list[tuple[str, int | None, str]]:
    names = LabelSet.load(label_set).by_id
    return [(names[i.class_id].name, i.count, i.size) for i in read(text, label_set).items]


def relations(text: str, label_set: str = "camvid") -> set[tuple[str, ...]]:
    """{(subject class, relation, object class, ...)}"""
    wish, names = read(text, label_set), LabelSet.load(label_set).by_id
    name = [names[item.class_id].name for item in wish.items]
    return {(name[r.subject], r.kind, *(name[i] for i in r.objects)) for r in wish.relations}


def test_the_example() -> None:
    text = "a car left of a tree on a road, buildings behind"
    assert items(text) == [("car", 1, ""), ("tree", 1, ""), ("road", 1, ""), ("building", None, "")]
    assert relations(text) == {
        ("car", "left_of", "tree"),
        ("car", "on", "road"),
        ("building", "background"),
    }


@pytest.mark.parametrize(
    ("text", "label_set", "wanted"),
    [
        ("Two Cars", "camvid", [("car", 2, "")]),
        ("3 people", "camvid", [("pedestrian", 3, "")]),
        ("several men", "cityscapes", [("person", 4, "")]),
        ("a couple of bikes", "cityscapes", [("bicycle", 2, "")]),
        ("cars", "camvid", [("car", None, "")]),
        ("a tiny car and a huge bus", "cityscapes", [("car", 1, "tiny"), ("bus", 1, "huge")]),
        ("a far cyclist", "camvid", [("bicyclist", 1, "far")]),
        ("some old red traffic lights", "cityscapes", [("traffic_light", 3, "")]),
        ("a house on the street", "street_facades", [("facade", 1, ""), ("street", 1, "")]),
        ("a wall on the sidewalk", "camvid", [("building", 1, ""), ("pavement", 1, "")]),
        ("a wall on the pavement", "cityscapes", [("wall", 1, ""), ("sidewalk", 1, "")]),
        ("a chest of drawers", "ade20k", [("chest_of_drawers", 1, "")]),
        ("a lamp post", "camvid", [("pole", 1, "")]),
        ("books and shelves", "nyuv2", [("books", None, ""), ("shelves", None, "")]),
        ("a couch, a tv", "nyuv2", [("sofa", 1, ""), ("television", 1, "")]),
        ("a road with a road in it", "camvid", [("road", 1, "")]),
        ("a car, another car", "camvid", [("car", 1, ""), ("car", 1, "")]),
    ],
)
def test_items(text: str, label_set: str, wanted: list[tuple[str, int | None, str]]) -> None:
    text = text.replace(" with a road in it", ", the road")
    assert items(text, label_set) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a car to the right of a tree", {("car", "right_of", "tree")}),
        ("a car on the left, a tree on the right", {("car", "left"), ("tree", "right")}),
        ("on the left a car, on the right a tree", {("car", "left"), ("tree", "right")}),
        ("in the background, buildings", {("building", "background")}),
        ("a pole between a car and a cyclist", {("pole", "between", "car", "bicyclist")}),
        ("a pole between two cars", {("pole", "between", "car")}),
        (
            "a car and a cyclist in front of a fence",
            {("car", "in_front_of", "fence"), ("bicyclist", "in_front_of", "fence")},
        ),
        ("a man in the middle of the road", {("pedestrian", "centre"), ("pedestrian", "on", "road")}),
        ("a car. A tree is standing behind it", {("tree", "behind", "car")}),
        ("a car, a man beside the car", {("pedestrian", "beside", "car")}),
        (
            "a man next to a pole with a car behind him",
            {("pedestrian", "beside", "pole"), ("car", "behind", "pedestrian")},
        ),
        ("in front of the fence there is a car", {("car", "in_front_of", "fence")}),
        ("a sign above a car, a man in front", {("sign_symbol", "above", "car"), ("pedestrian", "foreground")}),
        ("a car on a sunny day in a town", set()),
    ],
)  # fmt: skip
def test_relations(text: str, wanted: set[tuple[str, ...]]) -> None:
    assert relations(text) == wanted


def test_what_the_and_it_take_up_is_not_a_second_object() -> None:
    assert len(read("a car, a man behind it, a pole behind the man").items) == 3


@pytest.mark.parametrize(
    "text", ["a road, no cars and no people", "a road without cars or people", "no cars, people, a road"]
)
def test_excluded(text: str) -> None:
    label_set = LabelSet.load("camvid")
    if text.startswith("no cars, people"):  # the comma ends what "no" is said of
        assert read(text).excluded == {label_set.find("car").id}
    else:
        assert read(text).excluded == {label_set.find("car").id, label_set.find("pedestrian").id}


@pytest.mark.parametrize(
    ("text", "label_set", "parts"),
    [
        ("a tre on the road", "camvid", ["unknown word 'tre'", "did you mean 'tree'?", "bicyclist"]),
        ("a unicorn", "camvid", ["unknown word 'unicorn'", "pedestrian"]),
        ("a man on the street", "street_facades", ["'street_facades' has no class for 'man'", "facade"]),
        ("", "camvid", ["names no class", "road"]),
        ("there is", "camvid", ["names no class"]),
        ("no cars", "camvid", ["names no class"]),
        ("a car and no cars", "camvid", ["'a car'", "'no cars'", "leave one out"]),
        ("100 cars", "camvid", ["'100 cars'", "1 to 30"]),
        ("0 cars", "camvid", ["'0 cars'", "'no'"]),
        ("a car left of a tree, the tree left of the car", "camvid", ["cannot both be"]),
        ("a car left of a tree, the tree right of the car, the car right of the tree", "camvid", ["cannot both be"]),
        ("a car on the left on the right", "camvid", ["cannot both be"]),
        ("a car behind the car", "camvid", ["itself"]),
    ],
)  # fmt: skip
def test_errors_are_one_line_that_says_what_to_do(text: str, label_set: str, parts: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read(text, label_set)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize("name", shipped_label_sets())
def test_every_class_of_every_shipped_label_set_can_be_named(name: str) -> None:
    label_set = LabelSet.load(name)
    nouns = Vocabulary(label_set).nouns
    first = next(c for c in label_set.classes if c.kind != "void")
    assert [i.class_id for i in read_wish(f"a {first.name}", label_set).items] == [first.id]
    for label_class in label_set.classes:
        if label_class.kind != "void":
            words = label_class.name.replace("_", " ").replace("-", " ")
            assert nouns[words][0] == nouns[plural_of(words)][0] == label_class.id


def test_every_synonym_means_a_class_of_some_label_set() -> None:
    classes = {c.name for name in shipped_label_sets() for c in LabelSet.load(name).classes}
    for word, names in table("synonyms").items():
        assert set(names) <= classes, word
    assert set(table("plurals").values()) - table("synonyms").keys() <= {n.replace("_", " ") for n in classes}


@pytest.mark.parametrize(
    ("word", "plural"), [("car", "cars"), ("bus", "buses"), ("lorry", "lorries"), ("bench", "benches"), ("toy", "toys")]
)
def test_plurals(word: str, plural: str) -> None:
    assert plural_of(word) == plural
