"""Drawings: few classes are found in many colours, rims go to whom they belong, foreign colours are named."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenebrush.errors import InputError, LabelError
from scenebrush.scene.files import write_text
from scenebrush.scene.files.color_names import color_name
from scenebrush.scene.files.drawings import Drawing, cluster_colors, labels_of
from scenebrush.scene.label_set import LabelSet

SKY, GRASS, HOUSE, SUN, POLE = range(5)
COLORS = np.array([(150, 200, 255), (60, 150, 60), (200, 60, 50), (255, 220, 40), (0, 0, 0)], np.uint8)
FINE = 4


def fine_map(pole: bool = True, sun_at: tuple[int, int] = (120, 480)) -> np.ndarray:
    """int (480, 640): four areas and a pole 8 fine pixels (2 of the drawing) wide, before shrinking by 4."""
    rows, columns = np.mgrid[:480, :640]
    labels = np.where(rows > 330 + 40 * np.sin(columns / 90), GRASS, SKY)
    labels[(abs(columns - 200) < 90) & (rows > 170) & (rows < 400) & (rows > 170 + abs(columns - 200))] = HOUSE
    labels[(rows - sun_at[0]) ** 2 + (columns - sun_at[1]) ** 2 < 60**2] = SUN
    if pole:
        labels[(abs(columns - 402) < 4) & (rows > 60)] = POLE
    return labels


def drawn(fine: np.ndarray, jpeg: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The drawing uint8 (120, 160, 3), anti-aliased, who covers most of each pixel, and where one covers all of it."""
    blocks = fine.reshape(120, FINE, 160, FINE).transpose(0, 2, 1, 3).reshape(120, 160, FINE**2)
    votes = np.stack([(blocks == k).sum(axis=2) for k in range(len(COLORS))], axis=-1)
    drawing = np.rint(votes / FINE**2 @ COLORS.astype(np.float64)).astype(np.uint8)
    if jpeg:
        file = io.BytesIO()
        Image.fromarray(drawing).save(file, "JPEG", quality=jpeg)
        drawing = np.asarray(Image.open(file).convert("RGB"))
    return drawing, votes.argmax(axis=2), votes.max(axis=2) == FINE**2


def matched(found: Drawing) -> np.ndarray:
    """The found label map in our own numbers, by colour."""
    colors = np.array([c.color for c in found.label_set.classes], np.float64)
    nearest = np.linalg.norm(colors[:, None] - COLORS[None].astype(np.float64), axis=2).argmin(axis=1)
    return nearest[found.label_map]


def test_an_antialiased_drawing_has_the_classes_that_were_drawn() -> None:
    drawing, truth, pure = drawn(fine_map())
    assert len(np.unique(drawing.reshape(-1, 3), axis=0)) >= 50
    found = cluster_colors(drawing)
    assert len(found.label_set.classes) == 5
    assert {c.color for c in found.label_set.classes} == {tuple(int(v) for v in c) for c in COLORS}
    assert (matched(found) == truth)[pure].all()
    assert (matched(found) == truth).mean() > 0.99
    assert sum(found.shares) == pytest.approx(1)
    assert list(found.shares) == sorted(found.shares, reverse=True)
    assert found.shares[1] == pytest.approx((found.label_map == 1).mean())
    assert found.layout.label_set is found.label_set


@pytest.mark.parametrize("quality", [95, 85, 75])
def test_jpeg_noise_makes_no_classes(quality: int) -> None:
    drawing, truth, pure = drawn(fine_map(), jpeg=quality)
    assert len(np.unique(drawing.reshape(-1, 3), axis=0)) > 1000
    found = cluster_colors(drawing)
    assert len(found.label_set.classes) == 5
    assert (matched(found) == truth)[pure].mean() > 0.99


def test_rims_go_to_their_neighbours_not_to_a_third_class_of_the_mixed_colour() -> None:
    """Grey, half of black and white, is a class elsewhere: no rim of black and white may become grey."""
    big = np.full((160, 160), 255, np.uint8)
    big[:, :82] = 0
    big[100:, 120:] = 128
    small = np.asarray(Image.fromarray(big).resize((40, 40), Image.Resampling.BOX))
    assert small[5, 20] == 128
    found = cluster_colors(np.repeat(small[..., None], 3, axis=2))
    assert [c.name for c in found.label_set.classes] == ["black", "white", "grey"]
    grey = found.label_set.find("grey").id
    assert not (found.label_map[:24] == grey).any()
    assert (found.label_map[26:, 31:] == grey).all()


