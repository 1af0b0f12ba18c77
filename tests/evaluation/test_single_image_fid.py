from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from scenebrush.errors import InputError
from scenebrush.evaluation.fid import frechet_distance
from scenebrush.evaluation.inception import InceptionV3
from scenebrush.evaluation.pictures import to_tensor
from scenebrush.evaluation.single_image_fid import SifidLayer, single_image_fid

LAYERS = pytest.mark.parametrize("layer", ["before_first_pool", "before_second_pool"])


@pytest.fixture(scope="module")
def network(assets: Path) -> InceptionV3:
    return InceptionV3.load(assets)


@LAYERS
def test_equal_pictures_are_0_apart_and_the_figure_is_symmetric(
    network: InceptionV3, waves: np.ndarray, spoilt: np.ndarray, layer: SifidLayer
) -> None:
    assert single_image_fid(waves, waves, network, layer=layer).mean < 1e-9
    there = single_image_fid(waves, spoilt, network, layer=layer)
    back = single_image_fid(spoilt, waves, network, layer=layer)
    assert there.layer == layer
    assert there.mean == pytest.approx(back.mean, rel=1e-6)
    assert there.mean > 0.01


@pytest.mark.parametrize(("layer", "channels"), [("before_first_pool", 64), ("before_second_pool", 192)])
def test_it_is_the_frechet_distance_of_one_layers_positions(
    network: InceptionV3, waves: np.ndarray, spoilt: np.ndarray, layer: SifidLayer, channels: int
) -> None:
    """The layer is caught on its way through the whole network, by a hook on the convolution that ends it."""
    convolution = network.Conv2d_2b_3x3 if channels == 64 else network.Conv2d_4a_3x3
    caught: list[torch.Tensor] = []
    handle = convolution.register_forward_hook(lambda module, args, output: caught.append(output.clone()))
    with torch.inference_mode():
        network(to_tensor(np.stack([waves, spoilt])))
    handle.remove()
    x, y = (caught[0][i].flatten(1).T.double().numpy() for i in (0, 1))
    assert x.shape[1] == channels
    expected = frechet_distance(x.mean(0), np.cov(x.T), y.mean(0), np.cov(y.T))
    assert single_image_fid(waves, spoilt, network, layer=layer).mean == pytest.approx(expected, rel=1e-4)


def test_first_features_have_the_size_they_say(network: InceptionV3) -> None:
    for side in (64, 75, 128):
        features = network.first_features(torch.zeros(1, 3, side, side))
        assert features.shape == (1, 64, (side - 1) // 2 - 2, (side - 1) // 2 - 2)


def test_the_whole_network_goes_through_the_same_first_features(network: InceptionV3, waves: np.ndarray) -> None:
    with torch.inference_mode():
        x = network.first_features(to_tensor(waves[None]), 2)
    assert x.shape[1] == 192


def test_pairs_are_measured_one_by_one_whatever_their_sizes(
    network: InceptionV3, waves: np.ndarray, spoilt: np.ndarray
) -> None:
    pairs = single_image_fid([waves, waves[:60]], [spoilt, waves[:, :70]], network)
    assert pairs.values.shape == (2,)
    assert pairs.values[0] == pytest.approx(single_image_fid(waves, spoilt, network).mean)
    assert pairs.mean == pytest.approx(pairs.values.mean())


def test_a_shuffled_picture_of_the_same_patches_is_nearer_than_another_picture(
    network: InceptionV3, waves: np.ndarray
) -> None:
    """What the figure is for: it asks for the same inner statistics, not for the same places."""
    rolled = np.roll(waves, (40, 31), (0, 1))
    other = np.random.default_rng(0).integers(0, 256, waves.shape, np.uint8)
    near, far = (single_image_fid(waves, p, network).mean for p in (rolled, other))
    assert near < far / 10


def test_what_cannot_be_measured_is_refused(network: InceptionV3, waves: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"'before_first' \(did you mean 'before_first_pool'"):
        single_image_fid(waves, waves, network, layer="before_first")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="there are 2 and 1 pictures"):
        single_image_fid([waves, waves], [waves], network)
    with pytest.raises(InputError, match="there are 0 and 0 pictures"):
        single_image_fid([], [], network)
    with pytest.raises(InputError, match="20x96 is too small"):
        single_image_fid(waves[:, :20], waves, network)
    with pytest.raises(InputError, match="float64"):
        single_image_fid(waves / 255, waves, network)
