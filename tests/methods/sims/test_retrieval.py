"""Retrieval against dense brute force."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenebrush.methods.sims import retrieval
from scenebrush.methods.sims.bank import Bank, build_bank, queries_of, query_of
from scenebrush.methods.sims.bounds import BoxColumns, context_cell_bounds, mask_cell_bounds
from scenebrush.methods.sims.cutting import cut
from scenebrush.methods.sims.matching import NO_CLASS, Frame, Shape, labels_of
from scenebrush.methods.sims.segments import segments_of
from scenebrush.scene.folder import SceneFolder
from scenebrush.scene.layout import Layout
from tests.methods.sims.small_banks import LEAST, SIZE, VOID, Dense, classes, dense_segments, make_bank, random_layout


def ranked(query: Dense, bank: list[tuple[str, Dense]], *, context: bool) -> list[tuple[float, float, float, str]]:
    """Returns (score, mask, context, donor) of the query's class, best first; equal ones as they came."""
    found = []
    for donor, one in bank:
        if one.class_id == query.class_id:
            mask, around = query.ious(one)
            around = around if context else 0.0
            found.append((mask + around, mask, around, donor))
    return sorted(found, key=lambda row: -row[0])


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("count", [4, 21])
def test_random_banks_give_what_a_brute_force_gives(tmp_path: Path, seed: int, count: int, monkeypatch) -> None:
    """About 100 queries each, with and without contexts; groups are small, so that each step has something to do."""
    monkeypatch.setattr(retrieval, "_SEEDS", 4)
    monkeypatch.setattr(retrieval, "_FIRST_SCORED", 3)
    monkeypatch.setattr(retrieval, "_SCORED", 5)
    rng, label_set = np.random.default_rng(seed), classes(count)
    layouts = [random_layout(rng, label_set) for _ in range(20 if count == 4 else 40)]
    layouts += layouts[:3]  # the same scene under other names: every score is there twice
    bank = make_bank(tmp_path / "bank", layouts)
    stored = [(f"train/{i}", one) for i, layout in enumerate(layouts) for one in dense_segments(layout)]
    assert len(bank) == len(stored) > 100
    for layout in [*(random_layout(rng, label_set) for _ in range(6)), layouts[0]]:
        queries, dense = queries_of(layout, SIZE, least_area=LEAST), dense_segments(layout)
        assert len(queries) == len(dense)
        for query, whole in zip(queries, dense, strict=True):
            for context in (True, False):
                matches = bank.find(query, 5, context=context)
                expected = ranked(whole, stored, context=context)[:5]
                assert [(m.score, m.mask_iou, m.context_iou, m.record.donor) for m in matches] == expected
                same = [m.record.id for m in matches]
                assert all(
                    a < b
                    for a, b, m, n in zip(same, same[1:], matches, matches[1:], strict=False)
                    if m.score == n.score
                )


def test_donors_can_be_left_out(tmp_path: Path) -> None:
    rng, label_set = np.random.default_rng(3), classes(4)
    layouts = [random_layout(rng, label_set) for _ in range(12)]
    bank = make_bank(tmp_path / "bank", layouts)
    stored = [(f"train/{i}", one) for i, layout in enumerate(layouts) for one in dense_segments(layout)]
    kept = [(donor, one) for donor, one in stored if donor not in ("train/0", "train/7")]
    for query, whole in zip(queries_of(layouts[0], SIZE, least_area=LEAST), dense_segments(layouts[0]), strict=True):
        assert bank.find(query, 1)[0].score == 2
        matches = bank.find(query, 4, exclude_donors={"train/0", "train/7", "train/unknown"})
        expected = ranked(whole, kept, context=True)[:4]
        assert [(m.score, m.record.donor) for m in matches] == [(row[0], row[3]) for row in expected]


def test_more_than_there_are(tmp_path: Path) -> None:
    rng, label_set = np.random.default_rng(5), classes(4)
    layouts = [random_layout(rng, label_set) for _ in range(8)]
    bank = make_bank(tmp_path / "bank", layouts)
    for query in queries_of(layouts[1], SIZE, least_area=LEAST):
        matches = bank.find(query, 1000)
        assert len(matches) == bank.count(query.segment.class_id)
        assert sorted((-m.score, m.record.id) for m in matches) == [(-m.score, m.record.id) for m in matches]


