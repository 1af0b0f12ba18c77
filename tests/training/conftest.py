"""Fixtures: a toy scene folder and a tiny recipe that trains in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scenebrush.data.toy import write_toy_folder

WINDOWS: dict[str, Any] = {"count": 12, "size": 32, "scales": [0.8, 1.4]}


@pytest.fixture(scope="session")
def toy_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene folder with four small toy scenes in `train`."""
    return write_toy_folder(tmp_path_factory.mktemp("toy"), 4, "train", size=(128, 96), seed=5)


@pytest.fixture(scope="session")
def window_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all runs keep their windows: equal recipes make them once."""
    return tmp_path_factory.mktemp("windows")


@pytest.fixture
def tiny_recipe() -> dict[str, Any]:
    """Two stages, without and with the discriminator; no perceptual loss, so that no weights are needed."""
    return make_recipe()


def make_recipe() -> dict[str, Any]:
    """A fresh copy of the tiny recipe."""
    return {
        "name": "tiny",
        "method": "sesame",
        "label_set": "camvid",
        "config": {"width": 4, "num_blocks": 1, "discriminator_width": 4, "discriminator_layers": 2},
        "optimizer": {"generator": 1e-3, "discriminator": 1e-3},
        "log_every": 1,
        "sample_every": 4,
        "checkpoint_every": 2,
        "stages": [
            {
                "name": "reconstruct",
                "steps": 3,
                "batch_size": 2,
                "windows": WINDOWS,
                "losses": {"adversarial": 0.0, "feature_matching": 0.0, "perceptual": 0.0, "reconstruction": 1.0},
            },
            {
                "name": "adversarial",
                "steps": 5,
                "batch_size": 2,
                "accumulate": 2,
                "adversarial_ramp": 3,
                "windows": WINDOWS,
                "losses": {"perceptual": 0.0, "reconstruction": 1.0, "drawn": 1.0, "untouched_patches": "ignore"},
            },
        ],
    }