def test_names_are_simple_unique_and_the_set_is_a_file_to_be_edited(tmp_path: Path) -> None:
    drawing = np.zeros((60, 60, 3), np.uint8)
    drawing[:30], drawing[30:, :30], drawing[30:, 30:] = (20, 105, 30), (60, 140, 70), (35, 85, 15)
    found = cluster_colors(drawing)
    names = [c.name for c in found.label_set.classes]
    assert names[0] == "dark-green"
    assert len(set(names)) == 3
    assert "dark-green-2" in names
    text = found.label_set.to_json().replace('"dark-green"', '"forest"')
    write_text(tmp_path / "classes.json", text)
    loaded = LabelSet.load(tmp_path / "classes.json")
    assert loaded.find("forest").color == (20, 105, 30)
    assert json.loads(text)["classes"][0]["id"] == 0
    assert (labels_of(drawing, loaded) == found.label_map).all()


def test_at_most_so_many_classes() -> None:
    rng = np.random.default_rng(0)
    colors = rng.integers(0, 256, (16, 3), np.uint8)
    drawing = np.kron(colors.reshape(4, 4, 3), np.ones((12, 12, 1), np.uint8))
    assert len(cluster_colors(drawing, most=20).shares) > 12
    assert len(cluster_colors(drawing).shares) == 12
    assert len(cluster_colors(drawing, most=2).shares) == 2
    assert cluster_colors(drawing, most=1).shares == (1.0,)
    with pytest.raises(InputError, match="at most 0 classes"):
        cluster_colors(drawing, most=0)


def test_specks_are_no_class_but_a_spot_is() -> None:
    drawing = np.full((200, 200, 3), 230, np.uint8)
    drawing[100:] = (40, 80, 160)
    drawing[20:22, 30:32] = (255, 0, 0)  # 4 of 40,000 pixels
    assert len(cluster_colors(drawing).shares) == 2
    drawing[20:25, 30:35] = (255, 0, 0)  # 25 pixels, but thick
    found = cluster_colors(drawing)
    assert len(found.shares) == 3
    assert (found.label_map == found.label_set.find("red").id).sum() == 25


def test_later_drawings_are_read_in_the_same_classes() -> None:
    first = cluster_colors(drawn(fine_map())[0])
    later, truth, pure = drawn(fine_map(sun_at=(100, 560)))
    ids = labels_of(later, first.label_set)
    again = matched(Drawing(ids, first.label_set, first.shares))
    assert ids.dtype == np.int32
    assert (again == truth)[pure].all()
    assert (again == truth).mean() > 0.99
    noisy, truth, pure = drawn(fine_map(sun_at=(100, 560)), jpeg=80)
    again = matched(Drawing(labels_of(noisy, first.label_set), first.label_set, first.shares))
    assert (again == truth)[pure].mean() > 0.99


def test_a_colour_far_from_all_classes_is_named_with_count_and_place() -> None:
    first = cluster_colors(drawn(fine_map())[0])
    strange = drawn(fine_map())[0].copy()
    strange[50:60, 20:30] = (255, 0, 255)
    message = (
        r"plan\.png has the colour #ff00ff in 100 pixels \(one at x 20, y 50\), which is no class of label set"
        r" 'drawing'; nearest is '.*', #......: recolour it, or add a class of that colour"
    )
    with pytest.raises(LabelError, match=message):
        labels_of(strange, first.label_set, source="plan.png")
    mixture = drawn(fine_map())[0].copy()
    mixture[40:60, 20:40] = (105, 175, 158)  # half sky, half grass: right on a rim, but no area of it
    with pytest.raises(LabelError, match="#69af9e in"):
        labels_of(mixture, first.label_set)


def test_wrong_arrays_are_named() -> None:
    with pytest.raises(InputError, match=r"a drawing is uint8 \(H, W, 3\), RGB; this one is float64 \(4, 4\)"):
        cluster_colors(np.zeros((4, 4)))
    assert cluster_colors(np.full((1, 1, 3), 9, np.uint8)).shares == (1.0,)


@pytest.mark.parametrize(
    ("rgb", "name"), [((250, 20, 30), "red"), ((0, 0, 10), "black"), ((130, 80, 45), "brown"), ((40, 80, 230), "blue")]
)
def test_colour_names(rgb: tuple[int, int, int], name: str) -> None:
    assert color_name(rgb) == name


def test_what_touches_the_rim_is_stuff_and_the_rest_are_things() -> None:
    found = cluster_colors(drawn(fine_map())[0])
    kinds = {
        min(range(5), key=lambda k: np.abs(COLORS[k].astype(int) - c.color).sum()): c.kind
        for c in found.label_set.classes
    }
    assert kinds == {SKY: "stuff", GRASS: "stuff", HOUSE: "thing", SUN: "thing", POLE: "thing"}
