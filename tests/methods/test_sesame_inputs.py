"""From a window to tensors: coordinates, colours, hints, batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scenebrush.methods.sesame.inputs import WindowArrays, collate, object_coordinates, true_colors


def window(**changes: np.ndarray | None) -> WindowArrays:
    rng = np.random.default_rng(0)
    instances = np.zeros((16, 16), np.int32)
    instances[4:8, 4:12] = 3
    hole = np.zeros((16, 16), bool)
    hole[2:10, 2:14] = True
    arrays = {
        "photo": rng.integers(0, 256, (16, 16, 3), dtype=np.uint8),
        "labels": rng.integers(0, 5, (16, 16)).astype(np.uint8),
        "instances": instances,
        "hole": hole,
        "guide": rng.integers(0, 256, (16, 16, 3), dtype=np.uint8),
        "copied": rng.random((16, 16)) > 0.5,
    }
    return WindowArrays(**(arrays | changes))  # type: ignore[arg-type]


def test_coordinates_of_an_object_three_pixels_wide() -> None:
    # . . . .      an object of 2 x 3 pixels with a gap, in a box from (1, 1) to (3, 2)
    # . # # #
    # . # . #
    instances = np.array([[0, 0, 0, 0], [0, 7, 7, 7], [0, 7, 0, 7]])
    aspect = np.log2(2 / 3) / 2
    none = [0.0] * 4
    expected = [
        [none, none, none, none],
        [none, [-1, -1, aspect, 1], [0, -1, aspect, 1], [1, -1, aspect, 1]],
        [none, [-1, 1, aspect, 1], none, [1, 1, aspect, 1]],
    ]
    assert np.allclose(object_coordinates(instances), np.array(expected))


@pytest.mark.parametrize("ids", [(1, 2), (900, 26_001), (2_000_000_000, 5), (1, 70_000)])
def test_coordinates_depend_on_which_is_which_not_on_the_ids(ids: tuple[int, int]) -> None:
    instances = np.zeros((9, 9), np.int32)
    instances[1:3, 1:6] = 1
    instances[2:8, 4:8] = 2
    renamed = np.select([instances == 1, instances == 2], ids, 0).astype(np.int32)
    assert np.array_equal(object_coordinates(renamed), object_coordinates(instances))


def test_coordinates_of_extreme_objects_stay_in_range() -> None:
    instances = np.zeros((40, 40), np.int32)
    instances[:, 3] = 1
    instances[5, 10:] = 2
    instances[39, 39] = -4  # no object
    found = object_coordinates(instances)
    assert found.min() == -1 and found.max() == 1
    assert (found[:, 3, 0] == 0).all() and (found[:, 3, 2] == 1).all() and found[5, 20, 2] == -1
    assert not found[39, 39].any()
    assert not object_coordinates(np.zeros((4, 4), np.int32)).any()


def test_true_colours_are_means_over_the_object_in_the_hole() -> None:
    photo = np.zeros((16, 16, 3), np.uint8)
    photo[4:8, 4:8], photo[4:8, 8:12] = (255, 0, 0), (0, 255, 51)
    colors = true_colors(window(photo=photo))
    assert colors.keys() == {3}
    assert colors[3] == pytest.approx((0, 0, -0.8))
    left = np.zeros((16, 16), bool)
    left[:, :8] = True
    assert true_colors(window(photo=photo, hole=left))[3] == pytest.approx((1, -1, -1))  # what lies in the hole counts
    assert true_colors(window(hole=np.zeros((16, 16), bool))) == {}


def test_a_batch_holds_what_the_generator_takes() -> None:
    one, two = window(), window(guide=None, copied=None)
    batch = collate([one, two], hints=[{3: (0.5, -0.5, 0.25), 9: (1, 1, 1)}, {}])
    assert [tuple(t.shape) for t in batch] == [
        (2, 3, 16, 16), (2, 1, 16, 16), (2, 16, 16), (2, 4, 16, 16), (2, 4, 16, 16), (2, 3, 16, 16), (2, 1, 16, 16),
    ]  # fmt: skip
    assert torch.equal(batch.image[0], torch.from_numpy(one.photo).permute(2, 0, 1) / 127.5 - 1)
    assert batch.image.abs().max() <= 1 and batch.label_map.dtype == torch.int64
    assert torch.equal(batch.coordinates[0].permute(1, 2, 0), torch.from_numpy(object_coordinates(one.instances)))
    assert torch.equal(batch.label_map[0], torch.from_numpy(one.labels.astype(int)))
    assert torch.equal(batch.hole[0, 0], torch.from_numpy(one.hole).float())
    assert torch.equal(batch.copied[0, 0], torch.from_numpy(one.copied & one.hole).float())
    assert not batch.guide[1].any() and not batch.copied[1].any() and batch.guide[0].any()


def test_hints_colour_their_object_alone() -> None:
    hint = collate([window()], hints=[{3: (0.5, -0.5, 0.25), 9: (1, 1, 1)}]).hint[0].permute(1, 2, 0)
    on = torch.from_numpy(window().instances == 3)
    assert torch.equal(hint[on], torch.tensor([0.5, -0.5, 0.25, 1]).expand(int(on.sum()), 4))
    assert not hint[~on].any() and not collate([window()]).hint.any()


def test_moving_a_batch_moves_all_of_it() -> None:
    assert {t.device.type for t in collate([window()]).to("meta")} == {"meta"}
