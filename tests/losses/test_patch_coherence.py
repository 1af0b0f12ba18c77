"""`losses.patch_coherence` against a brute force that cuts every patch out."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
import torch
from torch import Tensor

from scenebrush.errors import InputError
from scenebrush.layers.vgg import VGG, layer_indices
from scenebrush.losses.patch_coherence import (
    PatchCoherence,
    PatchLevel,
    distance,
    draw_queries,
    find_matches,
    patches_at,
)


def brute_force(
    asking: Tensor, searched: Tensor, query: tuple[int, int], patch: int, count: int, last: int = 1
) -> list[tuple[float, tuple[int, int]]]:
    """Returns the `count` nearest (summed distance, place), patch by patch, in float64."""
    a, b = asking[0].double().numpy(), searched[0].double().numpy()
    own = a[:, query[0] : query[0] + patch, query[1] : query[1] + patch]
    places = itertools.product(range(b.shape[1] - patch + last), range(b.shape[2] - patch + last))
    gaps = [(float(np.abs(own - b[:, r : r + patch, c : c + patch]).sum()), (r, c)) for r, c in places]
    return sorted(gaps)[:count]


@pytest.fixture
def maps() -> tuple[Tensor, Tensor]:
    """Features of a picture (1, 6, 9, 11) and of a photo of another size (1, 6, 12, 10)."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(1, 6, 9, 11, generator=generator), torch.rand(1, 6, 12, 10, generator=generator)


@pytest.mark.parametrize("patch", [1, 2, 3])
@pytest.mark.parametrize("every_place", [True, False])
def test_matches_are_those_of_the_brute_force(maps: tuple[Tensor, Tensor], patch: int, every_place: bool) -> None:
    picture, photo = maps
    queries = draw_queries(picture, patch, 19, torch.Generator().manual_seed(1))  # more than are searched at once
    found = find_matches(picture, photo, queries, patch=patch, count=4, every_place=every_place)
    for query, places, distances in zip(queries.tolist(), found.places.tolist(), found.distances, strict=True):
        wanted = brute_force(picture, photo, tuple(query), patch, 4, int(every_place))
        assert [tuple(place) for place in places] == [place for _, place in wanted]
        torch.testing.assert_close(distances.double(), torch.tensor([gap for gap, _ in wanted], dtype=torch.float64))


def test_loss_is_the_mean_over_queries_matches_and_values(maps: tuple[Tensor, Tensor]) -> None:
    picture, photo = maps
    queries = torch.tensor([[0, 0], [6, 8], [3, 5]])
    found = find_matches(picture, photo, queries, patch=3, count=5)
    wanted = np.mean(
        [gap / (6 * 9) for q in queries.tolist() for gap, _ in brute_force(picture, photo, (q[0], q[1]), 3, 5)]
    )
    assert distance(picture, photo, queries, found, 3).item() == pytest.approx(wanted, rel=1e-5)


def test_last_row_and_column_are_searched_only_where_asked_for() -> None:
    photo = torch.zeros(1, 1, 5, 5)
    photo[0, 0, 4, 4] = 1
    picture = torch.ones(1, 1, 1, 1)
    place = torch.zeros(1, 2, dtype=torch.int64)
    assert find_matches(picture, photo, place, patch=1, count=1).places.tolist() == [[[4, 4]]]
    released = find_matches(picture, photo, place, patch=1, count=1, every_place=False)
    assert released.distances.item() == 1
    assert max(released.places.flatten().tolist()) < 4


def test_a_copy_costs_nothing() -> None:
    features = torch.rand(1, 4, 10, 10, generator=torch.Generator().manual_seed(0))
    queries = draw_queries(features, 3, 6, torch.Generator().manual_seed(2))
    found = find_matches(features, features, queries, patch=3, count=1)
    assert found.places[:, 0].tolist() == queries.tolist()
    assert distance(features, features, queries, found, 3).item() == 0


def test_only_patches_of_the_querys_class_are_found() -> None:
    generator = torch.Generator().manual_seed(0)
    picture, photo = torch.rand(2, 1, 4, 8, 12, generator=generator)
    labels = torch.zeros(8, 12, dtype=torch.int64)
    labels[:, 6:] = 1
    labels[0, 0] = 7  # a class with fewer patches than are wanted: then all are searched
    queries = torch.tensor([[2, 1], [2, 8]])
    found = find_matches(picture, photo, queries, patch=1, labels=(labels, labels))
    assert [labels[tuple(place)].item() for place in found.places[0].tolist()] == [0] * 5
    assert [labels[tuple(place)].item() for place in found.places[1].tolist()] == [1] * 5
    rare = find_matches(picture, photo, torch.tensor([[0, 0]]), patch=1, labels=(labels, labels))
    free = find_matches(picture, photo, torch.tensor([[0, 0]]), patch=1)
    assert torch.equal(rare.places, free.places)


