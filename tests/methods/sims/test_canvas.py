"""Canvases: made of the bank's pixels, true to the layout, donors chosen together, picks, seeds, what is lacking."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenebrush.canvas.collage import MISSING, boundary_band
from scenebrush.canvas.color import lab_of
from scenebrush.errors import InputError, ModelError
from scenebrush.methods.sims.bank import Bank, query_of
from scenebrush.methods.sims.canvas import assemble
from scenebrush.methods.sims.choosing import Making, retrieve
from scenebrush.methods.sims.config import SimsConfig
from scenebrush.methods.sims.networks import SimsNetworks
from scenebrush.methods.sims.order_pairs import coarse_order
from scenebrush.methods.sims.painting import Assembly
from scenebrush.methods.sims.segments import segments_of
from scenebrush.methods.sims.shards import shard_path
from scenebrush.methods.sims.writing import BankWriter
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene
from tests.methods.sims.toy_banks import TINY, bank_without, tiny_networks

PAPER = Making(coherence=0.0, harmonise=0.0, complete=False, elide=False)
CAMVID = LabelSet.load("camvid")
ROAD, CAR, SKY = (CAMVID.find(name).id for name in ("road", "car", "sky"))


@pytest.fixture(scope="module")
def networks() -> SimsNetworks:
    return tiny_networks()


def same(one: Assembly, other: Assembly) -> bool:
    planes = ("color", "owner", "class_map", "elided")
    return all(np.array_equal(getattr(one.collage, p), getattr(other.collage, p)) for p in planes)


def test_pixels_keep_to_the_class_that_the_layout_asks_for(street: Scene, toy_bank: Bank) -> None:
    for making in (PAPER, Making()):
        made = assemble(street.layout, toy_bank, TINY, None, making)
        there = made.collage.owner != MISSING
        assert np.array_equal(made.collage.class_map[there], street.layout.label_map[there])
        assert (made.collage.class_map[~there] == -1).all()
        assert made.layout is street.layout and not made.unknown.any()


def test_the_layout_is_covered_where_segments_are_found(street: Scene, toy_bank: Bank) -> None:
    plain, full = (assemble(street.layout, toy_bank, TINY, None, making) for making in (PAPER, Making()))
    asked = np.zeros(street.layout.shape, bool)
    for one in full.chosen:
        asked |= one.found.segment.whole_mask(street.layout.shape)
    assert asked.mean() > 0.9
    there = [(made.collage.owner != MISSING)[asked].mean() for made in (plain, full)]
    assert there[0] > 0.7 and there[1] > 0.97
    assert not plain.copied.any() and not (full.copied & ~(full.collage.owner != MISSING)).any()
    assert street.layout.label_set.is_kind(street.layout.label_map[full.copied], "stuff").all()


def test_pasted_pixels_are_the_banks_own(street: Scene, toy_bank: Bank) -> None:
    """A photo of the bank asked for again comes back pixel by pixel: it is its own best donor."""
    folder = toy_bank.path.parent / "streets" / "train"
    stem = toy_bank.donors()[4].removeprefix("train/")
    labels, instances, photo = (
        np.asarray(Image.open(folder / name / f"{stem}.png")) for name in ("labels", "instances", "images")
    )
    layout = Layout(labels, CAMVID, instances)
    made = assemble(layout, toy_bank, TINY, None, PAPER)
    assert made.anchor == f"train/{stem}"
    assert all(one.match.record.donor == made.anchor and one.match.score > 1.99 for one in made.chosen)
    there = made.collage.owner != MISSING
    assert there.mean() > 0.9
    assert np.array_equal(made.collage.color[there], photo[there])
    left_out = assemble(layout, toy_bank, TINY, None, replace(PAPER, exclude_donors=frozenset({f"train/{stem}"})))
    assert left_out.anchor != f"train/{stem}"
    assert not any(m.record.donor == f"train/{stem}" for one in left_out.chosen for m in one.found.matches)


def test_pieces_are_painted_back_to_front(street: Scene, toy_bank: Bank) -> None:
    made = assemble(street.layout, toy_bank, TINY, None, Making())
    order = coarse_order(CAMVID)
    ranks = [order[one.found.segment.class_id] for one in made.chosen]
    assert ranks == sorted(ranks) and len(set(ranks)) > 3


def test_matches_are_the_banks_best(street: Scene, toy_bank: Bank) -> None:
    least = round(TINY.least_area * street.layout.label_map.size)
    wanted = segments_of(street.layout, least_area=least)
    found, lacking = retrieve(street.layout, toy_bank, TINY, Making(candidates=3))
    assert lacking == ()
    assert [one.segment.box for one in found] == [s.box for s in wanted]
    for one, segment in zip(found, wanted, strict=True):
        best = toy_bank.find(query_of(street.layout, segment, toy_bank.match_size), 3)
        assert [m.record.id for m in one.matches] == [m.record.id for m in best]


def test_seed_0_is_the_best_and_others_differ_and_repeat(street: Scene, toy_bank: Bank) -> None:
    made = [assemble(street.layout, toy_bank, TINY, None, Making(seed=seed)) for seed in (0, 0, 5, 5, 6)]
    assert same(made[0], made[1]) and same(made[2], made[3])
    assert not same(made[0], made[2]) and not same(made[2], made[4])
    best = assemble(street.layout, toy_bank, TINY, None, PAPER)
    assert all(one.ranks == tuple(range(len(one.ranks))) for one in best.chosen)


def test_coherence_takes_more_from_one_photo(street: Scene, toy_bank: Bank) -> None:
    loose, close = (assemble(street.layout, toy_bank, TINY, None, replace(PAPER, coherence=c)) for c in (0.0, 2.0))
    share = [
        sum(one.found.segment.area for one in made.chosen if one.match.record.donor == made.anchor)
        for made in (loose, close)
    ]
    assert loose.anchor == close.anchor and share[1] > share[0]


def test_a_pick_is_pasted_and_beyond_the_last_it_is_the_last(street: Scene, toy_bank: Bank) -> None:
    plain = assemble(street.layout, toy_bank, TINY, None, PAPER)
    number = max(plain.chosen, key=lambda one: one.found.segment.area).found.number
    for pick, wanted in ((2, 2), (400, 11)):
        made = assemble(street.layout, toy_bank, TINY, None, replace(PAPER, picks={number: pick}))
        ranks = {one.found.number: one.ranks[0] for one in made.chosen}
        most = len(next(one for one in made.chosen if one.found.number == number).found.matches) - 1
        assert ranks.pop(number) == min(wanted, most)
        assert set(ranks.values()) == {0}


def test_a_class_without_segments_is_named_and_left_open(street: Scene, toy_bank: Bank, tmp_path: Path) -> None:
    bank = bank_without(toy_bank, tmp_path / "bank", SKY, CAR)
    made = assemble(street.layout, bank, TINY, None, PAPER)
    assert set(made.lacking) == {"sky", "car"}
    left = np.isin(street.layout.label_map, (SKY, CAR))
    assert (made.collage.owner[left] == MISSING).all() and (made.collage.owner[~left] != MISSING).mean() > 0.7
    # picks count in the layout's segments, of which the first, the sky, is lacking
    least = round(TINY.least_area * street.layout.label_map.size)
    road = next(i for i, s in enumerate(segments_of(street.layout, least_area=least)) if s.class_id == ROAD)
    picked = assemble(street.layout, bank, TINY, None, replace(PAPER, picks={road: 1}))
    assert {one.found.segment.class_id: one.ranks[0] for one in picked.chosen if one.ranks[0]} == {ROAD: 1}


def test_elided_pixels_lie_along_boundaries(street: Scene, toy_bank: Bank) -> None:
    config = replace(TINY, elision_band=0.03, elision_share=0.5)
    making = replace(PAPER, elide=True)
    made = assemble(street.layout, toy_bank, config, None, making)
    band = boundary_band(made.collage.owner, 0.03 * 96) & (made.collage.owner != MISSING)
    assert not (made.collage.elided & ~band).any()
    assert made.collage.elided.sum() / band.sum() == pytest.approx(0.5, abs=0.06)
    assert not assemble(street.layout, toy_bank, config, None, PAPER).collage.elided.any()


def test_colours_are_taken_from_a_palette(street: Scene, toy_bank: Bank) -> None:
    rng = np.random.default_rng(0)
    red = rng.normal((180, 40, 40), 6, (500, 3)).clip(0, 255).astype(np.uint8)
    making = replace(PAPER, harmonise=1.0)
    plain, made = (
        assemble(street.layout, toy_bank, TINY, None, replace(making, palette=palette))
        for palette in (None, {ROAD: red})
    )
    road, other = (made.collage.class_map == ROAD), (made.collage.class_map == SKY)
    assert np.abs(made.collage.color[road].mean(0) - (180, 40, 40)).max() < 25
    assert np.abs(plain.collage.color[road].mean(0) - (180, 40, 40)).max() > 40
    unchanged = assemble(street.layout, toy_bank, TINY, None, PAPER)
    assert np.array_equal(made.collage.color[other], unchanged.collage.color[other])  # a class without colours there


def test_harmonising_moves_stuff_to_the_anchors_colours(street: Scene, toy_bank: Bank) -> None:
    plain, made = (assemble(street.layout, toy_bank, TINY, None, replace(PAPER, harmonise=h)) for h in (0.0, 1.0))
    assert np.array_equal(plain.collage.owner, made.collage.owner) and made.anchor is not None
    nearer = []
    for number, one in enumerate(made.chosen):
        own, class_id = made.collage.owner == number, one.found.segment.class_id
        if one.match.record.donor == made.anchor:
            assert np.array_equal(plain.collage.color[own], made.collage.color[own])
            continue
        theirs = [toy_bank.read(r.id) for r in toy_bank.of_donor(made.anchor) if r.class_id == class_id]
        if CAMVID.by_id[class_id].kind == "stuff" and theirs and own.sum() > 50:
            target = np.concatenate([t.color[t.mask] for t in theirs]).mean(0)
            off = [np.abs(m.collage.color[own].mean(0) - target).mean() for m in (plain, made)]
            nearer.append(off[1] < off[0])
    assert len(nearer) > 1 and np.mean(nearer) > 0.7


def test_harmonised_things_keep_their_colours_in_another_light(street: Scene, toy_bank: Bank) -> None:
    plain, made = (assemble(street.layout, toy_bank, TINY, None, replace(PAPER, harmonise=h)) for h in (0.0, 1.0))
    cars = plain.collage.class_map == CAR
    before, after = (lab_of(m.collage.color[cars]) for m in (plain, made))
    assert not np.array_equal(before, after)
    assert np.abs(after[:, 1:].std(0) - before[:, 1:].std(0)).max() < 6  # a red car among white ones stays the red one


def test_damaged_segments_are_passed_over(street: Scene, toy_bank: Bank, tmp_path: Path) -> None:
    """Also those that only lend their colours."""
    whole = assemble(street.layout, toy_bank, TINY, None, Making())
    folder = Path(shutil.copytree(toy_bank.path, tmp_path / "bank"))
    with Bank.open(folder) as bank:
        used = {one.match.record.id for one in whole.chosen}
        spoiled = [r for r in bank.of_donor(whole.anchor or "") if r.id not in used]
    assert spoiled
    for record in spoiled:
        path = shard_path(folder, "segments", CAMVID.by_id[record.class_id])
        data = bytearray(path.read_bytes())
        data[record.place.color_at + record.place.color_length // 2] ^= 255
        path.write_bytes(data)
    with Bank.open(folder) as bank:
        made = assemble(street.layout, bank, TINY, None, Making())
        assert bank.damage
        assert (made.collage.owner != MISSING).mean() > 0.8


def test_segments_may_bring_their_own_footprint(street: Scene, toy_bank: Bank, networks: SimsNetworks) -> None:
    config = replace(TINY, footprint="segment")
    for making, asked in ((PAPER, None), (PAPER, networks), (Making(), networks)):
        made = assemble(street.layout, toy_bank, config, asked, making)
        shown, labels = made.collage.class_map, made.layout.label_map
        assert not np.array_equal(labels, street.layout.label_map)
        assert np.array_equal(labels[shown >= 0], shown[shown >= 0])
        assert np.array_equal(labels[shown < 0], street.layout.label_map[shown < 0])
        stuff = CAMVID.is_kind(street.layout.label_map, "stuff")
        if not making.complete:
            assert np.array_equal(made.unknown, (shown < 0) & ~stuff)
        assert not (made.unknown & (shown >= 0)).any()


def test_what_the_ordering_network_puts_in_front_is_not_covered(
    street: Scene, toy_bank: Bank, networks: SimsNetworks, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    for which in (0, 1):  # the one that is painted, the one that lies there
        monkeypatch.setattr(
            "scenebrush.methods.sims.painting.fronts", lambda _n, _l, pairs, w=which: [p[w].class_id for p in pairs]
        )
        made = assemble(street.layout, toy_bank, replace(TINY, footprint="segment"), networks, PAPER)
        first = made.collage.class_map == made.chosen[0].found.segment.class_id
        last = made.collage.owner == made.collage.count - 1
        seen.append((first.sum(), last.sum()))
    assert seen[1][0] > seen[0][0] and seen[1][1] < seen[0][1]


def test_the_transformation_network_is_asked(street: Scene, toy_bank: Bank) -> None:
    """One that moves everything by ten pixels: taken where the overlap does not get worse, and nowhere else."""
    moving = tiny_networks()
    moving.transformation.affine.bias[2] = 3.0
    still = assemble(street.layout, toy_bank, TINY, tiny_networks(), PAPER)
    made = assemble(street.layout, toy_bank, TINY, moving, PAPER)
    assert not same(still, made)


@pytest.mark.parametrize("size", [(72, 96), (150, 210), (1, 1), (31, 200)])
def test_every_size_will_do(street: Scene, toy_bank: Bank, networks: SimsNetworks, size: tuple[int, int]) -> None:
    rows = (np.arange(size[0]) + 0.5) * 96 // size[0]
    columns = (np.arange(size[1]) + 0.5) * 128 // size[1]
    layout = Layout(street.layout.label_map[rows.astype(int)[:, None], columns.astype(int)], CAMVID)
    made = assemble(layout, toy_bank, TINY, networks, Making())
    assert made.collage.shape == size
    if min(size) > 50:
        assert (made.collage.owner != MISSING).mean() > 0.8


def test_nothing_but_the_unlabelled(toy_bank: Bank) -> None:
    made = assemble(Layout(np.full((40, 60), CAMVID.find("void").id), CAMVID), toy_bank, TINY, None)
    assert not made.collage.present.any() and made.chosen == () and made.anchor is None and made.lacking == ()


def test_a_wrong_or_empty_bank_is_told(street: Scene, toy_bank: Bank, tmp_path: Path) -> None:
    other = Layout(np.zeros((20, 30), int), LabelSet.load("nyuv2"))
    with pytest.raises(ModelError, match="classes of 'camvid', the label map those of 'nyuv2'"):
        assemble(other, toy_bank, TINY, None)
    with BankWriter.open(tmp_path / "empty", CAMVID):
        pass
    with pytest.raises(InputError, match=r"is empty; fill it with scenebrush bank build"):
        assemble(street.layout, Bank.open(tmp_path / "empty"), TINY, None)


def test_small_segments_are_left_to_the_network(street: Scene, toy_bank: Bank) -> None:
    config: SimsConfig = replace(TINY, least_area=0.05)
    made = assemble(street.layout, toy_bank, config, None, PAPER)
    assert made.chosen and all(one.found.segment.area >= 0.05 * 96 * 128 for one in made.chosen)
