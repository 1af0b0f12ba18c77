"""The shipped models that make whole pictures: small, documented, and their pictures follow labels and styles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scenebrush.data.toy import ToyWorld
from scenebrush.methods import SYNTHESIZERS, find_model, list_models, load_synthesizer
from scenebrush.methods.base import Style, Synthesizer
from scenebrush.methods.sims.method import SimsModel
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from tests.methods.sims.toy_banks import write_bank

SHIPPED = [card.name for card in list_models() if card.method in SYNTHESIZERS]
MEGABYTE = 10**6


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Synthesizer]:
    bank = write_bank(tmp_path_factory.mktemp("bank"))
    with_bank = {card.name for card in list_models() if card.method == "sims"}
    return {name: load_synthesizer(name, bank=bank if name in with_bank else None) for name in SHIPPED}


def front() -> Layout:
    """A wall with two rows of windows under the sky."""
    label_set = LabelSet.load("street_facades")
    labels = np.full((130, 150), label_set.find("unlabelled").id, np.int32)
    labels[30:, 10:140] = label_set.find("facade").id
    numbers = np.where(labels == label_set.find("facade").id, 1, 0).astype(np.int32)
    for number in range(6):
        top, left = 45 + 40 * (number // 3), 25 + 40 * (number % 3)
        labels[top : top + 25, left : left + 22] = label_set.find("window").id
        numbers[top : top + 25, left : left + 22] = 2 + number
    return Layout(labels, label_set, numbers)


def layout_for(name: str) -> Layout:
    return front() if find_model(name).label_set == "street_facades" else ToyWorld(3, (150, 110)).scene().layout


def test_all_are_there() -> None:
    assert SHIPPED == ["pix2pixhd-facades", "sims-street", "spade-sesame-street"]


def test_they_are_small_and_all_together_too() -> None:
    sizes = {card.name: (card.path / "model.safetensors").stat().st_size for card in list_models() if card.path}
    assert max(sizes.values()) <= 16 * MEGABYTE
    assert sum(sizes.values()) <= 48 * MEGABYTE


@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_names_data_and_licence(name: str) -> None:
    path = find_model(name).path
    assert path is not None
    card = Path(path / "README.md").read_text(encoding="utf-8")
    assert "| data |" in card
    assert "| licence |" in card
    assert "## Limits" in card
    assert not [word for word in ("FIGURES", "ABLATION", "MINUTES", "LIMITS\n", "TABLES", "FINDINGS") if word in card]


@pytest.mark.parametrize("name", SHIPPED)
def test_seeds_give_other_pictures_and_the_same_seed_the_same(models: dict[str, Synthesizer], name: str) -> None:
    layout, model = layout_for(name), models[name]
    first, again, other = (model.synthesize(layout, seed=seed) for seed in (1, 1, 4))
    assert first.shape == (*layout.shape, 3)
    assert np.array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 3
    assert model.varies()


@pytest.mark.parametrize("name", SHIPPED)
def test_pictures_follow_their_labels(models: dict[str, Synthesizer], name: str) -> None:
    """Where the labels are mirrored, so is the picture: closer to its mirror image than to itself."""
    layout = layout_for(name)
    assert layout.instance_map is not None
    mirrored = Layout(layout.label_map[:, ::-1].copy(), layout.label_set, layout.instance_map[:, ::-1].copy())
    one, two = (models[name].synthesize(each, seed=1).astype(int) for each in (layout, mirrored))
    if name == "pix2pixhd-facades":  # the front is its own mirror image: the sky is put at the left instead
        sky = layout.label_set.find("unlabelled").id
        cut = np.where(np.arange(150) < 75, sky, layout.label_map)
        half = models[name].synthesize(
            Layout(cut, layout.label_set, np.where(cut == sky, 0, layout.instance_map)), seed=1
        )
        assert (
            np.abs(half.astype(int) - one)[40:, 15:65].mean() > 2 * np.abs(half.astype(int) - one)[40:, 95:135].mean()
        )
        return
    assert np.abs(two[:, ::-1] - one).mean() < 0.8 * np.abs(two - one).mean()


def test_a_style_of_one_class_changes_that_class(models: dict[str, Synthesizer]) -> None:
    layout = front()
    plain, lit = (
        models["pix2pixhd-facades"].synthesize(layout, style=Style(classes={"window": k})).astype(int) for k in (0, 9)
    )
    window = layout.label_map == layout.label_set.find("window").id
    change = np.abs(plain - lit).mean(-1)
    assert change[window].mean() > 3 * change[~window].mean()


def test_the_network_of_segments_mends_what_is_elided(models: dict[str, Synthesizer]) -> None:
    """A photo for a canvas, pixels taken out at random: they come back, far nearer than what is around them."""
    model = models["sims-street"]
    assert isinstance(model, SimsModel)
    scene = ToyWorld(5, (160, 112)).scene()
    everywhere, nowhere = np.ones(scene.layout.shape, bool), np.zeros(scene.layout.shape, bool)
    elided = np.random.default_rng(0).random(scene.layout.shape) < 0.3
    made = model.finish_canvas(scene.photo, everywhere, elided, scene.layout, nowhere).astype(int)
    error = np.abs(made - scene.photo).mean(-1)
    grey = np.abs(int(scene.photo.mean()) - scene.photo.astype(int)).mean(-1)
    assert error[~elided].mean() < 6
    assert error[elided].mean() < 0.4 * grey[elided].mean()


def test_a_photos_light_is_taken(models: dict[str, Synthesizer]) -> None:
    street = ToyWorld(3, (150, 110)).scene()
    dark, bright = ((street.photo * share).astype(np.uint8) for share in (0.2, 1.0))
    model = models["spade-sesame-street"]
    drawn = [model.synthesize(street.layout, style=Style(photo=photo)).mean() for photo in (dark, bright)]
    assert drawn[0] < drawn[1]
