"""Drawing the hole of a photo of any size: windows, scales, borders, and nothing outside the hole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scenebrush.methods.sesame.compact import Drawing
from scenebrush.methods.sesame.config import SesameConfig
from scenebrush.methods.sesame.hole_windows import LEAST_CONTEXT, STEP, hole_windows
from scenebrush.methods.sesame.inputs import EditBatch
from scenebrush.methods.sesame.networks import WindowGenerator
from scenebrush.methods.sesame.render import Drawable, _covering, _nearest, draw

RED, GREEN = (255, 0, 0), (0, 255, 0)


def make_drawable(hole: np.ndarray, *, guided: bool = True) -> Drawable:
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 256, (*hole.shape, 3), dtype=np.uint8)
    return Drawable(
        photo=photo,
        labels=np.zeros(hole.shape, np.int32),
        instances=np.zeros(hole.shape, np.int32),
        hole=hole,
        guide=np.where(hole[..., None], np.uint8(GREEN), photo) if guided else None,
        copied=hole if guided else None,
        things=np.zeros(hole.shape, bool),
    )


def hole_at(shape: tuple[int, int], *boxes: tuple[int, int, int, int]) -> np.ndarray:
    """bool (H, W), true in boxes (top, left, bottom, right)."""
    hole = np.zeros(shape, bool)
    for top, left, bottom, right in boxes:
        hole[top:bottom, left:right] = True
    return hole


class Told(WindowGenerator):
    """Draws red under a fixed gate, and keeps what it was shown."""

    def __init__(self, gate: float = 0.0) -> None:
        super().__init__(SesameConfig(num_classes=3, width=4, num_blocks=1))
        self.gate = gate
        self.shown: list[EditBatch] = []

    def forward(self, batch: EditBatch) -> Drawing:
        self.shown.append(batch)
        red = torch.tensor([1.0, -1, -1]).view(1, 3, 1, 1).expand_as(batch.image)
        return Drawing(red, red, torch.full_like(batch.hole, self.gate))


HOLES = {
    "inside": hole_at((150, 200), (60, 70, 90, 120)),
    "in the corner": hole_at((150, 200), (0, 0, 20, 30), (130, 180, 150, 200)),
    "along the border": hole_at((150, 200), (140, 0, 150, 200)),
    "all of it": np.ones((50, 70), bool),
    "one pixel": hole_at((150, 200), (70, 80, 71, 81)),
    "smaller than a window": hole_at((90, 61), (20, 20, 60, 50)),
    "smaller than a step": hole_at((11, 7), (3, 2, 8, 5)),
    "one row": hole_at((1, 300), (0, 100, 1, 200)),
    "a panorama": hole_at((60, 1500), (10, 40, 40, 90), (20, 1300, 50, 1450)),
    "a rope": np.eye(1200, dtype=bool)[:, ::-1],
}


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES.keys())
@pytest.mark.parametrize("guided", [True, False])
def test_all_of_the_hole_is_drawn_and_nothing_else(hole: np.ndarray, guided: bool) -> None:
    drawable = make_drawable(hole, guided=guided)
    before = drawable.photo.copy()
    drawn = draw(Told(), drawable, {})
    assert drawn.dtype == np.uint8
    assert np.array_equal(drawn[~hole], before[~hole]) and np.array_equal(drawable.photo, before)
    assert (drawn[hole] == RED).all()


@pytest.mark.parametrize("hole", [HOLES["inside"], hole_at((400, 500), (20, 30, 380, 470))], ids=["1:1", "scaled"])
def test_the_gate_mixes_the_guide_at_the_photos_own_resolution(hole: np.ndarray) -> None:
    drawable = make_drawable(hole)
    assert drawable.guide is not None
    fine = np.random.default_rng(1).integers(0, 256, drawable.photo.shape, dtype=np.uint8)
    drawable = replace(drawable, guide=fine, things=hole)
    assert np.array_equal(draw(Told(gate=1), drawable, {})[hole], fine[hole])
    half = draw(Told(gate=0.5), drawable, {})[hole].astype(float)
    assert np.abs(half - (fine[hole] / 2 + np.array(RED) / 2)).max() <= 0.51


def test_no_hole_no_window() -> None:
    drawable = make_drawable(np.zeros((40, 50), bool))
    generator = Told()
    assert np.array_equal(draw(generator, drawable, {}), drawable.photo) and not generator.shown


def test_what_a_later_window_knows_is_photo_or_drawn_never_hole() -> None:
    hole = hole_at((128, 300), (40, 40, 90, 130), (40, 150, 90, 190))  # apart, but in each other's windows
    generator = Told()
    drawable = replace(make_drawable(hole), photo=np.full((128, 300, 3), (0, 0, 255), np.uint8))
    draw(generator, drawable, {})
    assert len(generator.shown) == 2
    first, second = ((b.hole[0, 0] > 0, (b.image[0].permute(1, 2, 0) + 1) * 127.5) for b in generator.shown)
    assert first[0].sum() > 50 * 90  # the first sees some of the second's hole, as hole
    known = second[1][~second[0]].round().int()
    red, blue = torch.tensor(RED), torch.tensor((0, 0, 255))
    assert (known == red).all(-1).any()  # the second sees what the first drew
    assert ((known == red).all(-1) | (known == blue).all(-1)).all()
    assert second[0].sum() == 50 * 40


def test_a_hole_at_the_photos_border_is_no_known_pixel_in_the_padding() -> None:
    hole = np.zeros((50, 70), bool)
    hole[1:] = True
    generator = Told()
    draw(generator, replace(make_drawable(hole), photo=np.full((50, 70, 3), 9, np.uint8)), {})
    (batch,) = generator.shown
    assert batch.image.shape[2:] == (64, 80)
    assert (batch.hole[0, 0, 1:49] == 1).all() and (batch.hole[0, 0, 50:] == 1).all()


def test_objects_end_at_the_photos_edge() -> None:
    drawable = make_drawable(np.ones((50, 64), bool))
    drawable.instances[40:, 10:20] = 5
    generator = Told()
    draw(generator, drawable, {5: (1.0, 0.0, -1.0)})
    (batch,) = generator.shown
    assert batch.coordinates[0, 3].sum() == 100 and batch.coordinates[0, 1, 49, 10] == 1  # y: the lowest row is 49
    assert torch.equal(batch.hint[0, 3], batch.coordinates[0, 3])


@pytest.mark.parametrize("top", range(100, 104))
def test_what_the_network_draws_beside_the_hole_does_not_bleed_in(top: int) -> None:
    class Messy(Told):
        def forward(self, batch: EditBatch) -> Drawing:
            drawn = batch.hole.expand_as(batch.image) * 0.2  # grey 153 in the hole, 127 beside it
            return Drawing(drawn, drawn, torch.zeros_like(batch.hole))

    hole = hole_at((700, 700), (top, top, 600, 600))  # drawn smaller
    drawable = replace(make_drawable(hole, guided=False), photo=np.full((700, 700, 3), 153, np.uint8))
    assert (draw(Messy(), drawable, {}) == 153).all()


def test_the_same_edit_gives_the_same_picture(tiny_generator: WindowGenerator) -> None:
    drawable = make_drawable(hole_at((150, 200), (60, 70, 90, 120), (0, 0, 10, 10)))
    assert np.array_equal(draw(tiny_generator, drawable, {}), draw(tiny_generator, drawable, {}))


@pytest.mark.parametrize("hole", [HOLES["inside"], HOLES["in the corner"]], ids=["inside", "corner"])
def test_what_lies_in_the_hole_is_not_looked_at(tiny_generator: WindowGenerator, hole: np.ndarray) -> None:
    drawable = make_drawable(hole, guided=False)
    other = np.where(hole[..., None], 255 - drawable.photo, drawable.photo)
    one, two = (draw(tiny_generator, replace(drawable, photo=photo), {}) for photo in (drawable.photo, other))
    assert np.array_equal(one[hole], two[hole])


def test_labels_outside_of_the_hole_are_not_looked_at(tiny_generator: WindowGenerator) -> None:
    hole = hole_at((400, 500), (20, 30, 380, 470))  # drawn smaller: enlarging must not bring them in either
    drawable = replace(make_drawable(hole), things=hole)
    other = replace(drawable, labels=np.where(hole, 0, 8).astype(np.int32))  # a thing: its gate is shut
    assert np.array_equal(draw(tiny_generator, drawable, {}), draw(tiny_generator, other, {}))


# Windows


def check_windows(hole: np.ndarray, things: np.ndarray) -> None:
    covered = np.zeros(hole.shape, int)
    for part, window, _ in hole_windows(hole, things):
        covered[window] += part
        rows, columns = np.nonzero(part)
        for side, limit, places in ((window[0], hole.shape[0], rows), (window[1], hole.shape[1], columns)):
            assert 0 <= side.start < side.stop <= limit
            assert (side.stop - side.start) % STEP == 0 or (side.start, side.stop) == (0, limit)
            before, after = places.min(), side.stop - side.start - 1 - places.max()
            spare = limit - limit % STEP - (places.max() + 1 - places.min())
            assert min(before, after) >= 0
            if spare >= 2 * LEAST_CONTEXT:
                assert before >= LEAST_CONTEXT or side.start == 0
                assert after >= LEAST_CONTEXT or side.stop == limit
    assert np.array_equal(covered, hole.astype(int))


@pytest.mark.parametrize("hole", HOLES.values(), ids=HOLES.keys())
def test_windows_hold_every_pixel_of_the_hole_once(hole: np.ndarray) -> None:
    check_windows(hole, np.zeros_like(hole))
    check_windows(hole, hole)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_windows_of_any_hole(data: st.DataObject) -> None:
    shape = data.draw(st.integers(1, 180)), data.draw(st.integers(1, 900))
    hole, things = np.zeros(shape, bool), np.zeros(shape, bool)
    for target in [hole] * data.draw(st.integers(1, 5)) + [things] * 2:
        top, left = data.draw(st.integers(0, shape[0] - 1)), data.draw(st.integers(0, shape[1] - 1))
        target[top : top + data.draw(st.integers(1, 180)), left : left + data.draw(st.integers(1, 900))] = True
    check_windows(hole, things)


def test_a_window_has_context_and_is_not_drawn_smaller_than_needed() -> None:
    (window,) = hole_windows(hole_at((720, 960), (300, 400, 420, 640)), np.zeros((720, 960), bool))
    assert window.window == (slice(216, 504), slice(320, 720)) and window.scale == 1
    large = hole_windows(hole_at((720, 960), (300, 400, 420, 640)), np.ones((720, 960), bool))[0]
    assert large.scale == 256 / 400  # an object is drawn at the size that the network knows
    (small,) = hole_windows(hole_at((720, 960), (0, 0, 5, 5)), np.zeros((720, 960), bool))
    assert small.window == (slice(0, 128), slice(0, 128))


def test_what_lies_together_is_drawn_together() -> None:
    near = hole_at((400, 800), (100, 100, 150, 150), (100, 160, 150, 210))
    far = hole_at((400, 800), (100, 100, 150, 150), (100, 500, 150, 550))
    assert [len(hole_windows(h, np.zeros_like(h))) for h in (near, far)] == [1, 2]


def test_specks_share_windows() -> None:
    hole = np.zeros((480, 640), bool)
    hole[5::30, 5::30] = True
    windows = hole_windows(hole, np.zeros_like(hole))
    assert np.count_nonzero(hole) == 16 * 22 and len(windows) < 80
    check_windows(hole, np.zeros_like(hole))


def test_a_long_thin_hole_is_cut_where_no_thing_is_cut() -> None:
    hole = hole_at((200, 2000), (90, 10, 100, 1990))
    assert min(w.scale for w in hole_windows(hole, np.zeros_like(hole))) == 1
    things = hole_at((200, 2000), (90, 800, 100, 1200))
    windows = hole_windows(hole, things)
    numbers = np.zeros(hole.shape, int)
    for number, (part, window, _) in enumerate(windows, 1):
        numbers[window][part] = number
    assert len(windows) > 2 and len(np.unique(numbers[things])) == 1


def test_a_large_square_hole_is_not_cut() -> None:
    hole = hole_at((1300, 1300), (100, 100, 1200, 1200))
    assert len(hole_windows(hole, np.zeros_like(hole))) == 1


# Sizes


def test_a_smaller_mask_covers_all_that_it_stands_for() -> None:
    mask = np.random.default_rng(0).random((50, 70)) < 0.01
    small = _covering(mask, (16, 32))
    back = np.zeros_like(mask)  # every pixel that a small true pixel overlaps
    for row, column in np.argwhere(small):
        back[row * 50 // 16 : -(-(row + 1) * 50 // 16), column * 70 // 32 : -(-(column + 1) * 70 // 32)] = True
    assert not (mask & ~back).any() and small.mean() < 0.5
    assert _covering(mask, mask.shape) is mask
    assert not _covering(np.zeros((50, 70), bool), (16, 32)).any()


def test_nearest_takes_the_pixel_at_the_centre() -> None:
    array = np.arange(36).reshape(6, 6)
    assert _nearest(array, (2, 3)).tolist() == [[7, 9, 11], [25, 27, 29]]
    assert np.array_equal(_nearest(array, (12, 12))[::2, ::2], array)
    assert np.array_equal(_nearest(array, (4, 5)), array[[0, 2, 3, 5]][:, [0, 1, 3, 4, 5]])
