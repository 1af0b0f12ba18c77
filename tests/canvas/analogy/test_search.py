"""PatchMatch against a search through everything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from scenebrush.canvas.analogy.descriptors import Projection, patch_rows
from scenebrush.canvas.analogy.search import Sides, corrected, improve, start

SHAPE, TARGET = (24, 30), (20, 26)


def sides(*, seed: int = 0, classes: int = 2, place_cost: float = 0.0) -> Sides:
    """A smooth picture and a piece of it, as patches; the classes are its left and right."""
    rng = np.random.default_rng(seed)
    picture = rng.random((SHAPE[0] // 2, SHAPE[1] // 2, 3)).repeat(2, 0).repeat(2, 1)
    piece = picture[3 : 3 + TARGET[0], 2 : 2 + TARGET[1]] + 0.02 * rng.standard_normal((*TARGET, 3))
    labels = np.arange(SHAPE[1]) * classes // SHAPE[1] + np.zeros((SHAPE[0], 1), int)
    rows, columns = np.mgrid[: TARGET[0], : TARGET[1]]
    places = np.stack([rows, columns, np.full(TARGET, 3.0), np.full(TARGET, 3.0)], -1).astype(np.float32)
    return Sides(
        patch_rows(picture, 3),
        patch_rows(piece, 3),
        labels.reshape(-1),
        labels[3 : 3 + TARGET[0], 2 : 2 + TARGET[1]].reshape(-1),
        SHAPE,
        TARGET,
        places.reshape(-1, 4),
        place_cost,
    )


def least(of: Sides) -> np.ndarray:
    """The least cost of every target pixel, by trying every source pixel."""
    everything = np.arange(len(of.source))
    return np.array([of.costs(np.full(len(everything), k), everything).min() for k in range(len(of.target))])


@pytest.mark.parametrize("place_cost", [0.0, 2.0])
def test_the_search_comes_close_to_the_best_there_is(place_cost: float) -> None:
    case = sides(place_cost=place_cost)
    rng = np.random.default_rng(1)
    first = start(case, rng)
    found = improve(case, first, rng, rounds=8, coherence=0.0)
    best, got = least(case), case.costs(slice(None), found)
    assert (got >= best - 1e-4).all()
    assert (got < best + 0.02).mean() > 0.95  # a few stay in a worse place, as PatchMatch has it
    assert got.mean() < 0.5 * case.costs(slice(None), first).mean()


def test_matches_stay_in_their_class() -> None:
    case = sides(classes=3)
    found = improve(case, start(case, np.random.default_rng(0)), np.random.default_rng(0), rounds=3, coherence=1.0)
    assert np.array_equal(case.source_classes[found], case.target_classes)


def test_a_class_that_is_nowhere_takes_what_fits_but_nothing_that_may_not_be_taken() -> None:
    case = sides()
    forbidden = np.where(np.arange(len(case.source)) % SHAPE[1] < 9, -2, case.source_classes)
    case = replace(case, source_classes=forbidden, target_classes=np.full(len(case.target), -1))
    found = improve(case, start(case, np.random.default_rng(0)), np.random.default_rng(0), rounds=4, coherence=0.0)
    assert (case.source_classes[found] >= 0).all()


def test_coherence_makes_pieces_larger() -> None:
    def breaks(coherence: float) -> int:
        case = sides(seed=3)
        noisy = replace(case, target=case.target + np.random.default_rng(5).normal(0, 0.15, case.target.shape))
        rng = np.random.default_rng(0)
        found = improve(noisy, start(noisy, rng), rng, rounds=4, coherence=coherence)
        return int(np.count_nonzero(np.diff(found.reshape(TARGET), axis=1) != 1))

    assert breaks(2.0) < breaks(0.0)


def test_the_same_seed_gives_the_same_field() -> None:
    case = sides()
    one, two = (
        improve(case, start(case, np.random.default_rng(4)), np.random.default_rng(4), rounds=2, coherence=1.0)
        for _ in range(2)
    )
    assert np.array_equal(one, two)


def test_a_pixel_that_fits_as_the_photo_itself_is_left_alone() -> None:
    case = sides()
    case = replace(case, target=case.source[: len(case.target)], target_classes=case.source_classes[: len(case.target)])
    exact = np.arange(len(case.target))
    assert np.array_equal(improve(case, exact, np.random.default_rng(0), rounds=2, coherence=1.0), exact)


def test_all_components_keep_distances_and_few_keep_most() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 12)) * np.linspace(3, 0.1, 12)
    whole, few = Projection.of(rows, 12, share=1.0), Projection.of(rows, 4)
    gaps = np.linalg.norm(rows[:-1] - rows[1:], axis=1)
    assert np.allclose(np.linalg.norm(np.diff(whole(rows), axis=0), axis=1), gaps, rtol=1e-4)
    shorter = np.linalg.norm(np.diff(few(rows), axis=0), axis=1)
    assert few.basis.shape[1] == 4 and (shorter <= gaps + 1e-4).all() and shorter.mean() > 0.8 * gaps.mean()


def test_a_patch_is_what_lies_around_its_pixel_mirrored_beyond_the_rim() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4, 1)
    rows = patch_rows(values, 3)
    assert rows.shape == (12, 9)
    assert np.array_equal(rows[5], [0, 1, 2, 4, 5, 6, 8, 9, 10])
    assert np.array_equal(rows[0], [0, 0, 1, 0, 0, 1, 4, 4, 5])


def test_matches_of_another_class_are_replaced_by_the_best_of_their_own() -> None:
    of = sides()
    found = np.random.default_rng(0).integers(0, len(of.source), len(of.target))
    wrong = of.source_classes[found] != of.target_classes
    assert wrong.any() and not wrong.all()
    right = corrected(of, found, np.random.default_rng(1))
    assert np.array_equal(right[~wrong], found[~wrong])
    assert np.array_equal(of.source_classes[right], of.target_classes)
    few = replace(of, source_classes=np.where(np.arange(len(of.source)) % 40 == 0, of.source_classes, 5))
    everything = corrected(few, np.ones_like(found), np.random.default_rng(1))
    assert np.allclose(few.costs(slice(None), everything), least(few))  # all of a few pixels are tried


def test_a_field_of_the_right_classes_stays_and_draws_nothing() -> None:
    of = sides()
    rng = np.random.default_rng(3)
    found = improve(of, start(of, np.random.default_rng(0)), np.random.default_rng(0), rounds=2, coherence=1.0)
    assert corrected(of, found, rng) is found
    assert rng.random() == np.random.default_rng(3).random()
    anything = replace(of, target_classes=np.full_like(of.target_classes, -1))
    assert corrected(anything, found, rng) is found
