from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import jaccard_score

from scenebrush.errors import InputError
from scenebrush.evaluation.mask_iou import binary_masks, mask_iou


def test_by_hand() -> None:
    """3 of 5 pixels shared; none shared; equal."""
    a = np.array([[[1, 1, 1, 1, 0]], [[1, 0, 0, 0, 0]], [[0, 1, 1, 0, 0]]], bool)
    b = np.array([[[0, 1, 1, 1, 1]], [[0, 1, 0, 0, 0]], [[0, 1, 1, 0, 0]]], bool)
    assert mask_iou(a, b) == pytest.approx([3 / 5, 0, 1])
    assert mask_iou(a, b, mean=True) == pytest.approx(8 / 15)
    assert mask_iou(a[0], b[0]) == pytest.approx([3 / 5])


def test_it_equals_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((2, 4, 20, 30)) < 0.4
    expected = [jaccard_score(y.ravel(), x.ravel()) for x, y in zip(a, b, strict=True)]
    assert mask_iou(a, b) == pytest.approx(expected)


def test_nothing_cut_where_nothing_was_to_be_cut_is_right() -> None:
    empty, full = np.zeros((2, 3), bool), np.ones((2, 3), bool)
    assert mask_iou(empty, empty, mean=True) == 1
    assert mask_iou(empty, full, mean=True) == 0
    assert mask_iou(full, empty, mean=True) == 0


def test_soft_masks_count_from_the_threshold_on() -> None:
    truth = np.array([[True, True, False, False]])
    soft = np.array([[0.9, 0.5, 0.49, 0.0]])
    assert mask_iou(soft, truth, mean=True) == 1
    assert mask_iou(soft, truth, threshold=0.4, mean=True) == pytest.approx(2 / 3)
    assert mask_iou((soft * 255).round().astype(np.uint8), truth, mean=True) == 1
    assert mask_iou(soft.astype(np.float32), soft, threshold=0.95, mean=True) == 1  # both empty


def test_half_of_255_is_a_mask() -> None:
    assert binary_masks(np.array([[127, 128]], np.uint8)).tolist() == [[[False, True]]]
    assert binary_masks(np.array([[254, 255]], np.uint8), 1.0).tolist() == [[[False, True]]]


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((2, 2), int), "int64; expected bool, uint8"),
        (np.full((2, 2), 1.5), "go from 1.5 to 1.5"),
        (np.full((2, 2), np.nan), "go from nan to nan"),
        (np.zeros((0, 2, 2), bool), r"N >= 1"),
        (np.zeros(4, bool), r"shape \(4,\)"),
    ],
)
def test_other_masks_are_refused(mask: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        mask_iou(mask, mask)


def test_masks_of_different_size_are_refused() -> None:
    with pytest.raises(InputError, match=r"\(1, 2, 2\) and \(1, 2, 3\)"):
        mask_iou(np.zeros((2, 2), bool), np.zeros((2, 3), bool))