def test_two_boxes_by_hand(tmp_path: Path) -> None:
    """4x4 beside 4x4, shifted by two: masks share 8 of 24; boxes grow by round(4 / 8) = 0, so that contexts do too."""
    label_set = classes(2)
    first, second = np.full(SIZE, VOID), np.full(SIZE, VOID)
    first[8:12, 8:12] = 3
    second[8:12, 10:14] = 3
    bank = make_bank(tmp_path / "bank", [Layout(first, label_set)])
    (query,) = queries_of(Layout(second, label_set), SIZE, least_area=1)
    (match,) = bank.find(query)
    assert (match.mask_iou, match.context_iou, match.score) == (8 / 24, 8 / 24, 2 * (8 / 24))
    assert match.record.match_box == (8, 8, 12, 12) and match.record.area == 16


def test_a_segment_that_vanishes_finds_nothing(tmp_path: Path) -> None:
    label_set = classes(2)
    label_map = np.full((400, 800), VOID)
    label_map[100:300, 100:300] = 3
    label_map[1, 1] = 3
    layout = Layout(label_map, label_set)
    bank = make_bank(tmp_path / "bank", [layout])
    small = next(segment for segment in segments_of(layout) if segment.area == 1)
    assert bank.find(query_of(layout, small, SIZE)) == []
    assert len(queries_of(layout, SIZE)) == 1


def test_real_streets_give_what_scoring_all_gives(shared: Path, tmp_path: Path) -> None:
    """At 256x512, against dense arrays; 12 streets in the bank, 3 looked for."""
    folder = SceneFolder.open(shared / "data" / "camvid")
    stems = folder.stems("train")
    layouts = [folder.layout(folder.files("train", stem)) for stem in stems[::30]]
    bank = make_bank(tmp_path / "bank", layouts, size=(256, 512), least=200)
    stored = [
        (f"train/{i}", one) for i, layout in enumerate(layouts) for one in dense_segments(layout, (256, 512), 200)
    ]
    for stem in stems[5::120]:
        layout = folder.layout(folder.files("train", stem))
        queries, dense = queries_of(layout, (256, 512), least_area=200), dense_segments(layout, (256, 512), 200)
        for query, whole in list(zip(queries, dense, strict=True))[::3]:
            expected = ranked(whole, stored, context=True)[:3]
            found = [(m.score, m.mask_iou, m.context_iou, m.record.donor) for m in bank.find(query, 3)]
            assert found == expected


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), count=st.sampled_from([2, 5, 21]))
def test_no_bound_is_below_the_score(seed: int, count: int) -> None:
    rng, label_set = np.random.default_rng(seed), classes(count)
    donor, layout = random_layout(rng, label_set), random_layout(rng, label_set)
    stored = cut("train/0", "0", donor, None, match_size=SIZE, least_area=1)
    dense = dense_segments(donor, least=1)
    for query, whole in zip(queries_of(layout, SIZE, least_area=1), dense_segments(layout, least=1), strict=True):
        scores = np.array([whole.ious(one) for one in dense]).reshape(-1, 2)
        boxes = BoxColumns(stored.boxes).bounds(query, context=True)
        masks = mask_cell_bounds(query, stored.boxes, stored.cells["mask"])
        contexts = context_cell_bounds(query, stored.boxes, stored.cells["context"])
        for bounds, true in ((boxes[0], 0), (boxes[1], 1), (masks, 0), (contexts, 1)):
            assert (bounds >= scores[:, true]).all() and (bounds <= 1.0001).all()


