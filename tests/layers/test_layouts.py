"""`layers.layouts`: which pixels are one object."""

from __future__ import annotations

import pytest
import torch

from scenebrush.errors import LabelError
from scenebrush.layers.layouts import class_of, object_map


def test_an_object_is_a_class_and_an_instance() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 256, (2, 9, 8), generator=generator)
    instances = torch.randint(0, 40_000, (2, 9, 8), generator=generator)
    objects = object_map(labels, instances)
    assert objects.shape == (2, 1, 9, 8) and objects.dtype == torch.int64
    pairs = set(zip(labels.flatten().tolist(), instances.flatten().tolist(), strict=True))
    assert len(objects.unique()) == len(pairs)


def test_stuff_without_instances_is_told_apart_by_class() -> None:
    labels = torch.tensor([[[0, 0, 1, 2]]])
    assert object_map(labels, torch.zeros_like(labels)).unique().numel() == 3
    assert torch.equal(class_of(object_map(labels.to(torch.uint8))), labels[:, None])


def test_ids_that_hold_the_class_make_the_same_parts() -> None:
    """Cityscapes: id = class for stuff, class * 1000 + number for things."""
    labels = torch.tensor([[[7, 26, 26, 26]]])
    ids = torch.tensor([[[7, 26_000, 26_000, 26_001]]])
    own = torch.tensor([[[0, 1, 1, 2]]])
    for instances in (ids, own, ids[:, None]):
        objects = object_map(labels, instances).flatten()
        assert (objects[1:] != objects[:-1]).tolist() == [True, False, True]


def test_maps_of_two_sizes_are_refused() -> None:
    with pytest.raises(LabelError, match=r"\(1, 1, 3, 3\), label map \(1, 1, 2, 3\)"):
        object_map(torch.zeros(1, 2, 3), torch.zeros(1, 3, 3))
