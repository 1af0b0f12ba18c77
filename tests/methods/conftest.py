"""Fixtures: tiny SESAME networks and toy scenes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scenebrush.data.toy import ToyWorld
from scenebrush.methods.sesame.config import SesameConfig
from scenebrush.methods.sesame.networks import WindowGenerator, build_generator
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.scene import Scene


@pytest.fixture(scope="session")
def camvid() -> LabelSet:
    """The toy world's label set: 12 classes, ids are indices."""
    return LabelSet.load("camvid")


@pytest.fixture(scope="session")
def tiny_config() -> SesameConfig:
    """A compact generator that draws a window in a few milliseconds."""
    return SesameConfig(num_classes=12, thing_classes=(8,), width=4, num_blocks=1, discriminator_width=4)


@pytest.fixture
def tiny_generator(tiny_config: SesameConfig) -> WindowGenerator:
    """A generator with random weights, in evaluation mode."""
    torch.manual_seed(0)
    return build_generator(tiny_config).eval().requires_grad_(False)


@pytest.fixture(scope="session")
def toy_scene() -> Scene:
    """A street of 192x144 pixels with its instance map."""
    return ToyWorld(3, (192, 144)).scene()


@pytest.fixture(scope="session")
def largest(toy_scene: Scene) -> np.ndarray:
    """The largest object of the toy scene, bool (H, W)."""
    instances = toy_scene.layout.instance_map
    assert instances is not None
    return max((instances == n for n in np.unique(instances[instances > 0])), key=np.count_nonzero)