def test_gradient_draws_the_query_to_its_matches_and_touches_nothing_else(maps: tuple[Tensor, Tensor]) -> None:
    picture, photo = maps[0].clone().requires_grad_(), maps[1]
    queries = torch.tensor([[2, 3]])
    found = find_matches(picture, photo, queries, patch=1, count=2)
    distance(picture, photo, queries, found, 1).backward()
    signs = torch.stack(
        [(picture.detach()[0, :, 2, 3] - patches_at(photo, p[None], 1)[0, :, 0, 0]).sign() for p in found.places[0]]
    )
    torch.testing.assert_close(picture.grad[0, :, 2, 3], signs.mean(0) / 6)
    picture.grad[0, :, 2, 3] = 0
    assert not picture.grad.any()


def test_patches_at_cuts_them_out(maps: tuple[Tensor, Tensor]) -> None:
    cut = patches_at(maps[0], torch.tensor([[1, 2], [6, 8]]), 3)
    assert torch.equal(cut[0], maps[0][0, :, 1:4, 2:5])
    assert torch.equal(cut[1], maps[0][0, :, 6:9, 8:11])


def test_queries_reach_the_last_place() -> None:
    drawn = draw_queries(torch.zeros(1, 1, 4, 5), 3, 500, torch.Generator().manual_seed(0))
    assert {tuple(place) for place in drawn.tolist()} == set(itertools.product(range(2), range(3)))


def test_maps_that_are_too_small_are_named() -> None:
    with pytest.raises(InputError, match=r"2x4, smaller than a patch of 3"):
        draw_queries(torch.zeros(1, 1, 4, 2), 3, 1)
    with pytest.raises(InputError, match=r"2x2 have no 5 patches of 1"):
        find_matches(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), torch.zeros(1, 2, dtype=torch.int64), patch=1)


@pytest.fixture(scope="module")
def vgg() -> VGG:
    """VGG16 with random weights."""
    generator = torch.Generator().manual_seed(0)
    tensors: dict[str, Tensor] = {}
    shapes = {"relu1_1": (64, 3), "relu1_2": (64, 64), "relu2_1": (128, 64)}
    for layer, index in layer_indices("vgg16").items():
        tensors[f"features.{index}.weight"] = torch.randn(*shapes.get(layer, (1, 1)), 3, 3, generator=generator) / 10
        tensors[f"features.{index}.bias"] = torch.zeros(shapes.get(layer, (1, 1))[0])
    return VGG(tensors, "vgg16")


def test_levels_count_by_their_queries(vgg: VGG) -> None:
    picture, photo = torch.rand(2, 1, 3, 16, 20, generator=torch.Generator().manual_seed(0))
    levels = (PatchLevel("relu1_1", 3, 4), PatchLevel("relu2_1", 1, 2))
    loss = PatchCoherence(vgg, levels)
    a, b = loss.features(picture), loss.features(photo)
    draws, parts = torch.Generator().manual_seed(3), 0.0
    for level, own, others in zip(levels, a, b, strict=True):
        queries = draw_queries(own, level.patch, level.queries, draws).tolist()
        size = own.shape[1] * level.patch**2
        parts += sum(g / size / 5 for r, c in queries for g, _ in brute_force(own, others, (r, c), level.patch, 5))
    assert loss(a, b, torch.Generator().manual_seed(3)).item() == pytest.approx(parts / 6, rel=1e-4)


def test_completeness_asks_the_other_way_round(vgg: VGG) -> None:
    """A picture of one corner of the photo: all of it is in the photo, not all of the photo is in it."""
    photo = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0))
    photo[..., 12:] *= -1
    picture = photo[..., :10].contiguous()
    levels = (PatchLevel("relu1_1", 1, 40),)
    one_way, both = PatchCoherence(vgg, levels, matches=1), PatchCoherence(vgg, levels, matches=1, completeness=1.0)
    a, b = one_way.features(picture), one_way.features(photo)
    alone = one_way(a, b, torch.Generator().manual_seed(0)).item()
    assert both(a, b, torch.Generator().manual_seed(0)).item() > 3 * alone


def test_layouts_at_the_pictures_size_guide_every_level(vgg: VGG) -> None:
    picture, photo = torch.rand(2, 1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    loss = PatchCoherence(vgg)
    a, b = loss.features(picture), loss.features(photo)
    one_class = torch.zeros(16, 16, dtype=torch.int64)
    halves = one_class.clone()
    halves[:, 8:] = 1
    free, same, guided = (
        loss(a, b, torch.Generator().manual_seed(0), picture_labels=labels, photo_labels=labels).item()
        for labels in (None, one_class, halves)
    )
    assert same == free
    assert guided > free


def test_a_whole_photo_is_searched_in_less_than_a_few_seconds() -> None:
    picture, photo = torch.rand(2, 1, 64, 184, 280)
    queries = draw_queries(picture, 3, 10)
    began = time.process_time()
    find_matches(picture, photo, queries, patch=3)
    assert time.process_time() - began < 3
