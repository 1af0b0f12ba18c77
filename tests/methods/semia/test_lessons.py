"""Lessons of one photo: what is hidden, and that the truth does not leak into what fills it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from scenebrush.canvas.analogy import AnalogySettings
from scenebrush.errors import InputError
from scenebrush.losses.likeness import DetailLikeness
from scenebrush.methods.semia.lessons import Filled, Lessons, hole_distances
from scenebrush.methods.semia.source import Source
from scenebrush.scene.layout import Layout
from tests.methods.semia.tiny import LAND, tiny_source

QUICK = AnalogySettings(passes=1, last_passes=1)


def blank(height: int, width: int) -> Source:
    return Source(np.zeros((height, width, 3), np.uint8), Layout(np.zeros((height, width)), LAND))


class Mean:
    """A likeness that is the mean absolute difference, and keeps the sizes that it saw."""

    name, weight = "mean", 1.0

    def __init__(self) -> None:
        self.sizes: list[tuple[int, ...]] = []

    def __call__(self, fake: Tensor, real: Tensor) -> Tensor:
        self.sizes.append(tuple(fake.shape))
        return (fake - real).abs().flatten(1).mean(1)


@pytest.mark.parametrize(
    ("shape", "seeds"), [((64, 64), (0, 16, 37)), ((72, 96), (1, 37)), ((384, 250), (1, 3, 6)), ((64, 640), (0, 1, 2))]
)
def test_what_is_held_out_is_never_hidden_to_learn_by(shape: tuple[int, int], seeds: tuple[int, ...]) -> None:
    for seed in seeds:  # of all but 1 the held-out lessons leave no place for holes of the usual size
        lessons = Lessons(blank(*shape), learned=4, held_out=3, seed=seed)
        assert (len(lessons.learned), len(lessons.held_out)) == (4, 3)
        kept = np.logical_or.reduce(lessons.held_out)
        for hidden in lessons.learned:
            assert hidden.shape == shape and hidden.dtype == bool and hidden.any()
            assert not (hidden & kept).any()
        for hidden in lessons.held_out:
            assert 0.1 < hidden.mean() < 0.75


def test_lessons_are_those_of_their_seed_and_all_different() -> None:
    one, same, other = (Lessons(blank(96, 128), learned=3, held_out=2, seed=seed) for seed in (5, 5, 6))
    for a, b in zip(one.learned + one.held_out, same.learned + same.held_out, strict=True):
        assert np.array_equal(a, b)
    kinds = {a.tobytes() for lessons in (one, other) for a in lessons.learned + lessons.held_out}
    assert len(kinds) == 10


def test_nothing_need_be_held_out() -> None:
    lessons = Lessons(blank(72, 96), learned=2, held_out=0)
    assert lessons.held_out == [] and len(lessons.learned) == 2


def test_a_photo_of_a_few_pixels_teaches_nothing() -> None:
    with pytest.raises(InputError, match="a photo of 3x2 is too small"):
        Lessons(blank(2, 3), learned=1, held_out=1)


def test_the_truth_does_not_leak_into_what_fills_it() -> None:
    source = tiny_source()
    lessons = Lessons(source, learned=1, held_out=1, seed=2)
    hidden = lessons.learned[0]
    noise = np.random.default_rng(1).integers(0, 256, source.photo.shape).astype(np.uint8)
    spoiled = Source(np.where(hidden[..., None], noise, source.photo), source.layout)
    (filled,) = lessons.fill([hidden], QUICK)
    (blind,) = Lessons(spoiled, learned=1, held_out=1, seed=2).fill([hidden], QUICK)
    assert np.array_equal(filled.picture, blind.picture)
    assert np.array_equal(filled.picture[~hidden], source.photo[~hidden])
    assert (filled.picture[hidden] != source.photo[hidden]).any()


def test_what_fills_a_hole_is_of_the_class_asked_for() -> None:
    source = tiny_source()
    lessons = Lessons(source, learned=2, held_out=0)
    colors = LAND.colors(source.layout.label_map).astype(int)
    for filled in lessons.fill(lessons.learned, QUICK):
        inner = filled.hidden.copy()
        for class_id in source.class_ids:  # away from borders, where patches of both sides vote
            inner &= ~ndimage.binary_dilation(source.layout.label_map == class_id) | (
                source.layout.label_map == class_id
            )
        assert np.abs(filled.picture.astype(int) - colors)[inner].max() < 60  # the grain's; classes are farther apart


def test_filling_does_not_depend_on_the_number_of_threads() -> None:
    lessons = Lessons(tiny_source(), learned=2, held_out=0)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = [filled.picture for filled in lessons.fill(lessons.learned, QUICK)]
        torch.set_num_threads(2)
        two = [filled.picture for filled in lessons.fill(lessons.learned, QUICK)]
    finally:
        torch.set_num_threads(threads)
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_every_hole_has_one_distance_about_it() -> None:
    photo = np.full((100, 200, 3), 100, np.uint8)
    hidden = np.zeros((100, 200), bool)
    hidden[10:20, 10:20] = hidden[30:90, 100:160] = True
    picture = photo.copy()
    picture[10:20, 10:20] += 51  # .4 of [-1, 1]
    picture[60, 60] = 255  # no hole: nobody looks here
    distance = Mean()
    found = hole_distances(distance, Filled(hidden, picture), photo)
    assert distance.sizes == [(1, 3, 39, 39), (1, 3, 76, 76)]  # at least 48 pixels, 8 around, cut at the photo's rim
    assert found.shape == (2,) and np.allclose(found, [0.4 * 100 / 39**2, 0])


def test_distances_are_those_of_all_holes_in_turn() -> None:
    source = tiny_source()
    lessons = Lessons(source, learned=2, held_out=1, seed=1)
    distance = DetailLikeness()
    found = lessons.distances(lessons.learned, QUICK, distance)
    holes = [ndimage.label(hidden)[1] for hidden in lessons.learned]
    assert found.dtype == np.float64 and found.shape == (sum(holes),) and (found > 0).all()
    second = lessons.distances(lessons.learned[1:], QUICK, distance)
    assert np.array_equal(found[holes[0] :], second)
