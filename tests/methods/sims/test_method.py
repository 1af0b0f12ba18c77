"""SIMS as synthesizer and editor: sizes, seeds, styles, switches, banks, what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from scenebrush.errors import InputError, LabelError, ModelError
from scenebrush.evaluation.methods_by_name import method_by_name
from scenebrush.methods import Editor, SegmentSynthesizer, Style, Synthesizer, load_model, load_synthesizer
from scenebrush.methods.sims.bank import Bank
from scenebrush.methods.sims.folder import load_networks
from scenebrush.methods.sims.method import BANK_VARIABLE, SimsModel, load
from scenebrush.methods.sims.writing import BankWriter
from scenebrush.methods.spade.folder import save_model as save_spade
from scenebrush.scene import operations
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene
from tests.methods.sims.toy_banks import TINY, bank_without, tiny_networks, write_model
from tests.methods.synthesizers import tiny_spade

CAMVID = LabelSet.load("camvid")
ROAD, CAR, SKY = (CAMVID.find(name).id for name in ("road", "car", "sky"))


@pytest.fixture(autouse=True)
def no_bank_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(BANK_VARIABLE, raising=False)


@pytest.fixture
def model(toy_bank: Bank) -> SimsModel:
    return SimsModel(tiny_networks(), CAMVID, toy_bank)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "tiny")


def test_it_is_what_the_protocols_ask_for(model: SimsModel) -> None:
    assert isinstance(model, Synthesizer) and isinstance(model, Editor) and isinstance(model, SegmentSynthesizer)
    assert model.varies() and model.name == "sims"


def test_one_layout_one_picture_seeds_differ_and_repeat(model: SimsModel, street: Scene) -> None:
    one, again, other = (model.synthesize(street.layout, seed=seed) for seed in (0, 0, 4))
    assert one.shape == (96, 128, 3) and one.dtype == np.uint8
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_the_picture_is_what_the_network_makes_of_the_canvas(model: SimsModel, street: Scene) -> None:
    made = model.assemble(street.layout)
    collage = made.collage
    present = collage.present  # elided pixels are missing ones (`elided_white` is off)
    canvas = np.where(present[..., None], collage.color / 127.5 - 1, -1).transpose(2, 0, 1)
    with torch.no_grad():
        wanted = model.networks.finish(
            torch.from_numpy(np.where(street.layout.label_map == 11, 12, street.layout.label_map)).long()[None],
            torch.from_numpy(canvas)[None].float(),
            torch.from_numpy(present)[None, None].float(),
        ).image[0]
    got = model.finish(made)
    assert np.abs((wanted.permute(1, 2, 0).numpy() + 1) * 127.5 - got).max() <= 1.01
    there = collage.present
    assert np.abs(got[there].astype(int) - collage.color[there]).mean() < 40  # an untrained gate is mostly open


@pytest.mark.parametrize("size", [(1, 1), (33, 64), (64, 31)])
def test_every_size_will_do(model: SimsModel, size: tuple[int, int]) -> None:
    assert model.synthesize(Layout(np.zeros(size, int), CAMVID)).shape == (*size, 3)


def test_a_class_takes_its_k_th_best_segment(model: SimsModel, street: Scene) -> None:
    model.coherent = False
    plain, same, styled = (
        model.assemble(street.layout, style=style)
        for style in (None, Style(classes={"road": 0}), Style(classes={"road": 3}))
    )
    assert np.array_equal(plain.collage.color, same.collage.color)
    for one in styled.chosen:
        wanted = min(3, len(one.found.matches) - 1) if one.found.segment.class_id == ROAD else 0
        assert one.ranks[0] == wanted
    other = street.layout.label_map != ROAD
    assert np.array_equal(plain.collage.owner[other] < 0, styled.collage.owner[other] < 0)
    with pytest.raises(LabelError, match=r"no class 'raod' .did you mean 'road'"):
        model.assemble(street.layout, style=Style(classes={"raod": 1}))


def test_a_style_photo_gives_its_colours_class_by_class(model: SimsModel, street: Scene) -> None:
    model.finished = False
    dark = Style(photo=(street.photo * 0.3).astype(np.uint8), layout=street.layout)
    light = Style(photo=np.clip(street.photo * 1.3, 0, 255).astype(np.uint8), layout=street.layout)
    means = [model.synthesize(street.layout, style=style).mean() for style in (dark, light)]
    assert means[0] + 20 < means[1]
    with pytest.raises(InputError, match="needs its label map; give --style-labels MAP"):
        model.synthesize(street.layout, style=Style(photo=street.photo))
    foreign = Layout(np.zeros((96, 128), int), LabelSet.load("nyuv2"))
    with pytest.raises(ModelError, match="not of 'nyuv2'"):
        model.synthesize(street.layout, style=Style(photo=street.photo, layout=foreign))


def test_what_is_not_visible_of_a_style_photo_does_not_count(model: SimsModel, street: Scene) -> None:
    visible = np.zeros((96, 128), bool)
    visible[:, :64] = True
    black = np.where(visible[..., None], street.photo, np.uint8(0))
    one, two = (
        model.synthesize(street.layout, style=Style(photo=photo, layout=street.layout, visible=visible))
        for photo in (street.photo, black)
    )
    assert np.array_equal(one, two)


def test_donors_can_be_left_out(model: SimsModel, street: Scene, toy_bank: Bank) -> None:
    made = model.assemble(street.layout)
    assert made.anchor is not None
    others = model.assemble(street.layout, exclude_donors=frozenset({made.anchor}))
    assert made.anchor not in {m.record.donor for one in others.chosen for m in one.found.matches}


def test_the_sheet_comes_with_the_same_picture(model: SimsModel, street: Scene) -> None:
    picture, sheet = model.synthesize_openly(street.layout, seed=2)
    assert np.array_equal(picture, model.synthesize(street.layout, seed=2))
    assert sheet.ndim == 3 and sheet.shape[1] > 1000


def test_what_the_bank_lacks_is_told(model: SimsModel, street: Scene, toy_bank: Bank, tmp_path: Path) -> None:
    assert model.lacks(street.layout) == ()
    model.use_bank(bank_without(toy_bank, tmp_path / "bank", SKY, CAR))
    assert model.lacks(street.layout) == ("sky", "car")
    assert model.lacks(Layout(np.full((20, 30), ROAD), CAMVID)) == ()
    assert model.lacks(Layout(np.full((20, 30), CAMVID.find("void").id), CAMVID)) == ()
    assert model.synthesize(street.layout).shape == (96, 128, 3)


@pytest.mark.parametrize("switch", ["finished", "complete", "coherent", "transformed"])
def test_switches_by_name(folder: Path, toy_bank: Bank, street: Scene, switch: str) -> None:
    plain, switched = (
        method_by_name(f"{folder}{query}", CAMVID, whole=True, bank=toy_bank.path) for query in ("", f"?{switch}=off")
    )
    assert isinstance(plain, SimsModel) and isinstance(switched, SimsModel)
    assert getattr(plain, switch) is True and getattr(switched, switch) is False
    if switch == "transformed":  # the untrained network is the identity about moments: as without it
        plain.networks.transformation.affine.bias[2] = 1.0
    assert not np.array_equal(plain.synthesize(street.layout), switched.synthesize(street.layout))


def test_unfinished_pictures_are_the_canvas_and_grey_where_nothing_is(model: SimsModel, street: Scene) -> None:
    model.finished, model.complete = False, False
    made = model.assemble(street.layout)
    there = made.collage.owner >= 0
    picture = model.synthesize(street.layout)
    assert np.array_equal(picture[there], made.collage.color[there]) and (picture[~there] == 128).all()


def test_segments_with_their_own_footprints(toy_bank: Bank, street: Scene) -> None:
    model = SimsModel(tiny_networks(footprint="segment", elided_white=True), CAMVID, toy_bank)
    one, two = model.synthesize(street.layout), model.synthesize(street.layout)
    assert np.array_equal(one, two)


def test_a_paper_network_makes_pictures_too(toy_bank: Bank, street: Scene) -> None:
    model = SimsModel(tiny_networks(network="paper", width=1), CAMVID, toy_bank)
    assert model.synthesize(street.layout).shape == (96, 128, 3)  # padded to 128x128


def test_edits_keep_everything_outside_the_hole(model: SimsModel, street: Scene) -> None:
    x, y = (int(v) for v in np.argwhere(street.layout.label_map == CAR)[0][::-1])
    edits = [
        operations.erase(street, at=(x, y)),
        operations.add(street, "car", box=(50, 60, 80, 80)),
        operations.move(street, (x, y), (5, 3)),
    ]
    for edit in edits:
        made, again = model.edit(street, edit, seed=1), model.edit(street, edit, seed=1)
        assert np.array_equal(made[~edit.hole], street.photo[~edit.hole])
        assert np.array_equal(made, again) and made.dtype == np.uint8
        assert (made[edit.hole] != street.photo[edit.hole]).any()
    black = Scene(np.where(edits[0].hole[..., None], 0, street.photo).astype(np.uint8), street.layout)
    assert np.array_equal(model.edit(street, edits[0]), model.edit(black, edits[0]))  # nothing of the hole is looked at


def test_seeds_of_edits_are_other_objects(model: SimsModel, street: Scene) -> None:
    edit = operations.add(street, "car", box=(50, 60, 80, 80))
    made = [model.edit(street, edit, seed=seed) for seed in (0, 1, 2)]
    assert all(not np.array_equal(made[i], made[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    found = model.candidates(street, edit, k=4)
    assert any(len(one) == 4 and one[0].record.class_id == CAR for one in found)


def test_nothing_or_everything_to_edit(model: SimsModel, street: Scene) -> None:
    nothing = Edit(np.zeros((96, 128), bool), street.layout)
    assert np.array_equal(model.edit(street, nothing), street.photo)
    everything = Edit(np.ones((96, 128), bool), street.layout)
    assert np.array_equal(model.edit(street, everything, seed=3), model.synthesize(street.layout, seed=3))


def test_unfinished_edits_are_the_patched_photo(model: SimsModel, street: Scene) -> None:
    model.finished = False
    edit = operations.add(street, "car", box=(50, 60, 80, 80))
    made = model.edit(street, edit)
    assert np.array_equal(made[~edit.hole], street.photo[~edit.hole])


def test_other_classes_are_refused(model: SimsModel, street: Scene, tmp_path: Path) -> None:
    other = LabelSet.load("nyuv2")
    layout = Layout(np.zeros((32, 32), int), other)
    for ask in (model.synthesize, model.lacks):
        with pytest.raises(ModelError, match="knows the classes of 'camvid', not of 'nyuv2'"):
            ask(layout)  # type: ignore[operator]
    with BankWriter.open(tmp_path / "rooms", other):
        pass
    with pytest.raises(ModelError, match="rooms has the classes of 'nyuv2', model 'sims' those of 'camvid'"):
        model.use_bank(tmp_path / "rooms")


def test_no_bank_an_empty_one_and_none_at_all(street: Scene, tmp_path: Path) -> None:
    model = SimsModel(tiny_networks(), CAMVID, name="tiny")
    edit = operations.add(street, "car", box=(50, 60, 80, 80))
    for ask in (
        lambda: model.synthesize(street.layout),
        lambda: model.edit(street, edit),
        lambda: model.lacks(street.layout),
    ):
        with pytest.raises(
            ModelError, match=r"has no bank; build one with .* and give --bank BANK, or set SCENEBRUSH_B"
        ):
            ask()
    with BankWriter.open(tmp_path / "empty", CAMVID):
        pass
    model.use_bank(tmp_path / "empty")
    with pytest.raises(InputError, match="empty is empty; fill it with scenebrush bank build"):
        model.synthesize(street.layout)
    with pytest.raises(InputError, match="nowhere"):
        model.use_bank(tmp_path / "nowhere")


def test_model_folders(folder: Path, toy_bank: Bank, street: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    networks, label_set = load_networks(folder)
    assert networks.config == TINY and label_set == CAMVID
    loaded = load_synthesizer(folder, bank=toy_bank.path)
    assert isinstance(loaded, SimsModel) and loaded.name == "tiny"
    half = SimsModel(tiny_networks(), CAMVID, toy_bank).synthesize(street.layout).astype(int)
    assert np.abs(loaded.synthesize(street.layout) - half).mean() < 1.5  # weights in half precision
    monkeypatch.setenv(BANK_VARIABLE, str(toy_bank.path))
    assert isinstance(named := load_model(folder), SimsModel) and named.bank.path == toy_bank.path
    with pytest.raises(ModelError, match="sims is no model by itself; name a model folder"):
        load(None)


def test_a_bank_for_a_model_without_one_is_refused(toy_bank: Bank, tmp_path: Path) -> None:
    save_spade(tmp_path / "spade", tiny_spade(), CAMVID, {}, "# A model\n")
    with pytest.raises(InputError, match=r"model 'spade' uses no memory bank; leave out .*, or name a model of sims"):
        load_model(tmp_path / "spade", bank=toy_bank.path)
    assert method_by_name(str(tmp_path / "spade"), CAMVID, bank=toy_bank.path).name == "spade"


def test_a_text_becomes_a_layout(model: SimsModel) -> None:
    layout = model.layout_from_text("a car on a road, buildings behind", (128, 96), seed=1)
    assert layout.shape == (96, 128) and {CAR, ROAD} <= set(np.unique(layout.label_map).tolist())
    assert model.synthesize(layout).shape == (96, 128, 3)
