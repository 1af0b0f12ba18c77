"""`layers.semantics` by hand."""

from __future__ import annotations

import pytest
import torch

from scenebrush.errors import LabelError
from scenebrush.layers.semantics import boundary_map, one_hot_semantics


def test_one_hot_is_torchs() -> None:
    labels = torch.randint(0, 7, (2, 5, 6))
    wanted = torch.nn.functional.one_hot(labels, 7).permute(0, 3, 1, 2).float()
    assert torch.equal(one_hot_semantics(labels, 7), wanted)
    assert torch.equal(one_hot_semantics(labels[:, None].to(torch.uint8), 7), wanted)


def test_unlabelled_pixels() -> None:
    labels = torch.tensor([[[0, 255], [2, 3]]])
    plain = one_hot_semantics(labels, 3)
    assert plain.shape == (1, 3, 2, 2)
    assert plain.sum(1).tolist() == [[[1, 0], [1, 0]]]
    with_channel = one_hot_semantics(labels, 3, dontcare_channel=True)
    assert with_channel[:, 3].tolist() == [[[0, 1], [0, 1]]]
    assert (with_channel.sum(1) == 1).all()


def test_255_is_a_class_where_there_are_so_many() -> None:
    assert one_hot_semantics(torch.full((1, 1, 1), 255), 300)[0, 255, 0, 0] == 1


@pytest.mark.parametrize(("wrong", "text"), [(9, "class index 9 in 3 pixels"), (-1, "class index -1 in 3 pixels")])
def test_other_ids_are_named(wrong: int, text: str) -> None:
    labels = torch.zeros(1, 4, 4, dtype=torch.long)
    labels[0, 1, :3] = wrong
    with pytest.raises(LabelError, match=text):
        one_hot_semantics(labels, 5)


def test_boundary_map_marks_both_sides() -> None:
    instances = torch.tensor([[[[1, 1, 2], [1, 1, 2], [3, 3, 3]]]])
    assert boundary_map(instances).tolist() == [[[[0, 1, 1], [1, 1, 1], [1, 1, 1]]]]
