"""Styles per class: k-means, files, and who gets which; the released code's hazards with style maps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from scenebrush.errors import InputError, ModelError
from scenebrush.layers.layouts import object_map
from scenebrush.methods.pix2pixhd.encoder import pool_objects
from scenebrush.methods.pix2pixhd.styles import LEAST_SHARE, StyleBook, StyleSamples

ROAD, CAR, TREE = 0, 1, 2


@pytest.fixture
def samples() -> StyleSamples:
    """Cars of three looks, 30, 20 and 10 of each; one road; small trees only."""
    rng = np.random.default_rng(0)
    looks = np.repeat([[0.9, 0.9, 0.9], [-0.8, 0.1, 0.3], [0.0, -0.9, -0.9]], [30, 20, 10], 0)
    cars = looks + rng.normal(0, 0.01, looks.shape)
    trees = rng.uniform(-1, 1, (4, 3))
    features = np.concatenate([cars, [[0.1, 0.2, 0.3]], trees]).astype(np.float32)
    shares = np.r_[np.full(61, 0.1), np.full(4, LEAST_SHARE / 2)]
    return StyleSamples(np.r_[np.full(60, CAR), ROAD, np.full(4, TREE)], features, shares)


@pytest.fixture
def book(samples: StyleSamples) -> StyleBook:
    return StyleBook.fit(samples, num_styles=3)


def test_the_clusters_are_found_and_the_most_frequent_comes_first(book: StyleBook, samples: StyleSamples) -> None:
    assert book.counts[CAR] == (30, 20, 10)
    wanted = torch.tensor([[0.9, 0.9, 0.9], [-0.8, 0.1, 0.3], [0.0, -0.9, -0.9]])
    assert torch.allclose(book.centers[CAR], wanted, atol=0.02)
    means = np.stack([samples.features[a:b].mean(0) for a, b in ((0, 30), (30, 50), (50, 60))])
    assert np.allclose(book.centers[CAR].numpy(), means, atol=1e-6)


def test_never_more_styles_than_objects(book: StyleBook) -> None:
    assert (book.num_styles(ROAD), book.num_styles(TREE), book.num_styles(7)) == (1, 3, 0)
    assert torch.allclose(book.style(ROAD, 0), torch.tensor([0.1, 0.2, 0.3]))
    same = StyleSamples(np.zeros(5, int), np.ones((5, 2), np.float32), np.ones(5))
    assert StyleBook.fit(same).num_styles(0) == 1


def test_small_objects_do_not_count_where_there_are_large_ones(samples: StyleSamples) -> None:
    odd = StyleSamples(np.full(9, CAR), np.full((9, 3), 0.5, np.float32), np.full(9, LEAST_SHARE))
    joined = StyleBook.fit(StyleSamples.join([samples, odd]), num_styles=3)
    assert joined.counts[CAR] == (30, 20, 10)


def test_the_order_of_the_pictures_does_not_matter(samples: StyleSamples, book: StyleBook) -> None:
    order = np.random.default_rng(1).permutation(len(samples.classes))
    again = StyleBook.fit(StyleSamples(*(a[order] for a in vars(samples).values())), num_styles=3)
    assert all(torch.equal(again.centers[c], book.centers[c]) for c in book.centers)


def test_files_hold_every_bit_and_no_pickle(book: StyleBook, tmp_path: Path) -> None:
    """The released code keeps features as 8-bit PNG and centres as pickled npy (facts 1.7)."""
    book.save(tmp_path)
    loaded = StyleBook.load(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["styles.json", "styles.safetensors"]
    assert loaded.counts == book.counts and loaded.num_features == 3
    assert all(torch.equal(loaded.centers[c], book.centers[c]) for c in book.centers)
    eight_bits = ((book.centers[CAR] + 1) * 127.5).round() / 127.5 - 1
    assert not torch.equal(eight_bits, book.centers[CAR])  # what a PNG would have made of them


def test_broken_files_are_told(book: StyleBook, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no usable styles"):
        StyleBook.load(tmp_path)
    book.save(tmp_path)
    save_file({"class.0": torch.zeros(1, 3)}, tmp_path / "styles.safetensors")
    with pytest.raises(ModelError, match="has styles of shape None, expected finite"):
        StyleBook.load(tmp_path)
    book.save(tmp_path)
    save_file({f"class.{c}": v * float("nan") for c, v in book.centers.items()}, tmp_path / "styles.safetensors")
    with pytest.raises(ModelError, match="expected finite"):
        StyleBook.load(tmp_path)
    (tmp_path / "styles.json").write_text(json.dumps({"format": 2}))
    with pytest.raises(ModelError, match="format 2, this scenebrush reads 1"):
        StyleBook.load(tmp_path)


LABELS = torch.tensor([[[ROAD, CAR, CAR], [ROAD, TREE, CAR], [7, 7, CAR]]])
INSTANCES = torch.tensor([[[0, 1, 1], [0, 0, 2], [0, 0, 2]]])


def test_every_object_has_one_style_and_the_frequent_one_unless_asked(book: StyleBook) -> None:
    plain = book.feature_map(LABELS, INSTANCES)[0]
    assert torch.equal(plain[:, 0, 1], book.style(CAR, 0)) and torch.equal(plain[:, 1, 2], book.style(CAR, 0))
    asked = book.feature_map(LABELS, INSTANCES, by_class={CAR: 1}, by_object={2: 2})[0]
    assert torch.equal(asked[:, 0, 1], book.style(CAR, 1)) and torch.equal(asked[:, 0, 2], book.style(CAR, 1))
    assert torch.equal(asked[:, 1, 2], book.style(CAR, 2)) and torch.equal(asked[:, 2, 2], book.style(CAR, 2))
    assert torch.equal(asked[:, 0, 0], book.style(ROAD, 0))


def test_a_class_without_styles_gets_zeros_never_empty_memory(book: StyleBook) -> None:
    """Facts 1.7: the released code leaves the memory as it found it. Here fresh memory is filled with NaN."""
    torch.use_deterministic_algorithms(True)
    try:
        assert torch.utils.deterministic.fill_uninitialized_memory
        features = book.feature_map(LABELS, INSTANCES, seed=3)
    finally:
        torch.use_deterministic_algorithms(False)
    assert bool(torch.isfinite(features).all())
    assert bool((features[0, :, 2, :2] == 0).all())
    nothing = StyleBook(3, {}, {}).feature_map(LABELS, INSTANCES, seed=3)
    assert nothing.shape == (1, 3, 3, 3) and not bool(nothing.any())


def test_a_draw_is_the_seeds_and_the_objects_own(book: StyleBook) -> None:
    maps = [book.feature_map(LABELS, INSTANCES, seed=seed) for seed in range(40)]
    assert torch.equal(maps[0], book.feature_map(LABELS, INSTANCES, seed=0))
    assert len({tuple(m[0, :, 0, 1].tolist()) for m in maps}) == 3  # all three looks come up for one car
    assert any(not torch.equal(m[0, :, 0, 1], m[0, :, 1, 2]) for m in maps)  # and two cars may differ
    labels, instances = LABELS.clone(), INSTANCES.clone()
    labels[0, 0, 0], instances[0, 0, 0] = CAR, 9  # a new object changes no other's look
    for seed in range(10):
        assert torch.equal(book.feature_map(labels, instances, seed=seed)[0, :, :, 1:], maps[seed][0, :, :, 1:])


def test_one_look_per_class(book: StyleBook) -> None:
    for seed in range(10):
        features = book.feature_map(LABELS, INSTANCES, seed=seed, pooling="class")[0]
        assert torch.equal(features[:, 0, 1], features[:, 1, 2])


def test_what_is_not_there_is_told(book: StyleBook) -> None:
    with pytest.raises(InputError, match="class 1 has styles 0 to 2, style 3 was asked for"):
        book.feature_map(LABELS, INSTANCES, by_class={CAR: 3})
    with pytest.raises(InputError, match="class 7 has no styles"):
        book.feature_map(LABELS, INSTANCES, by_class={7: 0})
    with pytest.raises(InputError, match="object 5; the instance map holds no such id"):
        book.feature_map(LABELS, INSTANCES, by_object={5: 0})


def test_the_looks_of_one_photo() -> None:
    features, instances = torch.randn(1, 3, 3, 3), INSTANCES.clone()
    instances[0, 0, 2] = 2  # car 1: one pixel, car 2: three
    objects = pool_objects(features, object_map(LABELS, instances))
    book = StyleBook.of_photo(objects)
    assert {c: book.num_styles(c) for c in (ROAD, CAR, TREE, 7)} == {ROAD: 1, CAR: 2, TREE: 1, 7: 1}
    assert torch.allclose(book.style(CAR, 0), features[0][:, instances[0] == 2].mean(1), atol=1e-6)  # the largest first
    own = book.feature_map(LABELS, instances, by_object={1: 1, 2: 0})
    assert torch.allclose(own, objects.spread(), atol=1e-6)
    samples = StyleSamples.of(objects)
    assert samples.shares.sum() == pytest.approx(1) and samples.classes.tolist() == [ROAD, CAR, CAR, TREE, 7]