@pytest.mark.parametrize("seed", range(5))
def test_runs_and_cells_are_of_the_same_shape(seed: int) -> None:
    rng, label_set = np.random.default_rng(seed), classes(21)
    layout = random_layout(rng, label_set)
    frame = Frame.of(layout, SIZE)
    for segment in segments_of(layout):
        shape = Shape.of(segment, frame)
        dense = Dense(layout, segment, SIZE)
        assert shape.area == np.count_nonzero(dense.mask)
        if not shape.area:
            continue
        mask_runs, context_runs = shape.runs()
        x0, y0, x1, y1 = shape.box
        assert np.array_equal(labels_of(mask_runs, shape.box) != NO_CLASS, dense.mask[y0:y1, x0:x1])
        x0, y0, x1, y1 = shape.context_box
        ids = np.array([c.id for c in label_set.classes if c.kind != "void"])
        decoded = labels_of(context_runs, shape.context_box)
        assert np.array_equal(decoded[..., None] == ids, dense.context[y0:y1, x0:x1])
        assert shape.context_size == np.count_nonzero(dense.context)
        mask, context = shape.cells()
        assert mask.sum() == shape.area and context.sum() == shape.context_size
        assert context.sum((0, 1))[label_set.ids.index(segment.class_id) % 16] >= 1


@pytest.mark.parametrize("context", [True, False])
def test_position_and_size_do_not_count_where_they_are_not_to(tmp_path: Path, context: bool) -> None:
    """The same thing at another place and twice as large is as good as itself; absolutely it is not."""
    label_set = classes(3)
    small, large = np.full((64, 128), 3), np.full((64, 128), 3)
    for label_map, x, y, step in ((small, 8, 8, 8), (large, 64, 16, 16)):
        label_map[y : y + step, x : x + 2 * step] = 0
        label_map[y + step : y + 2 * step, x : x + step] = 0
    bank = make_bank(tmp_path / "bank", [Layout(large, label_set)], size=(64, 128))
    query = next(q for q in queries_of(Layout(small, label_set), (64, 128)) if q.segment.class_id == 0)
    (match,) = bank.find(query, context=context, invariant=True)
    assert match.score == (2 if context else 1)
    assert bank.find(query, context=context)[0].score < 0.5


def test_invariant_matching_is_exact(tmp_path: Path) -> None:
    rng, label_set = np.random.default_rng(11), classes(4)
    layouts = [random_layout(rng, label_set) for _ in range(30)]
    bank = make_bank(tmp_path / "bank", layouts)
    shapes: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    for record in bank.records():
        shapes.setdefault(record.class_id, []).append(tuple(map(on_grid, bank.shape(record.id))))  # type: ignore[arg-type]
    for query in queries_of(random_layout(rng, label_set), SIZE, least_area=LEAST):
        mask, context = on_grid(query.shape.mask), on_grid(query.shape.context)
        expected = []
        for other_mask, other_context in shapes.get(query.segment.class_id, []):
            same = np.count_nonzero((context == other_context) & (context != NO_CLASS))
            union = np.count_nonzero(context != NO_CLASS) + np.count_nonzero(other_context != NO_CLASS) - same
            expected.append(np.count_nonzero(mask & other_mask) / np.count_nonzero(mask | other_mask) + same / union)
        found = [match.score for match in bank.find(query, 7, invariant=True)]
        assert found == sorted(expected, reverse=True)[:7]


def on_grid(array: np.ndarray) -> np.ndarray:
    """Returns what lies under the centres of 32x32 cells."""
    rows, columns = ([int((i + 0.5) * n / 32) for i in range(32)] for n in array.shape)
    return array[rows][:, columns]


def test_a_bank_of_photos_finds_its_own(shared: Path, tmp_path: Path) -> None:
    """Each segment of a photo in the bank is its own best match, with its pixels."""
    folder = SceneFolder.open(shared / "data" / "camvid")
    few = SceneFolder.create(tmp_path / "few", folder.label_set)
    for files in list(folder.iterate("train"))[:3]:
        few.copy_into(files)
    build_bank(few, tmp_path / "bank")
    with Bank.open(tmp_path / "bank") as bank:
        stem = few.stems("train")[1]
        scene = few.scene("train", stem)
        for query in queries_of(scene.layout, bank.match_size):
            best = bank.find(query, 1)[0]
            assert best.score == 2 and best.record.donor == f"train/{stem}" and best.record.box == query.segment.box
            stored = bank.read(best.record.id)
            assert np.array_equal(stored.mask, query.segment.mask)
            crop = scene.photo[query.segment.window]
            assert (
                np.array_equal(stored.color[stored.mask], crop[query.segment.mask])
                and not stored.color[~stored.mask].any()
            )
