"""What a photo tells of a box: each cue by a brute force or a case that can be worked by hand."""

from __future__ import annotations

import heapq

import numpy as np
import pytest

from scenebrush.canvas.box_evidence import barrier_distance, box_evidence, box_place


def box_in(height: int, width: int, box: tuple[int, int, int, int]) -> np.ndarray:
    plane = np.zeros((1, height, width), bool)
    plane[0, box[1] : box[3], box[0] : box[2]] = True
    return plane


def smallest_range(values: np.ndarray, box: np.ndarray) -> np.ndarray:
    """The range of the best way by trying every lowest value a way may hold (8-connected), one channel."""
    best = np.full(values.shape, np.inf)
    for lowest in np.unique(values):
        # With no value below `lowest`, the best way is the one whose highest value is least: Dijkstra over maxima.
        highest = np.full(values.shape, np.inf)
        queue = []
        for y, x in zip(*np.nonzero(~box & (values >= lowest)), strict=True):
            highest[y, x] = values[y, x]
            queue.append((values[y, x], y, x))
        heapq.heapify(queue)
        while queue:
            reached, y, x = heapq.heappop(queue)
            if reached > highest[y, x]:
                continue
            for v in range(max(y - 1, 0), min(y + 2, len(values))):
                for u in range(max(x - 1, 0), min(x + 2, values.shape[1])):
                    most = max(reached, values[v, u])
                    if values[v, u] >= lowest and most < highest[v, u]:
                        highest[v, u] = most
                        heapq.heappush(queue, (most, v, u))
        best = np.minimum(best, highest - lowest)
    return np.where(box, best, 0)


def test_barriers_are_never_smaller_than_the_best_way_and_mostly_equal():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 12, (14, 16)).astype(np.float32)
    box = box_in(14, 16, (3, 3, 13, 12))
    found = barrier_distance(values[None, ..., None], box)[0]
    exact = smallest_range(values, box[0])
    # A way that is best so far may not be part of the best way: sweeps can only be too large (Strand et al. 2013).
    assert (found >= exact).all() and (found == exact)[box[0]].mean() > 0.6
    assert (found[~box[0]] == 0).all()


def test_a_ring_is_a_barrier_for_all_that_lies_in_it():
    values = np.zeros((1, 24, 24, 1), np.float32)
    values[:, 6:18, 6:18] = 5
    values[:, 9:15, 9:15] = 0
    found = barrier_distance(values, box_in(24, 24, (4, 4, 20, 20)))[0]
    assert (found[6:18, 6:18] == 5).all() and found.sum() == 5 * 144


def test_channels_count_each():
    values = np.zeros((1, 24, 24, 2), np.float32)
    values[:, 6:18, 6:18] = 5, 3
    assert barrier_distance(values, box_in(24, 24, (4, 4, 20, 20)))[0, 12, 12] == 8


@pytest.mark.parametrize("turn", range(4))
def test_a_winding_way_is_found_from_every_side(turn):
    """A way in through two gaps on opposite sides."""
    values = np.zeros((20, 20), np.float32)
    values[4:16, 4:16] = 9
    values[5:15, 5:15] = 0
    values[7:13, 7:13] = 9
    values[8:12, 8:12] = 0
    values[4, 9] = values[12, 9] = 0
    values = np.rot90(values, turn).copy()
    found = barrier_distance(values[None, ..., None], box_in(20, 20, (3, 3, 17, 17)))[0]
    assert found[9:11, 9:11].max() == 0


def test_place_is_1_in_the_middle_0_on_the_ellipse_and_at_least_minus_1():
    place = box_place(box_in(40, 60, (10, 5, 51, 36)))[0]
    assert place[20, 30] == 1
    assert place[20, 50] == pytest.approx(1 - 20 / 20.5) and place[5, 30] == pytest.approx(1 - 15 / 15.5)
    assert box_place(box_in(40, 60, (20, 15, 25, 20))).min() == -1


def test_an_object_on_a_plain_ground_is_found_and_noise_does_not_hurt():
    rng = np.random.default_rng(1)
    rows, columns = np.mgrid[:64, :64]
    thing = np.hypot((rows - 34) / 14, (columns - 30) / 9) < 1
    thing |= (abs(columns - 30) < 3) & (rows > 12) & (rows < 34)  # a neck that an ellipse would miss
    photo = np.where(thing[..., None], (170, 60, 50), (70, 120, 160)) + rng.normal(0, 12, (64, 64, 3))
    photo = photo.clip(0, 255).astype(np.uint8)
    box = box_in(64, 64, (21, 13, 40, 48))
    found = (box_evidence(photo[None], box).logits > 0)[0] & box[0]
    truth = thing & box[0]
    assert (found & truth).sum() / (found | truth).sum() > 0.95
    ellipse = box_place(box)[0] > 0
    assert (ellipse & truth).sum() / (ellipse | truth).sum() < 0.8


def test_crops_of_a_batch_know_nothing_of_each_other():
    rng = np.random.default_rng(2)
    photos = rng.integers(0, 256, (3, 32, 48, 3), dtype=np.uint8)
    boxes = np.concatenate([box_in(32, 48, b) for b in ((5, 5, 30, 28), (10, 2, 40, 30), (20, 8, 28, 20))])
    together = box_evidence(photos, boxes)
    alone = box_evidence(photos[1:2], boxes[1:2])
    for name in ("barrier", "color", "place", "logits"):
        assert np.array_equal(getattr(together, name)[1:2], getattr(alone, name))


@pytest.mark.parametrize("box", [(0, 0, 32, 32), (4, 4, 4, 4)])
def test_a_box_that_is_all_or_nothing_gives_finite_numbers(box):
    evidence = box_evidence(np.full((1, 32, 32, 3), 90, np.uint8), box_in(32, 32, box))
    assert all(np.isfinite(getattr(evidence, name)).all() for name in ("barrier", "color", "place", "logits"))
