"""Weights, pictures and edits that the measuring tests share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scenebrush.data.windows import Window
from scenebrush.evaluation.assets import ASSETS, ASSETS_VARIABLE
from scenebrush.evaluation.edit_cases import EditCase, edit_case
from scenebrush.scene.label_set import LabelClass, LabelSet


@pytest.fixture(scope="session")
def assets() -> Path:
    """The folder with the measuring networks (`$SCENEBRUSH_ASSETS`, or `shared/weights` beside the repository)."""
    beside = Path(__file__).resolve().parents[2] / ".." / "shared" / "weights"
    folder = Path(os.environ.get(ASSETS_VARIABLE) or beside).resolve()
    lacking = [a.file for a in ASSETS.values() if a.file.endswith(".safetensors") and not (folder / a.file).is_file()]
    if lacking:
        pytest.skip(f"{folder} lacks {', '.join(lacking)}; set {ASSETS_VARIABLE} to a folder that holds them")
    return folder


@pytest.fixture(scope="session")
def waves() -> np.ndarray:
    """A smooth picture, uint8 (96, 96, 3)."""
    y, x = np.mgrid[:96, :96]
    channels = [128 + 100 * np.sin(x / 7), 128 + 90 * np.cos(y / 9), 128 + 80 * np.sin((x + y) / 11)]
    return np.stack(channels, axis=-1).astype(np.uint8)


@pytest.fixture(scope="session")
def spoilt(waves: np.ndarray) -> np.ndarray:
    """`waves` with a box in negative, uint8 (96, 96, 3)."""
    out = waves.copy()
    out[30:60, 40:80] = 255 - out[30:60, 40:80]
    return out


@pytest.fixture(scope="session")
def label_set() -> LabelSet:
    """Two stuffs and a thing."""
    classes = (
        LabelClass(0, "sky", (0, 0, 255), "stuff"),
        LabelClass(1, "road", (90, 90, 90), "stuff"),
        LabelClass(2, "car", (255, 0, 0), "thing"),
    )
    return LabelSet("test", classes)


@pytest.fixture(scope="session")
def make_case(label_set: LabelSet) -> Callable[..., EditCase]:
    """Makes a case of 64 px: noise over sky and road, a square hole across the horizon."""

    def make(seed: int = 0, stem: str = "photo") -> EditCase:
        photo = np.random.default_rng(seed).integers(1, 256, (64, 64, 3), np.uint8)
        label_map = np.zeros((64, 64), np.int32)
        label_map[32:] = 1
        hole = np.zeros((64, 64), bool)
        hole[20:44, 24:40] = True
        window = Window(photo, label_map, np.zeros_like(label_map), hole, "erase", stem, (0, 0, 64, 64))
        return edit_case(window, label_set)

    return make
