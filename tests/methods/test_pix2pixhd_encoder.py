"""Object maps, boundaries and features per object, against brute force; the released code's hazards with ids."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from scenebrush.errors import InputError, LabelError
from scenebrush.layers.layouts import LayoutBatch, class_of, instance_of, object_map, whole_classes
from scenebrush.methods.pix2pixhd.boundaries import instance_boundaries
from scenebrush.methods.pix2pixhd.config import Pix2PixHDConfig
from scenebrush.methods.pix2pixhd.encoder import pool_objects
from scenebrush.methods.pix2pixhd.networks import build_networks
from scenebrush.methods.pix2pixhd.preprocess import prepare
from scenebrush.methods.pix2pixhd.schedule import shrink


def brute_force(features: Tensor, objects: Tensor) -> Tensor:
    out = torch.empty_like(features)
    for sample in range(len(features)):
        for number in objects[sample].unique():
            mask = objects[sample, 0] == number
            out[sample, :, mask] = features[sample, :, mask].mean(1, keepdim=True)
    return out


def test_pooling_is_a_mean_per_picture_and_id() -> None:
    features = torch.randn(3, 4, 17, 23, requires_grad=True)
    objects = torch.randint(0, 6, (3, 1, 17, 23)) * 5500  # Cityscapes' ids go up to 33,000
    pooled = pool_objects(features, objects)
    assert torch.allclose(pooled.spread(), brute_force(features, objects), atol=1e-6)
    assert int(pooled.pixels.sum()) == objects.numel()
    for row in range(len(pooled.ids)):
        mask = objects[pooled.pictures[row], 0] == pooled.ids[row]
        assert int(mask.sum()) == int(pooled.pixels[row])
        assert bool((pooled.row_map[pooled.pictures[row]][mask] == row).all())


def test_gradients_are_shared_out_among_an_objects_pixels() -> None:
    features = torch.randn(1, 2, 6, 6, requires_grad=True)
    objects = torch.randint(0, 3, (1, 1, 6, 6))
    weights = torch.randn(1, 2, 6, 6)
    (gradient,) = torch.autograd.grad((pool_objects(features, objects).spread() * weights).sum(), features)
    assert torch.allclose(gradient, brute_force(weights, objects), atol=1e-6)


def test_a_large_object_keeps_its_mean_to_the_last_digit() -> None:
    features = torch.full((1, 1, 1024, 2048), 0.1)
    assert float(pool_objects(features, torch.zeros(1, 1, 1024, 2048).int()).means[0, 0]) == float(features[0, 0, 0, 0])


def test_pooling_refuses_maps_of_another_size() -> None:
    with pytest.raises(InputError, match=r"object map is \(1, 1, 4, 5\)"):
        pool_objects(torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 5).int())


def test_ids_above_16_bits_stay_apart_and_wrapped_ones_are_refused() -> None:
    """Facts 1.11: 33008 in 16 signed bits is -32528; the released loader wrapped bicycles so."""
    ids = np.array([[24, 33008, 33008], [24, 24, 65535]], np.uint16)
    whole = torch.from_numpy(ids.astype(np.int32))[None, None]
    assert instance_boundaries(whole).tolist() == [[[[1, 1, 1], [0, 1, 1]]]]
    unsigned = torch.from_numpy(ids)[None, None]
    assert torch.equal(instance_boundaries(unsigned), instance_boundaries(whole))
    features = torch.arange(6.0).view(1, 1, 2, 3)
    wanted = torch.tensor([[[[7 / 3, 1.5, 1.5], [7 / 3, 7 / 3, 5]]]])
    assert torch.equal(pool_objects(features, unsigned).spread(), wanted)
    wrapped = torch.from_numpy(ids.astype(np.int16))[None, None]
    for refused in (instance_boundaries, lambda m: pool_objects(features, m), lambda m: object_map(m * 0, m)):
        with pytest.raises(LabelError, match=r"holds id -32528; .*16-bit"):
            refused(wrapped)


def test_stuff_of_different_classes_is_not_one_object() -> None:
    """A layout has instance 0 for all stuff: sky against road is a boundary all the same."""
    labels = torch.tensor([[[1, 1, 2], [1, 3, 3]]])
    instances = torch.tensor([[[0, 0, 0], [0, 5, 6]]])
    objects = object_map(labels, instances)
    assert class_of(objects)[0, 0].tolist() == labels[0].tolist()
    assert instance_of(objects)[0, 0].tolist() == instances[0].tolist()
    assert len(objects.unique()) == 4
    assert instance_boundaries(objects)[0, 0].tolist() == [[0, 1, 1], [1, 1, 1]]
    assert len(whole_classes(objects).unique()) == 3
    assert torch.equal(object_map(labels), whole_classes(objects))
    with pytest.raises(LabelError, match="give two maps of one size"):
        object_map(labels, instances[:, :1])


def test_cityscapes_ids_are_the_same_partition() -> None:
    labels = torch.tensor([[[7, 26, 26], [7, 26, 33]]])
    instances = torch.tensor([[[7, 26000, 26001], [7, 26000, 33008]]])
    ours = object_map(labels, instances)
    assert torch.equal(instance_boundaries(ours), instance_boundaries(instances[:, None]))


def test_a_condition_has_the_boundaries_last() -> None:
    labels = torch.tensor([[[0, 255], [1, 1]]])
    condition = prepare(labels, num_classes=2)
    assert condition.semantics.shape == (1, 3, 2, 2)
    assert condition.semantics[0, :, 0, 1].tolist() == [0, 0, 1]  # unlabelled: no class, but an object of its own
    assert prepare(labels, num_classes=2, boundaries=False).semantics.shape == (1, 2, 2, 2)
    picture = torch.randn(1, 3, 2, 2)
    assert torch.equal(prepare(picture, num_classes=0, boundaries=False).semantics, picture)


@pytest.mark.parametrize("pooling", ["instance", "class"])
def test_styles_mean_the_same_at_every_level(pooling: str) -> None:
    config = Pix2PixHDConfig(
        num_classes=3, num_features=2, width=8, num_downsamplings=1, num_blocks=1, num_enhancers=1,
        encoder_width=4, encoder_downsamplings=1, pooling=pooling,  # type: ignore[arg-type]
    )  # fmt: skip
    networks = build_networks(config, every_level=True).eval()
    batch = LayoutBatch(
        torch.rand(2, 3, 24, 16) * 2 - 1,
        torch.randint(0, 3, (2, 12, 8)).repeat_interleave(2, 1).repeat_interleave(2, 2),
        torch.randint(0, 2, (2, 12, 8)).repeat_interleave(2, 1).repeat_interleave(2, 2),
    )
    coarse = shrink(batch, 1)
    objects, small = (networks.condition(b.label_map, b.instance_map).objects for b in (batch, coarse))
    fine_styles = networks.encode(batch.image, objects)
    coarse_styles = networks.encode(coarse.image, small, level=0)
    assert torch.equal(fine_styles.ids, coarse_styles.ids)
    assert torch.allclose(fine_styles.means, coarse_styles.means, atol=1e-6)
    assert len(fine_styles.ids) <= (6 if pooling == "class" else 12)


def test_a_model_without_encoder_says_so() -> None:
    networks = build_networks(Pix2PixHDConfig(num_classes=3, width=4, num_downsamplings=1, num_blocks=1))
    with pytest.raises(InputError, match="no feature encoder"):
        networks.encode(torch.zeros(1, 3, 8, 8), torch.zeros(1, 1, 8, 8).int())
