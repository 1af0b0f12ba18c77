from __future__ import annotations

import numpy as np
import pytest

from scenebrush.errors import InputError
from scenebrush.evaluation.pictures import batches, stack, stack_holes, stack_pair, to_tensor


def test_read_only_and_turned_pictures_become_tensors_without_a_warning() -> None:
    picture = np.arange(24, dtype=np.uint8).reshape(1, 2, 4, 3)
    picture.flags.writeable = False
    for given in (picture, picture[:, ::-1], picture.transpose(0, 2, 1, 3)):
        tensor = to_tensor(given)
        assert tensor.permute(0, 2, 3, 1).numpy() == pytest.approx(given / 127.5 - 1, abs=1e-6)
        tensor.zero_()
    assert picture[0, 0, 0, 1] == 1


def test_stacks_take_one_picture_or_many() -> None:
    picture = np.zeros((4, 5, 3), np.uint8)
    assert stack(picture).shape == (1, 4, 5, 3)
    assert stack([picture, picture]).shape == (2, 4, 5, 3)
    assert stack_pair(picture, [picture])[1].shape == (1, 4, 5, 3)


def test_what_is_no_picture_is_refused() -> None:
    picture = np.zeros((4, 5, 3), np.uint8)
    with pytest.raises(InputError, match="0 pictures"):
        stack([])
    with pytest.raises(InputError, match="differ in size"):
        stack([picture, picture[:2]])
    with pytest.raises(InputError, match=r"float64 \(1, 4, 5, 3\); expected uint8"):
        stack(picture / 255)
    with pytest.raises(InputError, match="they must be equal"):
        stack_pair(picture, [picture, picture])
    with pytest.raises(InputError, match="hole 1 of 2 is empty"):
        stack_holes(np.stack([np.ones((4, 5), bool), np.zeros((4, 5), bool)]), stack([picture, picture]))


def test_batches_cover_all() -> None:
    assert [(s.start, s.stop) for s in batches(5, 2)] == [(0, 2), (2, 4), (4, 5)]
    assert list(batches(0, 2)) == []
